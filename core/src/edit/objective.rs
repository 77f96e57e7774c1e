//! What a search minimises, as data: a run of a target's prompt in which the value is put in place, and a weighted sum of
//! what is read from it.

use super::editor::EditBatch;
use crate::model::Site;
use crate::run::{Change, Intervention, Metric, PatchedRun, Read, Readout, Source};

/// A scalar of a vector that replaces an activation of one run.
#[derive(Debug, Clone)]
pub(super) struct Objective {
    /// Names the target in errors, and seeds its draws.
    pub(super) id: String,
    /// Prompt of the cache.
    prompt: usize,
    layer: usize,
    position: usize,
    reads: Vec<Read>,
    /// Read, metric, factor.
    terms: Vec<(usize, Metric, f32)>,
}

impl Objective {
    /// `logit(y_true) - logit(y_false)` at the last position, with the MLP's value at the subject's last token replaced.
    pub(super) fn logit_difference(batch: &EditBatch<'_>, target: usize) -> Self {
        let (layer, tokens) = (batch.targets[target].layer, &batch.targets[target].tokens);
        let (plus, minus) = (tokens.answer[0], tokens.answer_new[0]);
        Self {
            id: tokens.id.clone(),
            prompt: target,
            layer,
            position: batch.targets[target].subject_last(),
            reads: vec![Read { position: tokens.clean.len() - 1, tokens: vec![plus, minus] }],
            terms: vec![(0, Metric::LogitDifference { plus, minus }, 1.0)],
        }
    }

    /// The run that takes a row of the request's constants for the value.
    pub(super) fn run(&self, row: usize) -> PatchedRun {
        let (at, change) = (self.position, Change::Replace(Source::Constant(row)));
        let interventions = vec![Intervention::new(self.layer, Site::MlpValue, at..at + 1, change)];
        PatchedRun { prompt: self.prompt, interventions, overlay: None, reads: self.reads.clone() }
    }

    /// Its value, from what that run reads.
    pub(super) fn value(&self, readouts: &[Readout]) -> f32 {
        let term = |&(read, metric, weight): &(usize, Metric, f32)| {
            let value = metric.of(&readouts[read], &self.reads[read].tokens);
            weight * value.expect("an objective reads the tokens that its metrics are of")
        };
        self.terms.iter().map(term).sum()
    }
}
