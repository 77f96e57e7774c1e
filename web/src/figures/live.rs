//! A study while it runs: the record so far, made from the engine's news, and how far each phase is.

use super::bytes::clock;
use super::progress::{Bar, PHASES, Track};
use crate::words;
use engram_core::protocol::{Event, StudyPhase};
use engram_core::record::Record;

/// A study that runs, or is paused.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Its key in the browser's storage.
    pub key: String,
    /// The record so far.
    pub record: Record,
    /// The phases, in the order of [`PHASES`].
    pub tracks: [Track; PHASES.len()],
    /// When this run began, in seconds.
    pub since: f64,
}

impl Live {
    /// A study that begins, or goes on with what its journal has.
    pub fn new(key: String, record: Record, second: f64) -> Self {
        Self { key, record, tracks: [Track::default(); PHASES.len()], since: second }
    }

    /// News of the engine: what is finished is kept once, however often it comes.
    pub fn hear(&mut self, news: &Event, second: f64) {
        match news {
            Event::Progress { phase, done, of } => self.progress(*phase, *done, *of, second),
            news => news.put_into(&mut self.record),
        }
    }

    /// News of a phase. Those before it are over, whatever was last heard of them.
    fn progress(&mut self, phase: StudyPhase, done: usize, of: usize, second: f64) {
        if let Some(at) = PHASES.iter().position(|one| *one == phase) {
            self.tracks[at].heard(done, of, second);
        }
    }

    /// The phases that the study has.
    pub fn phases(record: Option<&Record>) -> Vec<StudyPhase> {
        let editing = record.is_none_or(|record| record.settings.stages.contains(&3));
        let second = record.is_some_and(|record| record.settings.edit.needs_second_moment());
        let sweep = record.is_some_and(|record| record.settings.edit.layers.is_sweep());
        let wanted = |phase: &StudyPhase| match phase {
            StudyPhase::Trace | StudyPhase::Redundancy => true,
            StudyPhase::Mlp => editing && sweep,
            StudyPhase::SecondMoment => editing && second,
            StudyPhase::Optimize | StudyPhase::Edit => editing,
        };
        PHASES.into_iter().filter(wanted).collect()
    }

    /// A phase as a bar; `now` in seconds while the study runs.
    pub fn bar(&self, phase: StudyPhase, now: Option<f64>) -> Bar {
        let at = PHASES.iter().position(|one| *one == phase).unwrap_or(0);
        self.tracks[at].bar(phase, now)
    }

    /// Validated and wanted facts.
    pub fn validated(&self) -> (usize, usize) {
        (self.record.validated().count(), self.record.settings.n)
    }

    /// The whole in one sentence, for a live region: it changes only when a phase does, or every tenth of the facts.
    pub fn milestone(&self) -> String {
        let current = PHASES.iter().zip(&self.tracks).rev().find(|(_, track)| track.begun());
        let name = words::visible(&self.record.model.name);
        let Some((phase, track)) = current else { return format!("The study of {name} begins") };
        let tenth = (track.done * 10).checked_div(track.of).unwrap_or(10);
        format!("{name}: {}, {} %", super::progress::phase(*phase).0, tenth * 10)
    }

    /// How long this run has taken.
    pub fn pace(&self, now: f64) -> String {
        format!("{} so far in this run", clock(now - self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::journal::RedundancyLine;
    use engram_core::record::{PatchPosition, RedundancyCurve};

    #[test]
    fn news_make_the_record() {
        let whole = sample::record();
        let header = Record { facts: Vec::new(), edits: None, ..whole.clone() };
        let mut live = Live::new("k".into(), header, 10.0);
        assert_eq!(live.milestone(), "The study of tiny begins");
        for fact in &whole.facts {
            live.hear(&Event::Fact(Box::new(fact.clone())), 0.0);
        }
        live.hear(&Event::Fact(Box::new(whole.facts[0].clone())), 0.0);
        for edit in whole.edits.iter().flatten() {
            live.hear(&Event::StudyEdit(Box::new(edit.clone())), 0.0);
            live.hear(&Event::StudyEdit(Box::new(edit.clone())), 0.0);
        }
        assert_eq!(live.record, whole);
        let curve = RedundancyCurve { ablated: 2, patched: vec![Some(0.1), None, None, None] };
        live.hear(
            &Event::StudyRedundancy(RedundancyLine {
                fact: 0,
                position: PatchPosition::SubjectLast,
                curve: curve.clone(),
            }),
            0.0,
        );
        live.hear(
            &Event::StudyRedundancy(RedundancyLine {
                fact: 1,
                position: PatchPosition::SubjectLast,
                curve: curve.clone(),
            }),
            0.0,
        );
        let found = live.record.facts[0].traced().and_then(|t| t.redundancy.get(&PatchPosition::SubjectLast));
        assert_eq!(found, Some(&curve));
        assert_eq!(live.validated(), (2, 100));
    }

    #[test]
    fn edits_of_a_fact_at_several_layers_are_several() {
        let whole = sample::swept("a");
        let mut live = Live::new("k".into(), Record { edits: None, ..whole.clone() }, 0.0);
        for edit in whole.edits.iter().flatten().chain(whole.edits.iter().flatten().take(5)) {
            live.hear(&Event::StudyEdit(Box::new(edit.clone())), 0.0);
        }
        assert_eq!(live.record.edits, whole.edits);
    }

    #[test]
    fn phases_have_bars() {
        let mut live = Live::new("k".into(), sample::record(), 0.0);
        live.progress(StudyPhase::Trace, 50, 100, 1.0);
        live.progress(StudyPhase::Trace, 60, 100, 2.0);
        assert_eq!(Live::phases(Some(&live.record)).len(), 4);
        assert_eq!(live.bar(StudyPhase::Trace, Some(2.0)).share, Some(0.6));
        assert_eq!(live.milestone(), "tiny: Screening and tracing, 60 %");
        live.record.settings.stages = vec![1];
        assert_eq!(Live::phases(Some(&live.record)), [StudyPhase::Trace, StudyPhase::Redundancy]);
        assert_eq!(live.pace(65.0), "1 min 5 s so far in this run");
    }
}
