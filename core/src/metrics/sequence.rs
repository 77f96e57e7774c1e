//! Edits one after the other: what is left of the earlier ones, of facts that nobody edited, and of the model's language
//! (METHODS, section 4).

use super::{Measure, Scores, Share, scores};
use crate::record::{Checkpoint, Record, Sequence};
use serde::Serialize;

/// Perplexity that counts as collapse, in units of the unedited model's.
pub const BROKEN_TEXT: f64 = 2.0;
/// Share of the facts that nobody edited below which a model counts as collapsed.
pub const BROKEN_FACTS: f64 = 0.5;

/// The model after so many edits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SequencePoint {
    /// Edits in force.
    pub edits: usize,
    /// The model gives no finite numbers any more.
    pub broken: bool,
    /// All of them, measured now.
    pub scores: Scores,
    /// Facts that the sequence does not edit whose most probable token is still the answer's first.
    pub untouched: Option<Share>,
    /// On the text, unedited and now.
    pub perplexity: Option<[f64; 2]>,
    /// `‖ΔW‖ / ‖W‖` of all changes.
    pub relative_norm: f64,
}

impl SequencePoint {
    /// Of a checkpoint.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        let kept = checkpoint.untouched.iter().filter(|one| !one.flipped).count();
        Self {
            edits: checkpoint.edits,
            broken: checkpoint.broken.is_some(),
            scores: scores(&checkpoint.edited),
            untouched: Share::new(kept, checkpoint.untouched.len()),
            perplexity: checkpoint.perplexity.map(|both| both.map(f64::from)),
            relative_norm: f64::from(checkpoint.relative_norm),
        }
    }

    /// The mean of a measure over the edits in force.
    pub fn mean(&self, measure: Measure) -> Option<f64> {
        let (_, [_, after]) = self.scores.measures.iter().find(|(one, _)| *one == measure)?;
        after.map(|mean| mean.mean)
    }

    /// The model gives no numbers any more, no longer writes its language, or has lost most facts that nobody edited.
    pub fn is_collapsed(&self) -> bool {
        let text = self.perplexity.is_some_and(|[before, now]| now > BROKEN_TEXT * before);
        self.broken || text || self.untouched.is_some_and(|kept| kept.share < BROKEN_FACTS)
    }
}

/// A sequence of edits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SequenceSummary {
    /// The method, for people.
    pub method: String,
    /// The layer of all its edits; each fact's dominant one where there is none.
    pub layer: Option<usize>,
    /// Edits that failed.
    pub failed: usize,
    /// The checkpoints.
    pub points: Vec<SequencePoint>,
    /// The first checkpoint at which the model is collapsed ([`SequencePoint::is_collapsed`]), as its number of edits.
    pub collapse: Option<usize>,
}

impl SequenceSummary {
    /// What became of the model in one sentence; `None` before the first checkpoint.
    pub fn sentence(&self) -> Option<String> {
        let last = self.points.last()?;
        let edits = |count: usize| format!("{count} edit{}", if count == 1 { "" } else { "s" });
        let made = format!("{}, {} in sequence", self.method, edits(last.edits));
        if last.broken {
            return Some(format!("{made}: the model no longer gives finite numbers."));
        }
        let share = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{:.0}", 100.0 * value));
        let kept = match last.untouched {
            Some(kept) => format!("{} of {} unedited facts kept", kept.count, kept.of),
            None => "no unedited facts".to_owned(),
        };
        let text = last.perplexity.map(|[before, now]| format!(", perplexity {before:.1} → {now:.1}"));
        let end = match self.collapse {
            Some(count) => format!("collapsed after {}", edits(count)),
            None => "no collapse".to_owned(),
        };
        Some(format!(
            "{made}: ES {}, NS {}, {kept}{}; {end}.",
            share(last.mean(Measure::Es)),
            share(last.mean(Measure::Ns)),
            text.unwrap_or_default(),
        ))
    }
}

/// Each sequence of a record; none where edits start from the unedited model.
pub fn sequence_summaries(record: &Record) -> Vec<SequenceSummary> {
    let one = |sequence: &Sequence| {
        let method = record.settings.edit.methods.get(sequence.method)?.title();
        let points: Vec<SequencePoint> = sequence.checkpoints.iter().map(SequencePoint::of).collect();
        let edits = sequence.steps.iter().flat_map(|step| &step.edits);
        Some(SequenceSummary {
            method,
            layer: sequence.layer,
            failed: edits.filter(|edit| edit.failed.is_some()).count(),
            collapse: points.iter().find(|point| point.is_collapsed()).map(|point| point.edits),
            points,
        })
    };
    record.sequences.iter().filter_map(one).collect()
}
