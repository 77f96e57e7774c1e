//! Searches: the vector that makes an objective small, for all targets in step.

mod adam;
mod spsa;
mod weights;

pub(super) use weights::Adam;

use super::editor::OnStep;
use super::objective::Objective;
use crate::error::Result;
use crate::load::Model;
use crate::run::{ActivationCache, Edited, PatchedRun, Plan, Request, with_halving};
use crate::tensor::Matrix;

/// What is to be minimised.
pub(super) struct Problem<'a> {
    pub(super) model: &'a Model,
    /// The model with the edits that are in force.
    pub(super) edited: Edited<'a>,
    /// What the objectives' runs resume from.
    pub(super) cache: &'a ActivationCache,
    /// One for each target.
    pub(super) objectives: Vec<Objective>,
    /// For each target: the length of the activation that is changed.
    pub(super) norms: Vec<f64>,
    pub(super) seed: u64,
}

/// What a search found for one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub(super) vector: Vec<f32>,
    /// The loss at each evaluation.
    pub(super) loss: Vec<f32>,
    /// Its parts: of the answers, and the divergence, unweighted.
    pub(super) parts: Vec<[f32; 2]>,
    /// Steps after which the vector was cut back to its largest length.
    pub(super) clamped: usize,
}

/// A search over one vector for each target.
pub(super) trait Solver {
    /// Goes from `start`.
    async fn minimise(&self, problem: &Problem<'_>, start: Vec<Vec<f32>>, told: OnStep<'_>) -> Result<Vec<Found>>;
}

impl Problem<'_> {
    /// Runs that take `each` candidates of every target: rows of the constants, target after target.
    pub(super) fn runs(&self, each: usize) -> Vec<PatchedRun> {
        let all = self.objectives.iter().enumerate();
        all.flat_map(|(at, objective)| (0..each).flat_map(move |i| objective.runs(each * at + i))).collect()
    }

    /// The objectives' values of all candidates, in one batch, and the plan that had room for it.
    pub(super) async fn losses(
        &self,
        runs: &[PatchedRun],
        candidates: &Matrix,
        plan: Plan,
    ) -> Result<(Vec<f32>, Plan)> {
        let request = &Request { constants: candidates, ..Request::of(runs) };
        let work = |plan| async move { Edited { plan, ..self.edited }.resume(self.cache, request).await };
        let (readouts, plan) = with_halving(plan, work).await?;
        let each = candidates.rows() / self.objectives.len().max(1);
        let mut rest = readouts.as_slice();
        let mut losses = Vec::with_capacity(candidates.rows());
        for objective in &self.objectives {
            for _ in 0..each {
                let (own, others) = rest.split_at(objective.count());
                losses.push(objective.value(own));
                rest = others;
            }
        }
        Ok((losses, plan))
    }

    /// For some targets, a vector each: the values of its terms, and the gradient of their weighted sum.
    pub(super) async fn gradients(
        &self,
        targets: &[usize],
        vectors: &Matrix,
        plan: Plan,
    ) -> Result<(Vec<(Vec<f32>, Vec<f32>)>, Plan)> {
        let (mut runs, mut terms) = (Vec::new(), Vec::new());
        for (row, &target) in targets.iter().enumerate() {
            terms.extend(self.objectives[target].weighted(runs.len()));
            runs.extend(self.objectives[target].runs(row));
        }
        let (request, terms) = (&Request { constants: vectors, ..Request::of(&runs) }, &terms);
        let work = |plan| async move { Edited { plan, ..self.edited }.gradient(self.cache, request, terms, &[]).await };
        let (found, plan) = with_halving(plan, work).await?;
        let mut values = found.values.into_iter();
        let one = |(row, &target): (usize, &usize)| {
            let own = values.by_ref().take(self.objectives[target].terms.len()).collect();
            (own, found.constants.row(row).to_vec())
        };
        Ok((targets.iter().enumerate().map(one).collect(), plan))
    }
}
