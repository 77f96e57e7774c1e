//! What all segments together have: which units are there, which are missing, and the record that they make.

use super::plan::Plan;
use super::segment::{Line, Reader};
use super::unit::{Body, Shard, Unit};
use crate::error::{Error, Result};
use crate::facts::{FactFile, shuffled};
use crate::record::{Outcome, Record, Sequence, ShardRun};
use crate::study::begun::is_whole;
use crate::study::edits::{Chosen, chosen, edit_parts};
use crate::study::sequences::{Wanted, wanted};
use crate::study::work::l_star;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

mod progress;

pub use progress::Share;

/// A unit that is there.
#[derive(Debug, Clone)]
struct Done {
    body: String,
    seconds: f64,
    /// Which segment.
    by: usize,
}

/// A plan, its facts, and all that its segments have.
pub struct Known {
    /// The plan.
    pub plan: Plan,
    /// Its facts.
    pub facts: FactFile,
    /// Their places in the file, in study order.
    order: Vec<usize>,
    folder: PathBuf,
    readers: Vec<Reader>,
    units: BTreeMap<Unit, Done>,
    /// Of each chunk that is screened the orders of facts that pass.
    passed: BTreeMap<usize, Vec<usize>>,
}

/// How far the facts before a chunk, or a group of it, are known.
pub(super) struct Before {
    /// So many pass.
    pub(super) surely: usize,
    /// And so many of those that nobody has screened yet may.
    pub(super) perhaps: usize,
    /// The first chunk of these.
    pub(super) unknown: Option<usize>,
}

/// Units that a wave lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The wave.
    pub wave: u8,
    /// Its units, as far as they are known.
    pub units: Vec<Unit>,
    /// Into how many shards the study was divided last.
    pub of: usize,
}

impl Missing {
    /// The shards that own them.
    pub fn owners(&self) -> BTreeSet<Shard> {
        self.units.iter().map(|unit| Shard::owner(*unit, self.of)).collect()
    }
}

impl Known {
    /// Reads a plan, its facts and its segments.
    ///
    /// # Errors
    /// When one of them cannot be read, is of another plan, or two segments have different results of one unit.
    pub fn open(path: &Path) -> Result<Self> {
        let plan = Plan::read(path)?;
        let facts = plan.facts(path)?;
        let order = shuffled(facts.facts.len(), plan.header.settings.seed);
        let folder = Plan::segments(path);
        let (readers, units, passed) = Default::default();
        let mut known = Self { plan, facts, order, folder, readers, units, passed };
        known.refresh()?;
        Ok(known)
    }

    /// Reads what has come since.
    ///
    /// # Errors
    /// As [`Known::open`].
    pub fn refresh(&mut self) -> Result<()> {
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => Vec::new(),
        };
        paths.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
        paths.retain(|path| !self.readers.iter().any(|reader| reader.path == *path));
        paths.sort();
        self.readers.extend(paths.into_iter().map(Reader::new));
        for by in 0..self.readers.len() {
            let lines = self.readers[by].more()?;
            if let Some(header) = &self.readers[by].header
                && header.plan != self.plan.id
            {
                let place = self.readers[by].path.display();
                return Err(Error::input(format!("{place}: it is of another plan")).hint("move it away"));
            }
            for line in lines {
                self.take(by, line)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, by: usize, Line { unit, seconds, body }: Line) -> Result<()> {
        match self.units.get(&unit) {
            None => {
                if let Unit::Screened(chunk) = unit {
                    let Body::Screened { passed, .. } = self.parsed(by, unit, &body)? else {
                        return Err(self.strange(by, unit));
                    };
                    self.passed.insert(chunk, passed);
                }
                self.units.insert(unit, Done { body, seconds, by });
                Ok(())
            }
            Some(known) if known.body == body => Ok(()),
            Some(known) => {
                let by = [known.by, by].map(|by| self.named(by));
                Err(Error::input(format!("unit {unit} has two different results: of {} and of {}", by[0], by[1]))
                    .hint("one of the two machines computes otherwise: move its segments away, and run the missing units again"))
            }
        }
    }

    fn named(&self, by: usize) -> String {
        let reader = &self.readers[by];
        let name = reader.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match &reader.header {
            Some(header) => format!("shard {} on {} ({}, {name})", header.shard, header.host, header.device.name),
            None => name,
        }
    }

    fn strange(&self, by: usize, unit: Unit) -> Error {
        let place = self.readers[by].path.display();
        Error::input(format!("{place}: unit {unit} is not what its name says")).hint("move the file away")
    }

    fn parsed(&self, by: usize, unit: Unit, body: &str) -> Result<Body> {
        let place = self.readers[by].path.display();
        let wrong = |error| Error::input(format!("{place}: unit {unit}: {error}")).hint("move the file away");
        serde_json::from_str(body).map_err(wrong)
    }

    fn body(&self, unit: Unit) -> Result<Body> {
        let done = self.units.get(&unit).ok_or_else(|| Error::input(format!("unit {unit} is missing")))?;
        self.parsed(done.by, unit, &done.body)
    }

    /// A unit is there.
    pub fn has(&self, unit: Unit) -> bool {
        self.units.contains_key(&unit)
    }

    /// The places in study order of a chunk's facts.
    pub(super) fn chunk(&self, number: usize) -> Range<usize> {
        let size = self.plan.header.settings.screen_batch.max(1);
        (number * size).min(self.order.len())..((number + 1) * size).min(self.order.len())
    }

    pub(super) fn chunks(&self) -> usize {
        self.order.len().div_ceil(self.plan.header.settings.screen_batch.max(1))
    }

    /// How far the facts of the chunks before this one are known.
    pub(super) fn before(&self, chunk: usize) -> Before {
        let mut before = Before { surely: 0, perhaps: 0, unknown: None };
        for number in 0..chunk {
            match self.passed.get(&number) {
                Some(passed) => before.surely += passed.len(),
                None => {
                    before.perhaps += self.chunk(number).len();
                    before.unknown.get_or_insert(number);
                }
            }
        }
        before
    }

    /// Facts of a group of a chunk, if there is such a group.
    pub(super) fn group(&self, chunk: usize, number: usize) -> Option<usize> {
        self.groups(chunk).nth(number).map(|(_, facts)| facts.len())
    }

    /// The groups of a chunk that is screened, by their number and their facts.
    fn groups(&self, chunk: usize) -> impl Iterator<Item = (usize, &[usize])> {
        let size = self.plan.header.settings.trace_batch.max(1);
        self.passed.get(&chunk).into_iter().flat_map(move |passed| passed.chunks(size)).enumerate()
    }

    /// Units that a wave lacks, where those before it lack none; as far as that is known now.
    ///
    /// # Errors
    /// When a segment cannot be understood.
    pub fn missing(&self, wave: u8) -> Result<Option<Missing>> {
        let units = match wave {
            1 => self.first(),
            _ => self.later(wave)?,
        };
        Ok((!units.is_empty()).then(|| Missing { wave, units, of: self.divided() }))
    }

    /// The first wave that is not whole, and what it lacks.
    ///
    /// # Errors
    /// As [`Known::missing`].
    pub fn unfinished(&self, before: u8) -> Result<Option<Missing>> {
        for wave in 1..before {
            if let Some(missing) = self.missing(wave)? {
                return Ok(Some(missing));
            }
        }
        Ok(None)
    }

    /// Into how many shards the study was divided last.
    fn divided(&self) -> usize {
        let newest = self.readers.iter().max_by_key(|reader| written(&reader.path));
        let shard = newest.and_then(|reader| reader.header.as_ref()?.shard.parse::<Shard>().ok());
        shard.map_or(1, |shard| shard.of)
    }

    fn first(&self) -> Vec<Unit> {
        let (n, mut counted, mut missing) = (self.plan.header.settings.n, 0, Vec::new());
        for chunk in 0..self.chunks() {
            if counted >= n {
                break;
            }
            if !self.passed.contains_key(&chunk) {
                missing.push(Unit::Screened(chunk));
            }
            for (number, group) in self.groups(chunk) {
                if counted < n && !self.has(Unit::Traced(chunk, number)) {
                    missing.push(Unit::Traced(chunk, number));
                }
                counted += group.len();
            }
        }
        missing
    }

    fn later(&self, wave: u8) -> Result<Vec<Unit>> {
        let record = self.traced()?;
        let settings = &record.settings;
        let mut units = Vec::new();
        let orders: Vec<usize> = record.validated().map(|(fact, _)| fact.order).collect();
        let groups = |count: usize| 0..count.div_ceil(settings.trace_batch.max(1));
        let chosen = self.chosen(&record);
        let (third, several) = (settings.stages.contains(&3), settings.edit.sequence > 0);
        if wave == 2 {
            units.extend(orders.iter().take(settings.maps).map(|&order| Unit::Maps(order)));
            if settings.positions.iter().any(|&position| l_star(&record, position).is_some()) {
                units.extend(groups(orders.len()).map(Unit::Redundancy));
            }
            if third && !several && settings.edit.layers.is_sweep() {
                units.extend(groups(chosen.len()).map(Unit::Mlp));
            }
            if third && settings.edit.needs_second_moment() {
                let layers: BTreeSet<usize> = chosen.iter().flat_map(|one| one.layers.iter().copied()).collect();
                units.extend(layers.into_iter().map(Unit::SecondMoment));
            }
        }
        units.retain(|unit| !self.has(*unit));
        if third && wave == self.plan.waves {
            if several {
                let all = wanted(&chosen, &settings.edit, record.model.layers);
                for (place, wanted) in all.iter().enumerate() {
                    let (sequence, lines) = self.sequence(place, wanted)?;
                    if !is_whole(&sequence, wanted) {
                        units.push(Unit::Sequence(place, lines));
                    }
                }
            } else {
                let parts = edit_parts(&chosen, &settings.edit, &self.plan.at_once).len();
                units.extend((0..parts).map(Unit::Edits).filter(|unit| !self.has(*unit)));
            }
        }
        Ok(units)
    }

    /// What is there of a sequence, changes of the weights included, and in how many lines.
    pub(super) fn sequence(&self, place: usize, wanted: &Wanted) -> Result<(Sequence, usize)> {
        let mut sequence = Sequence { method: wanted.method, layer: wanted.layer, ..Sequence::default() };
        for number in 0.. {
            let unit = Unit::Sequence(place, number);
            if !self.has(unit) {
                return Ok((sequence, number));
            }
            let Body::Sequence(line) = self.body(unit)? else { return Err(self.strange(self.units[&unit].by, unit)) };
            sequence.steps.extend(line.step);
            sequence.checkpoints.extend(line.checkpoint);
        }
        unreachable!("some line is the first that is not there")
    }

    /// The facts that are edited.
    pub(super) fn chosen(&self, record: &Record) -> Vec<Chosen<'_>> {
        chosen(record, &self.facts, &self.order)
    }

    /// The record after the first wave: facts up to the n-th that passes, with their curves.
    pub(super) fn traced(&self) -> Result<Record> {
        let mut record = self.plan.header.clone();
        let (n, mut validated) = (record.settings.n, 0);
        for chunk in 0..self.chunks() {
            if validated == n {
                break;
            }
            let unit = Unit::Screened(chunk);
            let Body::Screened { dropped, passed } = self.body(unit)? else {
                return Err(self.strange(self.units[&unit].by, unit));
            };
            let mut facts: BTreeMap<usize, _> = dropped.into_iter().map(|fact| (fact.order, fact)).collect();
            for (number, group) in self.groups(chunk) {
                if validated == n {
                    break;
                }
                let unit = Unit::Traced(chunk, number);
                let Body::Traced(traced) = self.body(unit)? else {
                    return Err(self.strange(self.units[&unit].by, unit));
                };
                if !traced.iter().map(|fact| &fact.order).eq(group) {
                    return Err(self.strange(self.units[&unit].by, unit));
                }
                let more = traced.into_iter().take(n - validated);
                let before = facts.len();
                facts.extend(more.map(|fact| (fact.order, fact)));
                validated += facts.len() - before;
            }
            let last = facts.values().rfind(|fact| matches!(fact.outcome, Outcome::Validated(_)));
            // The study ends with the n-th fact that passes.
            let end = match validated == n {
                true => last.map_or(0, |fact| fact.order + 1),
                false => self.chunk(chunk).end,
            };
            let whole = facts.len() - facts.range(end..).count() == end - self.chunk(chunk).start;
            if !whole || passed.iter().any(|order| !self.chunk(chunk).contains(order)) {
                return Err(self.strange(self.units[&unit].by, unit));
            }
            record.facts.extend(facts.into_values().filter(|fact| fact.order < end));
        }
        Ok(record)
    }

    /// The record that all units make.
    ///
    /// # Errors
    /// When one is missing, or not what its name says.
    pub fn record(&self) -> Result<Record> {
        let mut record = self.traced()?;
        let settings = record.settings.clone();
        let strange = |unit: Unit| self.strange(self.units[&unit].by, unit);
        for unit in self.units.keys().copied() {
            let traced = |record: &mut Record, order: usize| record.facts.get_mut(order).map(|fact| fact.order);
            match (unit, self.body(unit)?) {
                (Unit::Maps(order), Body::Maps { maps, lens }) if traced(&mut record, order).is_some() => {
                    let fact = record.facts[order].traced_mut().ok_or_else(|| strange(unit))?;
                    (fact.maps, fact.lens) = (Some(*maps), Some(*lens));
                }
                (Unit::Redundancy(_), Body::Redundancy(lines)) => {
                    for line in lines {
                        let fact = record.facts.get_mut(line.fact).and_then(|fact| fact.traced_mut());
                        fact.ok_or_else(|| strange(unit))?.redundancy.insert(line.position, line.curve);
                    }
                }
                (Unit::Mlp(_), Body::Mlp(lines)) => {
                    for line in lines {
                        let fact = record.facts.get_mut(line.fact).and_then(|fact| fact.traced_mut());
                        fact.ok_or_else(|| strange(unit))?.patched_mlp = line.patched;
                    }
                }
                _ => {}
            }
        }
        if settings.stages.contains(&3) {
            let chosen = self.chosen(&record);
            if settings.edit.sequence > 0 {
                for (place, wanted) in wanted(&chosen, &settings.edit, record.model.layers).iter().enumerate() {
                    record.sequences.push(self.sequence(place, wanted)?.0);
                }
                record.forget_changes();
            } else {
                let mut edits = Vec::new();
                for part in 0..edit_parts(&chosen, &settings.edit, &self.plan.at_once).len() {
                    let unit = Unit::Edits(part);
                    let Body::Edits(more) = self.body(unit)? else { return Err(strange(unit)) };
                    edits.extend(more);
                }
                record.edits = Some(edits);
            }
        }
        record.runs = self.runs();
        Ok(record)
    }

    /// Who has computed what.
    fn runs(&self) -> Vec<ShardRun> {
        let run = |share: Share| ShardRun {
            shard: share.header.shard,
            host: share.header.host,
            device: share.header.device,
            program: share.header.program,
            units: share.units,
            seconds: share.seconds,
        };
        self.shares().into_iter().filter(|share| share.units > 0).map(run).collect()
    }
}

fn written(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|about| about.modified()).ok()
}
