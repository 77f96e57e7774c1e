//! How far shards are, who computes what, how long the rest takes.

use super::super::segment::{Header, Reader};
use super::super::unit::Unit;
use super::{Known, written};
use crate::facts::Fact;
use std::time::{Duration, SystemTime};

/// Runs that ablate a layer of a traced fact: without its block, its MLP, its attention.
const ABLATIONS: f64 = 3.0;
/// Maps of a fact.
const MAPS: f64 = 3.0;
/// Of English, with the tokenizers of today's models.
const TOKENS_PER_WORD: f64 = 1.4;
/// A process that has written so recently is taken to be at work.
const RECENT: Duration = Duration::from_secs(120);

/// What one segment has.
#[derive(Debug, Clone)]
pub struct Share {
    /// What it says of itself.
    pub header: Header,
    /// Units that are in no earlier one.
    pub units: usize,
    /// Seconds that all of these took.
    pub seconds: f64,
    /// Seconds of the unit in the middle.
    pub median: f64,
    /// How much longer its units took than those of the same kinds take on average, over all segments.
    pub slower: f64,
    /// When it was last written, by the clock of the disk.
    pub written: Option<SystemTime>,
}

impl Known {
    /// What each segment has.
    pub fn shares(&self) -> Vec<Share> {
        let share = |(by, reader): (usize, &Reader)| {
            let own = || self.units.iter().filter(|(_, done)| done.by == by);
            let mut seconds: Vec<f64> = own().map(|(_, done)| done.seconds).collect();
            seconds.sort_by(f64::total_cmp);
            let usual: f64 = own().filter_map(|(unit, _)| self.mean(*unit)).sum();
            let all: f64 = seconds.iter().sum();
            Some(Share {
                header: reader.header.clone()?,
                units: seconds.len(),
                seconds: all,
                slower: if usual > 0.0 { all / usual } else { 1.0 },
                median: seconds.get(seconds.len() / 2).copied().unwrap_or_default(),
                written: written(&reader.path),
            })
        };
        self.readers.iter().enumerate().filter_map(share).collect()
    }

    /// Seconds that units take one after the other, as far as others of their kind are there to be measured by.
    pub fn seconds_for(&self, units: &[Unit]) -> f64 {
        units.iter().filter_map(|unit| self.mean(*unit)).sum()
    }

    /// Seconds that a unit of a kind takes.
    fn mean(&self, kind: Unit) -> Option<f64> {
        let same = |unit: &Unit| std::mem::discriminant(unit) == std::mem::discriminant(&kind);
        let (count, sum) = self
            .units
            .iter()
            .filter(|(unit, _)| same(unit))
            .fold((0, 0.0), |(count, sum), (_, done)| (count + 1, sum + done.seconds));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// Seconds that Stages 1 and 2 take one machine: screening and tracing from what the first units of each took and from how many
    /// of the first facts pass, second passes and maps from how many runs they are, in runs of a traced fact.
    pub fn estimate(&self) -> Option<[f64; 2]> {
        let screened: usize = self.passed.keys().map(|&chunk| self.chunk(chunk).len()).sum();
        let passed: usize = self.passed.values().map(Vec::len).sum();
        let settings = &self.plan.header.settings;
        let rate = passed as f64 / screened.max(1) as f64;
        let wanted = (settings.n as f64).min(rate * self.order.len() as f64);
        let chunks = (wanted / rate.max(1e-9) / settings.screen_batch.max(1) as f64).ceil().min(self.chunks() as f64);
        let groups = (wanted / settings.trace_batch.max(1) as f64).ceil();
        (passed > 0).then_some(())?;
        let traced = groups * self.mean(Unit::Traced(0, 0))?;
        // A traced fact is patched after each layer at each position, and of each layer block, MLP and attention are ablated once.
        let positions = settings.positions.len() as f64;
        let per_fact = positions + ABLATIONS;
        let second = if settings.stages.contains(&2) { traced * positions / per_fact } else { 0.0 };
        let cells = settings.maps as f64 * self.tokens() * MAPS;
        let maps = traced / wanted.max(1.0) * cells / per_fact;
        Some([chunks * self.mean(Unit::Screened(0))? + traced, second + maps])
    }

    /// About how many tokens a prompt has.
    fn tokens(&self) -> f64 {
        let words = |fact: &Fact| fact.prompt().split_whitespace().count();
        let sum: usize = self.facts.facts.iter().map(words).sum();
        TOKENS_PER_WORD * sum as f64 / self.facts.facts.len().max(1) as f64
    }

    /// Another process that computes on the GPU of this one, as far as it is known: both are then slower, which is seldom meant.
    pub fn shares_gpu(&self, own: &Header) -> Option<&Header> {
        let at_work = |reader: &&Reader| {
            let silent = written(&reader.path).and_then(|written| written.elapsed().ok());
            silent.is_some_and(|silent| silent < RECENT)
        };
        let headers = self.readers.iter().filter(at_work).filter_map(|reader| reader.header.as_ref());
        let mut same =
            headers.filter(|other| other.host == own.host && other.pci == own.pci && other.shard != own.shard);
        (!own.pci.is_empty()).then(|| same.next()).flatten()
    }

    /// Facts that are traced, of so many.
    pub fn progress(&self) -> (usize, usize) {
        let groups = self.units.keys().filter(|unit| matches!(unit, Unit::Traced(..)));
        let of = |unit: &Unit| match *unit {
            Unit::Traced(chunk, group) => self.groups(chunk).nth(group).map_or(0, |(_, facts)| facts.len()),
            _ => 0,
        };
        let n = self.plan.header.settings.n;
        (groups.map(of).sum::<usize>().min(n), n)
    }
}
