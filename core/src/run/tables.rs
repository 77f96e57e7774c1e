//! What a pass needs in whole numbers on a device: which captured rows enter where, what is changed where, who sees whom.
//! All of it goes up at once before the first block, so that nothing is uploaded between two blocks.

use super::ActivationCache;
use super::change::{self, Origin, Sources};
use super::pass::joining;
use super::schedule::{Place, RowChange, Schedule};
use crate::model::{Site, Transformer};
use crate::tensor::attend::{KeyLists, Listed};
use crate::tensor::{Rows, Table, edit_table};
use burn::Device;
use std::collections::BTreeMap;

/// The tables of a pass.
#[derive(Default)]
pub(super) struct Tables<'a> {
    parts: Parts,
    /// Each row's position.
    positions: usize,
    /// By place, where in the cache the rows are that enter.
    entering: BTreeMap<Place, usize>,
    /// By place, its changes.
    steps: BTreeMap<Place, Vec<Step<'a>>>,
    /// By the place where rows enter, changes of what attention adds that they bring.
    brought: BTreeMap<Place, Vec<Ready>>,
    /// Rows of constants by their width: those that changes take, each once.
    constants: BTreeMap<usize, Constants>,
    /// Rows that go on in the last block.
    going_on: Option<usize>,
    /// By how many rows they are for, and whether these are only the read ones of the last block.
    lists: Vec<((usize, bool), KeyLists)>,
}

/// Changes that are made in one go.
struct Step<'a> {
    edits: &'a [RowChange],
    /// `None` where their numbers come from several places.
    ready: Option<Ready>,
}

/// Where changes take numbers from, how wide these are, and their table.
#[derive(Clone, Copy)]
struct Ready {
    origin: Origin,
    width: usize,
    table: usize,
}

/// Rows of one width, before and after their upload.
#[derive(Default)]
struct Constants {
    places: BTreeMap<u32, u32>,
    values: Vec<f32>,
    up: Option<Rows>,
}

/// Tables before and after their upload.
#[derive(Default)]
struct Parts {
    below: Vec<Vec<i32>>,
    up: Vec<Table>,
}

impl Parts {
    fn add(&mut self, values: impl IntoIterator<Item = u32>) -> usize {
        self.below.push(values.into_iter().map(u32::cast_signed).collect());
        self.below.len() - 1
    }
}

impl<'a> Tables<'a> {
    /// Of a pass, over runs of a cache where there is one.
    pub(super) fn new(net: &Transformer, schedule: &'a Schedule, sources: Sources<'_>, device: &Device) -> Self {
        let mut tables = Self::default();
        tables.positions = tables.parts.add(schedule.positions.iter().copied());
        if let Some(cache) = sources.cache {
            tables.add_entering(schedule, cache);
        }
        for (&place, edits) in &schedule.edits {
            let (rows, width) = (schedule.present(place), width(net, place));
            let step = |edits| Step { edits, ready: tables.ready(edits, rows, width, sources) };
            let steps = change::steps(edits).into_iter().map(step).collect();
            tables.steps.insert(place, steps);
        }
        tables.add_brought(net, schedule, sources);
        let lists = tables.add_lists(net, schedule);
        tables.parts.up = Table::upload(&std::mem::take(&mut tables.parts.below), device);
        for (&width, constants) in &mut tables.constants {
            constants.up = Some(Rows::new(std::mem::take(&mut constants.values), width, Some(device)));
        }
        let on =
            |(key, listed, at): ((usize, bool), Listed, usize)| (key, listed.on(tables.parts.up[at].clone(), device));
        tables.lists = lists.into_iter().map(on).collect();
        tables
    }

    fn add_entering(&mut self, schedule: &Schedule, cache: &ActivationCache) {
        for rows in schedule.rows.chunk_by(|a, b| a.entry == b.entry) {
            let places = rows.iter().map(|row| {
                let base = schedule.runs[row.run as usize].base.get(row.position as usize);
                base.map(|&base| cache.places[base as usize].1)
            });
            // Rows of new tokens were not captured.
            if let Some(places) = places.collect::<Option<Vec<u32>>>() {
                self.entering.insert(rows[0].entry, self.parts.add(places));
            }
        }
    }

    /// Puts the table of changes of so many rows of a width with the others.
    fn ready(&mut self, edits: &[RowChange], rows: usize, width: usize, sources: Sources<'_>) -> Option<Ready> {
        let (origin, mut edits) = change::planned(edits, sources.cache)?;
        if origin == Origin::Constants {
            if sources.constants.width != width {
                return None;
            }
            let constants = self.constants.entry(width).or_default();
            for edit in edits.iter_mut().filter(|edit| edit.take != 0.0) {
                let next = constants.places.len() as u32;
                let row = edit.from;
                edit.from = *constants.places.entry(row).or_insert_with(|| {
                    constants.values.extend(sources.constants.row(row as usize));
                    next
                });
            }
        }
        self.parts.below.push(edit_table(rows, &edits));
        Some(Ready { origin, width, table: self.parts.below.len() - 1 })
    }

    /// Rows that enter after a block's attention bring what it adds, changed.
    fn add_brought(&mut self, net: &Transformer, schedule: &Schedule, sources: Sources<'_>) {
        let places: Vec<Place> = self.entering.keys().copied().collect();
        for place in places {
            let Some(edits) = schedule.brought.get(&place.0) else { continue };
            let live = schedule.present_before(place);
            let joined = schedule.entered(place) - schedule.entered_before(place);
            let edits = joining(edits, live, joined);
            let width = width(net, (place.0, Site::Attention));
            let ready = change::steps(&edits).into_iter().map(|edits| self.ready(edits, joined, width, sources));
            if let Some(ready) = ready.collect::<Option<Vec<Ready>>>() {
                self.brought.insert(place, ready);
            }
        }
    }

    fn add_lists(&mut self, net: &Transformer, schedule: &Schedule) -> Vec<((usize, bool), Listed, usize)> {
        // One set of tables is enough where all of a run's rows enter together.
        let (windows, uniform) = (net.windows(), schedule.is_uniform());
        let mut lists: Vec<((usize, bool), Listed, usize)> = Vec::new();
        for layer in schedule.start().max(1)..=schedule.layers {
            let place = (layer, Site::Heads);
            let (count, last) = (schedule.entered_before(place), schedule.narrowed(place));
            if last && count > 0 {
                self.going_on = Some(self.parts.add(schedule.read_rows(count)));
            }
            let key = (schedule.listed(count, uniform), last);
            if count == 0 || lists.iter().any(|(known, ..)| *known == key) {
                continue;
            }
            let mut listed = schedule.lists(key, &windows);
            if !listed.table.is_empty() {
                self.parts.below.push(std::mem::take(&mut listed.table));
                lists.push((key, listed, self.parts.below.len() - 1));
            }
        }
        lists
    }

    /// Each row's position.
    pub(super) fn positions(&self) -> &Table {
        &self.parts.up[self.positions]
    }

    /// Where in the cache the rows are that enter at a place.
    pub(super) fn entering(&self, place: Place) -> Option<&Table> {
        self.entering.get(&place).map(|&at| &self.parts.up[at])
    }

    /// Rows that go on in the last block.
    pub(super) fn going_on(&self) -> Option<&Table> {
        self.going_on.map(|at| &self.parts.up[at])
    }

    /// Key lists of so many rows, and whether these are only the read ones of the last block.
    pub(super) fn lists(&self, key: (usize, bool)) -> Option<&KeyLists> {
        self.lists.iter().find(|(known, _)| *known == key).map(|(_, lists)| lists)
    }

    /// `x` with a place's changes.
    pub(super) fn changed(&self, place: Place, mut x: Rows, sources: Sources<'_>) -> Rows {
        for Step { edits, ready } in self.steps.get(&place).into_iter().flatten() {
            x = match ready {
                Some(ready) => self.edited(&x, *ready, sources),
                None => change::change(x, edits, sources),
            };
        }
        x
    }

    /// What attention adds to rows that enter at a place, with its changes; `None` where they are not ready.
    pub(super) fn changed_on_entry(&self, place: Place, a: &Rows, sources: Sources<'_>) -> Option<Rows> {
        let ready = self.brought.get(&place)?;
        Some(ready.iter().fold(a.clone(), |a, ready| self.edited(&a, *ready, sources)))
    }

    fn edited(&self, x: &Rows, Ready { origin, width, table }: Ready, sources: Sources<'_>) -> Rows {
        let source = match origin {
            Origin::Nowhere => None,
            Origin::Cache(place) => Some(sources.site(place)),
            Origin::Constants => self.constants[&width].up.as_ref(),
        };
        x.edited(source, &self.parts.up[table])
    }
}

/// Numbers of a row at a place.
fn width(net: &Transformer, (layer, site): Place) -> usize {
    site.width(&net.shape, net.heads(layer.max(1)))
}
