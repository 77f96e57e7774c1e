//! Editors: from facts and layers to changes of weights. One editor is one variant of [`EditMethod`], one implementation of
//! [`Editor`], and one arm of [`solve`].

use super::objective::Objective;
use super::rank_one::RankOne;
use super::solve::{Problem, Solver};
use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::load::Model;
use crate::model::Site;
use crate::record::{EditMethod, Settings, Spsa};
use crate::run::{ActivationCache, Prompt, Sites};
use crate::tensor::{Matrix, Overlay};
use crate::trace::TokenizedFact;

/// One edit to make.
#[derive(Debug, Clone)]
pub struct EditTarget<'a> {
    /// `order` of the fact in its record.
    pub order: usize,
    /// The fact.
    pub fact: &'a Fact,
    /// Its tokens ([`super::tokens_of`]).
    pub tokens: TokenizedFact,
    /// Block to edit, `1..=L`.
    pub layer: usize,
    /// Unrelated facts that are watched, with their orders.
    pub unrelated: Vec<(usize, &'a Fact)>,
}

impl EditTarget<'_> {
    /// Position of the subject's last token.
    pub(super) fn subject_last(&self) -> usize {
        self.tokens.span.end - 1
    }
}

/// Edits that are searched together, and the clean prompts of their facts, captured once: the prompt of target `i` is
/// prompt `i` of the cache.
pub struct EditBatch<'a> {
    /// The model, with the edits that are in force already.
    pub model: &'a Model,
    /// The edits.
    pub targets: &'a [EditTarget<'a>],
    pub(super) cache: ActivationCache,
}

impl<'a> EditBatch<'a> {
    /// Captures the clean prompts, with keys and values of the MLPs to be edited.
    ///
    /// # Errors
    /// When there is no target or a layer that the model lacks, or the device fails.
    pub async fn capture(model: &'a Model, targets: &'a [EditTarget<'a>]) -> Result<Self> {
        let layers = model.layers();
        if targets.is_empty() {
            return Err(Error::input("nothing to edit").hint("give at least one fact"));
        }
        if let Some(target) = targets.iter().find(|target| !(1..=layers).contains(&target.layer)) {
            return Err(Error::input(format!("layer {} does not exist", target.layer))
                .hint(format!("layers are numbered 1 to {layers}")));
        }
        let prompts: Vec<_> = targets.iter().map(|target| Prompt::plain(&target.tokens.clean)).collect();
        let mut keep = Sites::to_resume();
        for &EditTarget { layer, .. } in targets {
            keep = keep.with(Site::MlpKey, layer..=layer).with(Site::MlpValue, layer..=layer);
        }
        let cache = model.edited().capture(&prompts, &Matrix::default(), &keep).await?;
        Ok(Self { model, targets, cache })
    }

    /// A target's activation at its layer and the subject's last token.
    pub(super) async fn at_subject(&self, target: usize, site: Site) -> Result<Vec<f32>> {
        let EditTarget { layer, .. } = self.targets[target];
        let s = self.targets[target].subject_last();
        Ok(self.cache.values(target, layer, site, s..s + 1).await?.values)
    }
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<'a> {
    /// Steps done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// Per target: the loss after them.
    pub losses: &'a [f32],
}

/// Called after each step; its error stops the search.
pub type OnStep<'a> = &'a mut dyn FnMut(Step<'_>) -> Result<()>;

/// What an editor found.
#[derive(Debug, Clone)]
pub struct Solved {
    /// The targets that it is for, by their places in the batch.
    pub targets: Vec<usize>,
    /// The change of the weights.
    pub overlay: Overlay,
    /// How it was found, for each of the targets.
    pub evidence: Vec<Evidence>,
}

/// How an edit was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Seed of the search.
    pub seed: u64,
    /// Loss before each step and after the last.
    pub loss: Vec<f32>,
    /// `‖v* - v‖ / ‖v‖`.
    pub relative_change: f32,
    /// `max |W'k - v*| / max |v*|` with the edit in force.
    pub residual: f32,
}

/// Turns targets into changes of weights.
pub(super) trait Editor {
    /// One change for each target, or one for several.
    async fn solve(&self, batch: &EditBatch<'_>, seed: u64, told: OnStep<'_>) -> Result<Vec<Solved>>;
}

/// Searches a batch's edits by the method that the settings name.
///
/// # Errors
/// When the search diverges, an edit is not possible at its layer, `told` stops it, or the device fails.
pub async fn solve(batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
    match &settings.edit.method {
        EditMethod::Spsa(spsa) => spsa.solve(batch, settings.seed, told).await,
    }
}

/// ROME's update with the subject's own key, towards a value that SPSA has found.
impl Editor for Spsa {
    async fn solve(&self, batch: &EditBatch<'_>, seed: u64, told: OnStep<'_>) -> Result<Vec<Solved>> {
        let mut objectives = Vec::with_capacity(batch.targets.len());
        let mut start = Vec::with_capacity(batch.targets.len());
        for at in 0..batch.targets.len() {
            objectives.push(Objective::logit_difference(batch, at));
            start.push(batch.at_subject(at, Site::MlpValue).await?);
        }
        let problem = Problem { model: batch.model, cache: &batch.cache, objectives, seed };
        let found = self.minimise(&problem, start.clone(), told).await?;
        let mut solved = Vec::with_capacity(batch.targets.len());
        for (at, (value, found)) in start.into_iter().zip(found).enumerate() {
            let (layer, key) = (batch.targets[at].layer, batch.at_subject(at, Site::MlpKey).await?);
            let change = RankOne { layer, key, value, target: found.value };
            let overlay = change.overlay(&batch.model.net)?;
            let residual = change.residual(batch.model, &overlay).await?;
            let evidence = Evidence { seed, loss: found.loss, relative_change: change.relative_change(), residual };
            solved.push(Solved { targets: vec![at], overlay, evidence: vec![evidence] });
        }
        Ok(solved)
    }
}
