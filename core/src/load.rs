//! A model ready to run: decoder, tokenizer, device, identity, plan.

pub mod fit;
mod race;

use crate::device::Compute;
use crate::error::{Error, Result};
use crate::model::loader::Loader;
use crate::model::spec::Spec;
use crate::model::{Transformer, assemble, own_head, weigh};
use crate::record::{ModelInfo, Precision};
use crate::run::{Edited, Plan};
use crate::second_moment::SecondMoments;
use crate::tensor::Overlay;
use crate::tensor::self_test::test_halves;
use crate::tokens::Tokens;
use crate::weights::Checkpoint;
use fit::{Place, Takes};
use std::sync::Arc;

/// A model on a device.
pub struct Model {
    /// The computation.
    pub net: Arc<Transformer>,
    /// The tokenizer.
    pub tokens: Arc<Tokens>,
    /// The device.
    pub compute: Compute,
    /// Identity.
    pub info: ModelInfo,
    /// Batch plan.
    pub plan: Plan,
    /// Edits in force, oldest first. The weights stay as they were loaded.
    pub overlays: Vec<Overlay>,
    /// The model's own config, for writing edited copies.
    pub config: serde_json::Value,
    /// The configuration as it was understood.
    pub spec: Spec,
    /// The files have a head of their own though the config ties it to the embedding.
    pub own_head: bool,
    /// What a user should know of the files before believing a number.
    pub notes: Vec<String>,
    /// Second moments of its keys, for editors.
    pub second_moments: SecondMoments,
}

/// How a model's files are understood: lines for a person who holds them against config.json, a name and what it is.
pub fn understood(spec: &Spec, own_head: bool, tokens: &Tokens) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = spec.lines().into_iter().map(|(name, what)| (name.into(), what)).collect();
    let head = match (own_head, spec.tied) {
        (true, _) => "its own, though config.json ties it to the embedding",
        (false, true) => "the embedding (tied)",
        (false, false) => "its own",
    };
    lines.push(("output head".into(), head.into()));
    lines.push(("tokenizer".into(), format!("{}, {} tokens", tokens.origin(), tokens.vocabulary())));
    lines.push(("BOS and EOS".into(), tokens.rule()));
    lines
}

/// What a user should know of a model's files before believing a number.
pub fn notes(checkpoint: &Checkpoint, own_head: bool, tokens: &Tokens) -> Vec<String> {
    let own = "config.json ties the head to the embedding, but the weights have a head of their own, which is used";
    let own = own_head.then(|| own.to_owned());
    checkpoint.notes().iter().cloned().chain(own).chain(tokens.notes()).collect()
}

/// What is known of a checkpoint before its first tensor is read.
pub struct Looked {
    /// What loading it takes.
    pub takes: Takes,
    /// The files have a head of their own though the config ties it to the embedding.
    pub own_head: bool,
    spec: Spec,
}

/// Holds names and shapes against the configuration, and counts.
///
/// # Errors
/// As loading it, but for what only its numbers show.
pub async fn look(checkpoint: &Checkpoint) -> Result<Looked> {
    let mut spec = Spec::read(checkpoint.config())?;
    let own_head = own_head(&spec, checkpoint).await?;
    spec.tied &= !own_head;
    let survey = weigh(spec.clone(), Some(checkpoint)).await?;
    let takes = Takes { survey, tokenizer: checkpoint.tokenizer_json().len() as u64 };
    Ok(Looked { takes, own_head, spec })
}

impl Model {
    /// Loads a checkpoint. `progress(done, all)` counts tensors.
    ///
    /// # Errors
    /// As [`Self::load_looked`].
    pub async fn load(
        checkpoint: &Checkpoint,
        name: &str,
        compute: Compute,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Self> {
        Self::load_looked(look(checkpoint).await?, checkpoint, name, compute, progress).await
    }

    /// Loads a checkpoint that was looked at.
    ///
    /// # Errors
    /// When it cannot fit, before a tensor is read; when its files or their numbers are wrong, or the device fails.
    pub async fn load_looked(
        Looked { takes, own_head, spec }: Looked,
        checkpoint: &Checkpoint,
        name: &str,
        compute: Compute,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Self> {
        let place = Place::of(&compute);
        let plan = takes.refuse(name, &place, compute.info.precision)?.plan;
        let tokens = checkpoint.tokens()?;
        let table = place.table(takes.survey.largest);
        let config = checkpoint.config().clone();
        let loader = Loader::new(
            checkpoint,
            compute.device.as_ref(),
            compute.info.precision,
            table.min(usize::MAX as u64) as usize,
            progress,
        );
        if let (Some(device), Precision::F16) = (&compute.device, compute.info.precision) {
            test_halves(device).await?;
        }
        let net = assemble(spec.clone(), &loader).await?;
        let notes = notes(checkpoint, own_head, &tokens);
        let shape = &net.shape;
        let info = ModelInfo {
            name: name.to_string(),
            family: config["model_type"].as_str().unwrap_or_default().to_string(),
            layers: shape.layers,
            width: shape.width,
            parameters: checkpoint.parameters(spec.tied),
            dtype: checkpoint.dtype_name(spec.tied),
            config_sha256: checkpoint.config_sha256().to_string(),
            weights_sha256: checkpoint.weights_sha256().await?,
            tokenizer_sha256: tokens.sha256().to_string(),
        };
        let highest = tokens.encode("a")?.ids.into_iter().max().unwrap_or(0) as usize;
        if highest >= shape.vocab {
            return Err(Error::input(format!(
                "the tokenizer uses id {highest}, the model's vocabulary ends at {}",
                shape.vocab - 1
            ))
            .hint("tokenizer.json belongs to another model than the weights"));
        }
        crate::device::complaint()?;
        let (overlays, second_moments) = (Vec::new(), SecondMoments::default());
        let (net, tokens) = (Arc::new(net), Arc::new(tokens));
        Ok(Self { net, tokens, compute, info, plan, overlays, config, spec, own_head, notes, second_moments })
    }

    /// The same model with one more edit in force: weights and tokenizer are shared.
    #[must_use]
    pub fn with(&self, edit: Overlay) -> Self {
        Self { overlays: self.overlays.iter().cloned().chain([edit]).collect(), ..self.share() }
    }

    /// The model as it was loaded, without edits, for somebody else: weights, tokenizer and what is known of second moments are
    /// shared.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            net: self.net.clone(),
            tokens: self.tokens.clone(),
            compute: self.compute.clone(),
            info: self.info.clone(),
            plan: self.plan,
            overlays: Vec::new(),
            config: self.config.clone(),
            spec: self.spec.clone(),
            own_head: self.own_head,
            notes: self.notes.clone(),
            second_moments: self.second_moments.share(),
        }
    }

    /// The model with its edits in force, ready to run.
    pub fn edited(&self) -> Edited<'_> {
        let (device, overlays) = (self.compute.device.as_ref(), self.overlays.as_slice());
        Edited { net: &self.net, device, plan: self.plan, overlays }
    }

    /// The first of some tokens that has no embedding, in words.
    pub fn unknown(&self, ids: &[u32]) -> Option<String> {
        let vocab = self.net.shape.vocab;
        let id = *ids.iter().find(|&&id| id as usize >= vocab)?;
        let token = self.tokens.show(id);
        Some(format!("the token {token:?} has id {id}, and the model's vocabulary ends at {}", vocab - 1))
    }

    /// See [`understood`].
    pub fn understood(&self) -> Vec<(String, String)> {
        understood(&self.spec, self.own_head, &self.tokens)
    }

    /// Blocks L.
    pub fn layers(&self) -> usize {
        self.net.shape.layers
    }
}
