//! What a pass needs in whole numbers on a device: which captured rows enter where, what is changed where, who sees whom.
//! All of it goes up at once before the first block, so that nothing is uploaded between two blocks.

use super::ActivationCache;
use super::change;
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
    /// Rows that go on in the last block.
    going_on: Option<usize>,
    /// By how many rows they are for, and whether these are only the read ones of the last block.
    lists: Vec<((usize, bool), KeyLists)>,
}

/// Changes that are made in one go.
struct Step<'a> {
    edits: &'a [RowChange],
    /// Site of the cache that they take numbers from, and their table; `None` where these come from several places.
    ready: Option<(Option<Place>, usize)>,
}

/// Tables before and after they went up.
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
    pub(super) fn new(
        net: &Transformer,
        schedule: &'a Schedule,
        cache: Option<&ActivationCache>,
        device: &Device,
    ) -> Self {
        let mut tables = Self::default();
        tables.positions = tables.parts.add(schedule.positions.iter().copied());
        if let Some(cache) = cache {
            tables.add_entering(schedule, cache);
        }
        tables.add_steps(schedule, cache);
        let lists = tables.add_lists(net, schedule);
        tables.parts.up = Table::upload(&std::mem::take(&mut tables.parts.below), device);
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

    fn add_steps(&mut self, schedule: &'a Schedule, cache: Option<&ActivationCache>) {
        for (&place, edits) in &schedule.edits {
            let rows = schedule.present(place);
            let step = |edits| {
                let planned = change::planned(edits, cache);
                let ready = planned.map(|(source, edits)| {
                    self.parts.below.push(edit_table(rows, &edits));
                    (source, self.parts.below.len() - 1)
                });
                Step { edits, ready }
            };
            let steps = change::steps(edits).into_iter().map(step).collect();
            self.steps.insert(place, steps);
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
    pub(super) fn changed(&self, place: Place, mut x: Rows, sources: change::Sources<'_>) -> Rows {
        for Step { edits, ready } in self.steps.get(&place).into_iter().flatten() {
            x = match ready {
                Some((source, at)) => x.edited(source.map(|site| sources.site(site)), &self.parts.up[*at]),
                None => change::change(x, edits, sources),
            };
        }
        x
    }
}
