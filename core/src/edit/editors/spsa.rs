//! The paper's editor: a rank-one update with the subject's own key, towards a value that SPSA has found.

use crate::edit::editor::{EditBatch, Editor, Evidence, OnStep, Solved};
use crate::edit::objective::Objective;
use crate::edit::rank_one::{RankOne, norm};
use crate::edit::solve::{Problem, Solver};
use crate::error::Result;
use crate::model::Site;
use crate::record::{Settings, Spsa};

impl Editor for Spsa {
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
        let mut objectives = Vec::with_capacity(batch.targets.len());
        let mut start = Vec::with_capacity(batch.targets.len());
        for at in 0..batch.targets.len() {
            objectives.push(Objective::logit_difference(batch, at));
            start.push(batch.at_subject(at, Site::MlpValue).await?);
        }
        let norms = start.iter().map(|value| norm(value)).collect();
        let problem = Problem {
            model: batch.model,
            edited: batch.model.edited(),
            cache: &batch.cache,
            objectives,
            norms,
            seed: settings.seed,
        };
        let found = self.minimise(&problem, start.clone(), told).await?;
        let mut solved = Vec::with_capacity(batch.targets.len());
        for (at, (value, found)) in start.into_iter().zip(found).enumerate() {
            let (layer, key) = (batch.targets[at].layer, batch.at_subject(at, Site::MlpKey).await?);
            let change = RankOne { layer, direction: key.clone(), key, value, target: found.vector };
            let evidence = Evidence { seed: settings.seed, loss: found.loss, ..Evidence::default() };
            solved.push(Solved::rank_one(batch.model, at, &change, evidence).await?);
        }
        Ok(solved)
    }
}
