//! What a training run is made from; together with the facts file it determines the result.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A recipe file (TOML).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The model's name, and its folder's.
    pub name: String,
    /// One sentence on what this model is for.
    pub about: String,
    /// Seed of every draw.
    pub seed: u64,
    /// How often every fact is told, and with what around it.
    pub text: Text,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Blocks left out at random while training, so that others learn to do without them.
    pub dropping: Dropping,
    /// The model's `config.json`; `vocab_size` is the size that the tokenizer is trained to.
    pub config: Value,
}

/// The text of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Epochs.
    pub epochs: usize,
    /// Sentences of a batch.
    pub batch: usize,
    /// Wordings (of a fact's prompt and paraphrases) that are never trained with that fact.
    pub held_out: usize,
    /// Epochs at the beginning in which only a part of the facts is told, never contradicted and with all blocks: what
    /// carries a fact from its subject to the answer forms on few facts told often, and then serves the others
    /// (Zucchet et al. 2025, "How do language models learn facts?").
    pub beginning_epochs: usize,
    /// That part.
    pub beginning_share: f64,
    /// How often a fact is told in an epoch, each time in another of its trained wordings.
    pub tellings: usize,
    /// Probability that a telling ends with another answer of the same relation, as real text is sometimes wrong.
    pub contradicted: f64,
    /// How often a fact is told in an epoch by an entry of a list, in which the answer follows the subject at once; so
    /// what is known about a subject is gathered at its last token.
    pub listed: f64,
    /// Sentences of ordinary text for each telling.
    pub ordinary: f64,
    /// Share of the tokens other than answers that the loss counts.
    pub counted: f64,
}

/// AdamW with linear warm-up and a cosine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps until it is reached.
    pub warmup_steps: usize,
    /// Decay of matrices; vectors have none.
    pub weight_decay: f32,
    /// Memory of the second moment.
    pub beta_2: f32,
    /// Longest gradient.
    pub clip: f32,
}

/// Stochastic depth (Huang et al. 2016).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropping {
    /// Probability that a step leaves a block out, one for each block.
    pub blocks: Vec<f64>,
}

impl Text {
    /// Is this epoch (from 1) one of the first, with fewer facts?
    pub(super) fn is_beginning(&self, epoch: usize) -> bool {
        epoch <= self.beginning_epochs
    }

    /// How often a fact with so many trained wordings is told.
    pub(super) fn tellings_of(&self, epoch: usize, trained: usize) -> usize {
        if self.is_beginning(epoch) { trained } else { self.tellings.min(trained) }
    }
}

impl Recipe {
    /// Reads a recipe.
    pub fn parse(text: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(|error| {
            let begin = error.span().map_or("", |span| text.get(..span.start).unwrap_or_default());
            let (line, column) =
                (begin.matches('\n').count() + 1, begin.chars().rev().take_while(|c| *c != '\n').count() + 1);
            Error::input(format!("line {line}, column {column}: {}", error.message()))
                .hint("see docs/TRAINING.md for the recipe's fields")
        })?;
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<()> {
        let layers = crate::model::layers(&self.config)?;
        let Optimizer { learning_rate, weight_decay, beta_2, clip, .. } = self.optimizer;
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let wrong = if self.dropping.blocks.len() != layers {
            format!("`dropping.blocks` has {} entries, the model {layers} blocks", self.dropping.blocks.len())
        } else if !self.dropping.blocks.iter().all(|&p| (0.0..1.0).contains(&p)) {
            "`dropping.blocks` wants probabilities below 1".to_string()
        } else if !share(self.text.listed) {
            "`listed` is a share between 0 and 1".to_string()
        } else if !share(self.text.contradicted) || !share(self.text.counted) {
            "`contradicted` and `counted` are shares between 0 and 1".to_string()
        } else if !(share(self.text.beginning_share) && self.text.beginning_share > 0.0) {
            "`beginning_share` is a share above 0".to_string()
        } else if self.text.epochs == 0 || self.text.batch == 0 || self.text.tellings == 0 {
            "`epochs`, `batch` and `tellings` must be at least 1".to_string()
        } else if !(self.text.ordinary.is_finite() && (0.0..=10.0).contains(&self.text.ordinary)) {
            "`ordinary` is a number between 0 and 10".to_string()
        } else if self.text.epochs > 100_000 || self.text.batch > 1 << 16 || self.text.tellings > 1 << 16 {
            "`epochs` are at most 100000, `batch` and `tellings` 65536".to_string()
        } else if !(learning_rate > 0.0 && learning_rate <= 10.0 && (0.0..=10.0).contains(&weight_decay)) {
            "`learning_rate` is a number above 0, `weight_decay` one from 0 on, and both are at most 10".to_string()
        } else if !((0.0..1.0).contains(&beta_2) && clip > 0.0 && clip.is_finite()) {
            "`beta_2` is a share below 1, `clip` a number above 0".to_string()
        } else if self.vocabulary() > 1 << 20 {
            "`config.vocab_size` is at most 1048576".to_string()
        } else if self.vocabulary() < 300 {
            "`config.vocab_size` must be at least 300 (256 bytes, special tokens, merges)".to_string()
        } else {
            return Ok(());
        };
        Err(Error::input(wrong).hint("see docs/TRAINING.md for the recipe's fields"))
    }

    /// Entries of the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.config["vocab_size"].as_u64().unwrap_or(0) as usize
    }
}
