//! Searches: the value that makes an objective small, for all targets in step.

mod spsa;

use super::editor::OnStep;
use super::objective::Objective;
use crate::error::Result;
use crate::load::Model;
use crate::run::{ActivationCache, Edited, PatchedRun, Plan, Request, with_halving};
use crate::tensor::Matrix;

/// What is to be minimised.
pub(super) struct Problem<'a> {
    pub(super) model: &'a Model,
    /// What the objectives' runs resume from.
    pub(super) cache: &'a ActivationCache,
    /// One for each target.
    pub(super) objectives: Vec<Objective>,
    pub(super) seed: u64,
}

/// What a search found for one target.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) value: Vec<f32>,
    /// Loss before each step and after the last.
    pub(super) loss: Vec<f32>,
}

/// A search over one vector for each target.
pub(super) trait Solver {
    /// Goes from `start`.
    async fn minimise(&self, problem: &Problem<'_>, start: Vec<Vec<f32>>, told: OnStep<'_>) -> Result<Vec<Found>>;
}

impl Problem<'_> {
    /// Runs that take `each` candidates of every target: rows of the constants, target after target.
    pub(super) fn runs(&self, each: usize) -> Vec<PatchedRun> {
        let of =
            |(at, objective): (usize, &Objective)| (0..each).map(|i| objective.run(each * at + i)).collect::<Vec<_>>();
        self.objectives.iter().enumerate().flat_map(of).collect()
    }

    /// The objectives' values of all candidates, in one batch, and the plan that had room for it.
    pub(super) async fn losses(
        &self,
        runs: &[PatchedRun],
        candidates: &Matrix,
        plan: Plan,
    ) -> Result<(Vec<f32>, Plan)> {
        let request = &Request { constants: candidates, ..Request::of(runs) };
        let work = |plan| async move { Edited { plan, ..self.model.edited() }.resume(self.cache, request).await };
        let (readouts, plan) = with_halving(plan, work).await?;
        let each = runs.len() / self.objectives.len().max(1);
        let losses = readouts.iter().enumerate().map(|(run, readouts)| self.objectives[run / each].value(readouts));
        Ok((losses.collect(), plan))
    }
}
