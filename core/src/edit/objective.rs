//! What a search minimises, as data: runs in which a vector is put in place, and a weighted sum of what is read from them.

use super::editor::EditBatch;
use super::rewriting::Rewriting;
use crate::model::Site;
use crate::record::ValueSearch;
use crate::run::{Change, Intervention, Metric, PatchedRun, Read, Readout, Source, Weighted};

/// A scalar of a vector that replaces an activation of some runs, or is added to it.
#[derive(Debug, Clone)]
pub(super) struct Objective {
    /// Names the target in errors, and seeds its draws.
    pub(super) id: String,
    layer: usize,
    site: Site,
    /// The vector is added; else it replaces what is there.
    adds: bool,
    runs: Vec<Spot>,
    pub(super) terms: Vec<Term>,
}

/// Where the vector goes, and what is read.
#[derive(Debug, Clone)]
struct Spot {
    /// Prompt of the cache.
    prompt: usize,
    position: usize,
    reads: Vec<Read>,
}

/// A part of the sum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    run: usize,
    read: usize,
    metric: Metric,
    pub(super) weight: f32,
    /// It is the divergence, not of the answers.
    pub(super) kl: bool,
}

impl Objective {
    /// `logit(y_true) - logit(y_false)` at the last position, with the MLP's value at the subject's last token replaced.
    pub(super) fn logit_difference(batch: &EditBatch<'_>, target: usize) -> Self {
        let (layer, tokens) = (batch.targets[target].layer, &batch.targets[target].tokens);
        let (plus, minus) = (tokens.answer[0], tokens.answer_new[0]);
        let reads = vec![Read { position: tokens.clean.len() - 1, tokens: vec![plus, minus] }];
        let metric = Metric::LogitDifference { plus, minus };
        Self {
            id: tokens.id.clone(),
            layer,
            site: Site::MlpValue,
            adds: false,
            runs: vec![Spot { prompt: target, position: batch.targets[target].subject_last(), reads }],
            terms: vec![Term { run: 0, read: 0, metric, weight: 1.0, kl: false }],
        }
    }

    /// ROME's: the new answer's mean `-log p` over contexts and tokens, and `kl` times the divergence of what follows the
    /// subject where it is said what it is; a vector is added at the subject's last token.
    pub(super) fn rewriting(
        (id, layer, site): (&str, usize, Site),
        rewriting: &Rewriting,
        search: &ValueSearch,
    ) -> Self {
        let (mut runs, mut terms) = (Vec::new(), Vec::new());
        let count: usize = rewriting.rewritten.iter().map(|one| one.reads.len()).sum();
        for one in &rewriting.rewritten {
            for (read, Read { tokens, .. }) in one.reads.iter().enumerate() {
                let metric = Metric::LogProb { token: tokens[0] };
                terms.push(Term { run: runs.len(), read, metric, weight: -1.0 / count as f32, kl: false });
            }
            runs.push(Spot { prompt: one.prompt, position: one.subject, reads: one.reads.clone() });
        }
        let (prompt, position) = rewriting.essence;
        let metric = Metric::KlTo { prompt, position };
        terms.push(Term { run: runs.len(), read: 0, metric, weight: search.kl, kl: true });
        runs.push(Spot { prompt, position, reads: vec![Read { position, tokens: Vec::new() }] });
        Self { id: id.to_owned(), layer, site, adds: true, runs, terms }
    }

    /// The runs that take a row of the request's constants.
    pub(super) fn runs(&self, row: usize) -> impl Iterator<Item = PatchedRun> {
        let source = Source::Constant(row);
        let change = if self.adds { Change::Add(source) } else { Change::Replace(source) };
        self.runs.iter().map(move |Spot { prompt, position, reads }| {
            let interventions = vec![Intervention::new(self.layer, self.site, *position..position + 1, change)];
            PatchedRun { prompt: *prompt, interventions, overlay: None, reads: reads.clone() }
        })
    }

    /// How many runs they are.
    pub(super) fn count(&self) -> usize {
        self.runs.len()
    }

    /// Its terms, where its first run is `first` of the request.
    pub(super) fn weighted(&self, first: usize) -> impl Iterator<Item = Weighted> {
        self.terms.iter().map(move |&Term { run, read, metric, weight, .. }| Weighted {
            run: first + run,
            read,
            metric,
            weight,
        })
    }

    /// Its value, from what its runs read.
    pub(super) fn value(&self, readouts: &[Vec<Readout>]) -> f32 {
        let term = |&Term { run, read, metric, weight, .. }: &Term| {
            let value = metric.of(&readouts[run][read], &self.runs[run].reads[read].tokens);
            weight * value.expect("an objective reads the tokens that its metrics are of")
        };
        self.terms.iter().map(term).sum()
    }
}
