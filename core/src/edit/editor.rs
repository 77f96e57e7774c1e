//! Editors: from facts and layers to changes of weights. One editor is one variant of [`EditMethod`], one implementation of
//! [`Editor`], and one arm of [`solve`].

use super::editors::Searched;
use super::rank_one::RankOne;
use super::sequence::PastKeys;
use super::size::size_of;
use crate::error::{Error, Kind, Result};
use crate::facts::Fact;
use crate::load::Model;
use crate::model::Site;
use crate::record::{EditMethod, Search, SearchStart, Settings, ValueSearch};
use crate::run::{ActivationCache, Prompt, Sites};
use crate::tensor::{Matrix, Overlay};
use crate::trace::TokenizedFact;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

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
    /// Known facts of its relation whose answer is the wanted one, with their orders: a search may start from one
    /// ([`crate::record::SearchStart::Neighbour`]).
    pub alike: Vec<(usize, &'a Fact)>,
}

impl EditTarget<'_> {
    /// Position of the subject's last token.
    pub(super) fn subject_last(&self) -> usize {
        self.tokens.span.end - 1
    }
}

/// What was searched, and what was found for each target.
pub(super) type LastSearch = ((ValueSearch, SearchStart), Arc<Vec<Searched>>);

/// Edits that are searched together, and the clean prompts of their facts, captured once: the prompt of target `i` is
/// prompt `i` of the cache.
pub struct EditBatch<'a> {
    /// The model, with the edits that are in force already.
    pub model: &'a Model,
    /// The edits.
    pub targets: &'a [EditTarget<'a>],
    pub(super) cache: ActivationCache,
    /// Keys of edits in force, which AlphaEdit spares.
    pub past: PastKeys,
    /// What the last search over contexts found, for methods that differ in what they make of it.
    pub(super) searched: Mutex<Option<LastSearch>>,
    /// What the model as it is writes, by a fact's `order` and the place of its prompt: the same for every method.
    pub(super) written: Mutex<HashMap<(usize, usize), String>>,
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
        Ok(Self { model, targets, cache, past: PastKeys::new(), searched: Mutex::default(), written: Mutex::default() })
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
#[derive(Debug, Clone, Default)]
pub struct Solved {
    /// The targets that it is for, by their places in the batch.
    pub targets: Vec<usize>,
    /// The change of the weights; without terms where there is none.
    pub overlay: Overlay,
    /// How it was found, for each of the targets.
    pub evidence: Vec<Evidence>,
    /// The targets' keys by layer with the change in force, of a method whose later edits spare them.
    pub keys: PastKeys,
}

/// How an edit was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Seed of the search.
    pub seed: u64,
    /// The loss at each evaluation.
    pub loss: Vec<f32>,
    /// `‖v* - v‖ / ‖v‖`.
    pub relative_change: f32,
    /// `max |W'k - v*| / max |v*|` with the edit in force.
    pub residual: f32,
    /// `‖ΔW‖ / ‖W‖` of the edited matrix.
    pub relative_norm: f32,
    /// How gradients found the value.
    pub search: Option<Search>,
    /// Why there is no edit.
    pub failed: Option<String>,
}

impl Solved {
    /// One target's rank-one update, or why it has none.
    pub(super) async fn rank_one(
        model: &Model,
        target: usize,
        change: &RankOne,
        mut evidence: Evidence,
    ) -> Result<Self> {
        evidence.relative_change = change.relative_change();
        let overlay = match change.overlay(&model.net) {
            Ok(overlay) => {
                evidence.residual = change.residual(model, &overlay).await?;
                evidence.relative_norm = size_of(model, &overlay).await?.1;
                overlay
            }
            // One fact that cannot be edited ends no study.
            Err(error) => {
                evidence.failed = Some(error.message().to_owned());
                Overlay::default()
            }
        };
        Ok(Self { targets: vec![target], overlay, evidence: vec![evidence], ..Self::default() })
    }
}

/// Turns targets into changes of weights.
pub(super) trait Editor {
    /// One change for each target, or one for several.
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>>;
}

/// Searches a batch's edits by a method. [`prepare`](super::prepare) has made ready what it needs.
///
/// # Errors
/// When the search diverges, `told` stops it, or the device fails.
pub async fn solve(
    batch: &EditBatch<'_>,
    method: &EditMethod,
    settings: &Settings,
    told: OnStep<'_>,
) -> Result<Vec<Solved>> {
    let solved = match method {
        EditMethod::Spsa(spsa) => spsa.solve(batch, settings, told).await,
        EditMethod::Rome(rome) => rome.solve(batch, settings, told).await,
        EditMethod::Memit(memit) => memit.solve(batch, settings, told).await,
        EditMethod::AlphaEdit(alpha) => alpha.solve(batch, settings, told).await,
        EditMethod::FtM(tuning) => tuning.solve(batch, settings, told).await,
        EditMethod::Lora(lora) => lora.solve(batch, settings, told).await,
        EditMethod::UltraEdit(ultra) => ultra.solve(batch, settings, told).await,
    };
    match solved {
        // Facts that cannot be edited together are edits that failed; they end no study.
        Err(error) if method.is_joint() && error.kind == Kind::Numeric => {
            let failed = Some(error.message().to_owned());
            let evidence = Evidence { seed: settings.seed, failed, ..Evidence::default() };
            let count = batch.targets.len();
            Ok(vec![Solved {
                targets: (0..count).collect(),
                overlay: Overlay::default(),
                evidence: vec![evidence; count],
                ..Solved::default()
            }])
        }
        other => other,
    }
}
