//! Prompts and runs in groups, each one a pass.

use super::entry::{Ground, entries, needs};
use super::{GroupRun, Place, Row, RowChange, RowOp, RowSource, Schedule};
use crate::model::Site;
use crate::run::check::Scope;
use crate::run::{ActivationCache, Change, Intervention, Prompt, Request, Source};
use std::collections::{BTreeMap, HashMap};

/// Passes over prompts from the embedding on, at most `most` rows each where prompts are not longer themselves. With
/// `share`, prompts of a group that begin alike, and unchanged, share rows.
pub(in crate::run) fn captures(scope: &Scope<'_>, prompts: &[Prompt], most: usize, share: bool) -> Vec<Schedule> {
    let mut out = Vec::new();
    let mut start = 0;
    while start < prompts.len() {
        let mut rows = 0;
        let fits = prompts[start..].iter().take_while(|prompt| {
            rows += prompt.ids.len();
            rows <= most
        });
        let end = start + fits.count().max(1);
        out.push(capture(scope, &prompts[start..end], start, share));
        start = end;
    }
    out
}

fn capture(scope: &Scope<'_>, prompts: &[Prompt], first: usize, share: bool) -> Schedule {
    let mut schedule = Schedule::empty(scope.net.shape.layers, 0, false);
    // Rows that other prompts may share, by the row before them and their token.
    let mut known: HashMap<(Option<u32>, u32), u32> = HashMap::new();
    for (run, prompt) in prompts.iter().enumerate() {
        let changed = prompt.interventions.iter().map(|change| change.positions.start).min().unwrap_or(usize::MAX);
        let mut live: Vec<Option<u32>> = Vec::with_capacity(prompt.ids.len());
        for (position, &id) in prompt.ids.iter().enumerate() {
            let key = (live.last().copied().flatten(), id);
            let shared = known.get(&key).copied().filter(|_| share && position < changed);
            let row = shared.unwrap_or_else(|| {
                let row = schedule.rows.len() as u32;
                let entry = (0, Site::Residual);
                schedule.rows.push(Row { run: run as u32, position: position as u32, entry, read: true });
                if position < changed {
                    known.insert(key, row);
                }
                row
            });
            live.push(Some(row));
        }
        schedule.runs.push(GroupRun { at: first + run, base: Vec::new(), live, overlay: None });
    }
    schedule.finish();
    for (run, prompt) in prompts.iter().enumerate() {
        schedule.add_edits(scope, run, &prompt.interventions, Owner::Run, &[]);
    }
    schedule
}

/// A pass over more tokens behind a captured prompt, from the embedding on.
pub(in crate::run) fn extend(layers: usize, cache: &ActivationCache, prompt: usize, more: usize) -> Schedule {
    let mut schedule = Schedule::empty(layers, cache.places.len(), false);
    let base = cache.prompts[prompt].rows.clone();
    let mut live = vec![None; base.len()];
    for at in 0..more {
        let position = (base.len() + at) as u32;
        schedule.rows.push(Row { run: 0, position, entry: (0, Site::Residual), read: true });
        live.push(Some(at as u32));
    }
    schedule.runs.push(GroupRun { at: 0, base, live, overlay: None });
    schedule.finish();
    schedule
}

/// A run and the entries of its positions.
type Placed = (usize, Vec<Option<Place>>);

/// Passes over patched runs, heaviest first, at most `most` rows each where runs are not longer themselves. Runs that take
/// numbers from each other share a pass.
pub(in crate::run) fn resumes(scope: &Scope<'_>, request: &Request<'_>, most: usize) -> Vec<Schedule> {
    let Some(cache) = scope.cache else { return Vec::new() };
    let ground = Ground { net: scope.net, cache, overlays: request.overlays };
    let lent = lent(request);
    let mut units: Vec<Vec<Placed>> = Vec::new();
    let mut unit_of: Vec<usize> = Vec::with_capacity(request.runs.len());
    for (at, run) in request.runs.iter().enumerate() {
        let placed = (at, entries(&ground, run, &lent[at]));
        let sources = run.interventions.iter().filter_map(|change| match change.change {
            Change::Replace(Source::Run { run, .. }) | Change::Add(Source::Run { run, .. }) => Some(unit_of[run]),
            _ => None,
        });
        let mut sources: Vec<usize> = sources.collect();
        sources.sort_unstable();
        sources.dedup();
        let Some((&unit, others)) = sources.split_first() else {
            unit_of.push(units.len());
            units.push(vec![placed]);
            continue;
        };
        for &other in others {
            let moved = std::mem::take(&mut units[other]);
            units[unit].extend(moved);
            unit_of.iter_mut().filter(|of| **of == other).for_each(|of| *of = unit);
        }
        unit_of.push(unit);
        units[unit].push(placed);
    }
    units.retain(|unit| !unit.is_empty());
    let first = |unit: &Vec<Placed>| unit.iter().flat_map(|(_, entries)| entries.iter().flatten()).min().copied();
    units.sort_by_key(|unit| (first(unit), unit[0].0));
    let rows = |unit: &Vec<Placed>| unit.iter().flat_map(|(_, entries)| entries).flatten().count();
    let mut out = Vec::new();
    let mut rest = units.as_slice();
    while !rest.is_empty() {
        let mut sum = 0;
        let fits = rest.iter().take_while(|unit| {
            sum += rows(unit);
            sum <= most
        });
        let (group, others) = rest.split_at(fits.count().max(1));
        out.push(resume(scope, request, group.concat(), &lent));
        rest = others;
    }
    out
}

/// Rows of all passes over patched runs together, a few that no pass needs in its last block among them; and the most
/// blocks that a row goes through.
pub(in crate::run) fn rows(scope: &Scope<'_>, request: &Request<'_>) -> (usize, usize) {
    let Some(cache) = scope.cache else { return (0, 0) };
    let ground = Ground { net: scope.net, cache, overlays: request.overlays };
    let (mut rows, mut blocks) = (0, 0);
    for (run, lent) in request.runs.iter().zip(&lent(request)) {
        for (layer, _) in entries(&ground, run, lent).into_iter().flatten() {
            rows += 1;
            blocks = blocks.max(scope.net.shape.layers + 1 - layer.max(1));
        }
    }
    (rows, blocks)
}

/// What runs need that the cache does not have, in words.
pub(in crate::run) fn lacks(scope: &Scope<'_>, request: &Request<'_>) -> Option<String> {
    let cache = scope.cache?;
    let ground = Ground { net: scope.net, cache, overlays: request.overlays };
    let lacks = |place: &Place| needs(*place).into_iter().find(|&(layer, site)| !cache.has(layer, site));
    let lent = lent(request);
    let all: Vec<_> = request.runs.iter().zip(&lent).map(|(run, lent)| entries(&ground, run, lent)).collect();
    for (run, entries) in request.runs.iter().zip(&all) {
        // What a run takes from a position of another one that is as it was captured.
        for change in &run.interventions {
            if let Change::Replace(Source::Run { run, position }) | Change::Add(Source::Run { run, position }) =
                change.change
            {
                let place = (change.layer, change.site);
                let mut from = position..position + change.positions.len();
                let captured = |at: usize| all[run].get(at).copied().flatten().is_none_or(|entry| entry > place);
                if from.any(captured) && !cache.has(place.0, place.1) {
                    return Some(format!("layer {}: the {}", place.0, place.1.name()));
                }
            }
        }
        let layers = entries.iter().map(|entry| entry.map(|(layer, _)| layer));
        // Where not all positions enter together, later ones see captured keys of earlier ones.
        let together = layers.clone().all(|layer| layer.is_some() && Some(layer) == layers.clone().next());
        let lowest = layers.flatten().min().map_or(scope.net.shape.layers, |layer| layer.max(1));
        if !together && !cache.keeps_attention(lowest) {
            return Some(format!("layer {lowest}: keys and values"));
        }
        if let Some((layer, site)) = entries.iter().flatten().find_map(lacks) {
            return Some(format!("layer {layer}: the {}", site.name()));
        }
    }
    None
}

/// For each run: its positions that others take numbers from.
fn lent(request: &Request<'_>) -> Vec<Vec<usize>> {
    let mut lent = vec![Vec::new(); request.runs.len()];
    for change in request.runs.iter().flat_map(|run| &run.interventions) {
        if let Change::Replace(source) | Change::Add(source) = change.change
            && let Source::Run { run, position } = source
        {
            lent[run].extend(position..position + change.positions.len());
        }
    }
    lent
}

fn resume(scope: &Scope<'_>, request: &Request<'_>, mut placed: Vec<Placed>, lent: &[Vec<usize>]) -> Schedule {
    let cache = scope.cache.expect("a request has a cache");
    // Without captured keys the pass' own are numbered from 0.
    let base_rows = if cache.keeps_attention(scope.net.shape.layers) { cache.places.len() } else { 0 };
    let mut schedule = Schedule::empty(scope.net.shape.layers, base_rows, true);
    // Runs in the order of their first rows, so that the first rows belong to the first runs.
    placed.sort_by_key(|(at, entries)| (entries.iter().flatten().min().copied(), *at));
    for (number, (at, entries)) in placed.iter().enumerate() {
        let run = &request.runs[*at];
        for (position, entry) in entries.iter().enumerate() {
            // What others take goes on like what is read.
            let read = run.reads.iter().any(|read| read.position == position) || lent[*at].contains(&position);
            // In the last block a row that is not read is a key at most.
            let Some(entry) = entry.filter(|&entry| read || entry < (schedule.layers, Site::Query)) else { continue };
            schedule.rows.push(Row { run: number as u32, position: position as u32, entry, read });
        }
        let base = cache.prompts[run.prompt].rows[..entries.len()].to_vec();
        let live = vec![None; entries.len()];
        schedule.runs.push(GroupRun { at: *at, base, live, overlay: run.overlay });
    }
    schedule.rows.sort_by_key(|row| (row.entry, row.run, row.position));
    for (at, row) in schedule.rows.iter().enumerate() {
        schedule.runs[row.run as usize].live[row.position as usize] = Some(at as u32);
    }
    schedule.finish();
    // In the request's order, so that a run finds what it takes from an earlier one changed already.
    let mut order: Vec<usize> = (0..placed.len()).collect();
    order.sort_by_key(|&number| placed[number].0);
    let places: Vec<(usize, usize)> = schedule.runs.iter().enumerate().map(|(number, run)| (run.at, number)).collect();
    for number in order {
        let run = &request.runs[placed[number].0];
        let kept = &cache.prompts[run.prompt].interventions;
        schedule.add_edits(scope, number, kept, Owner::Prompt, &places);
        schedule.add_edits(scope, number, &run.interventions, Owner::Run, &places);
    }
    schedule
}

/// Whose changes they are: the prompt's are in what was captured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Prompt,
    Run,
}

impl Schedule {
    fn empty(layers: usize, base_rows: usize, narrows: bool) -> Self {
        Self {
            layers,
            runs: Vec::new(),
            rows: Vec::new(),
            positions: Vec::new(),
            edits: BTreeMap::new(),
            brought: BTreeMap::new(),
            base_rows,
            narrows,
            reads_before: Vec::new(),
        }
    }

    /// Only these rows go on in the last block.
    pub(in crate::run) fn narrow(&mut self, read: impl Fn(u32) -> bool) {
        self.narrows = true;
        self.rows.iter_mut().enumerate().for_each(|(at, row)| row.read = read(at as u32));
        self.finish();
    }

    /// What follows from the rows.
    fn finish(&mut self) {
        self.positions = self.rows.iter().map(|row| row.position).collect();
        let mut reads = 0;
        let before = self.rows.iter().map(|row| {
            let before = reads;
            reads += u32::from(row.read);
            before
        });
        self.reads_before = before.collect();
    }

    /// Changes of a run; `places` says which run of the group is which of the request.
    fn add_edits(
        &mut self,
        scope: &Scope<'_>,
        run: usize,
        changes: &[Intervention],
        owner: Owner,
        places: &[(usize, usize)],
    ) {
        // What is multiplied by one is only looked at (`gradient::with_wanted`): its row enters, and nothing is done to it.
        for change in changes.iter().filter(|change| change.change != Change::Scale(1.0)) {
            let place = (change.layer, change.site);
            for (offset, position) in change.positions.clone().enumerate() {
                let Some(row) = self.runs[run].live.get(position).copied().flatten() else { continue };
                let entry = self.rows[row as usize].entry;
                let (entered, brings) = match owner {
                    // What was captured has the prompt's own changes up to where the row enters.
                    Owner::Prompt => (entry < place, false),
                    Owner::Run => {
                        let brings = change.site == Site::Attention && entry.0 == change.layer && entry > place;
                        (entry <= place, brings)
                    }
                };
                if !entered && !brings {
                    continue;
                }
                let Some(shown) = self.shown(row, if brings { entry } else { place }) else { continue };
                let columns = scope.columns(change);
                let made = self.made(scope, change, offset, columns.start, owner, places);
                let edit = RowChange { run: self.runs[run].at, row: shown, columns, change: made };
                match brings {
                    true => self.brought.entry(change.layer).or_default().push(edit),
                    false => self.edits.entry(place).or_default().push(edit),
                }
            }
        }
    }

    fn made(
        &self,
        scope: &Scope<'_>,
        change: &Intervention,
        offset: usize,
        column: usize,
        owner: Owner,
        places: &[(usize, usize)],
    ) -> RowOp {
        let place = (change.layer, change.site);
        let cached = |prompt: usize, position: usize, at| {
            let cache = scope.cache.expect("checked: only patched runs take captured numbers");
            RowSource::Cache(at, cache.row(prompt, position))
        };
        let constants = match (owner, scope.cache) {
            (Owner::Prompt, Some(cache)) => &cache.constants,
            _ => scope.constants,
        };
        // A constant as wide as the site gives the same columns, one as wide as the columns gives itself.
        let first = if constants.width == scope.width(change.layer, change.site) { column as u32 } else { 0 };
        let origin = |source: Source| match source {
            Source::Cached { prompt, position, at } => cached(prompt, position + offset, at.unwrap_or(place)),
            Source::Constant(row) if owner == Owner::Prompt => RowSource::Kept((row + offset) as u32, first),
            Source::Constant(row) => RowSource::Constant((row + offset) as u32, first),
            Source::Run { run, position } => {
                let (_, number) = places.iter().find(|(at, _)| *at == run).expect("runs that are linked share a group");
                let other = &self.runs[*number];
                let row = other.live.get(position + offset).copied().flatten();
                let there = row.filter(|&row| self.rows[row as usize].entry <= place);
                match there.and_then(|row| self.shown(row, place)) {
                    Some(row) => RowSource::Live(row),
                    // There the other run is what was captured.
                    None => RowSource::Cache(place, other.base[position + offset]),
                }
            }
        };
        match change.change {
            Change::Zero => RowOp::Zero,
            Change::Scale(factor) => RowOp::Scale(factor),
            Change::Replace(source) => RowOp::Replace(origin(source)),
            Change::Add(source) => RowOp::Add(origin(source)),
        }
    }
}
