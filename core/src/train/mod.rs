//! Training of small models on facts, by the gradients of the engine's own passes ([`Edited::loss`]).
//!
//! A [`Plan`] (recipe, facts, text) determines a run. [`Training`] goes through it epoch by epoch; after each one its
//! state can be saved, and a restored run goes on exactly as it would have.

mod batches;
mod export;
mod optimize;
mod recipe;
mod start;
mod state;
mod text;
mod validate;
mod vocabulary;

pub use recipe::{Dropping, Optimizer, Recipe, Text};
pub use text::{Corpus, split};
pub use validate::{Recall, recall};
pub use vocabulary::END_OF_TEXT;

use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::memory;
use crate::model::loader::Loader;
use crate::model::{Parameters, build};
use crate::run::{Edited, Plan as Batches};
use crate::tokens::Tokens;
use burn::Device;
use optimize::Optimize;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Facts that the recall after an epoch skips over: an eighth of them is asked.
const SAMPLE: usize = 8;
/// Epochs between two recalls.
const ASK_EVERY: usize = 5;

/// Everything that determines a training run.
pub struct Plan {
    /// The recipe.
    pub recipe: Recipe,
    /// Facts and text.
    pub corpus: Corpus,
    /// The tokenizer.
    pub tokens: Tokens,
    tokenizer_json: String,
    tokenizer_config: String,
    digest: String,
}

impl Plan {
    /// A plan; trains the tokenizer.
    pub fn new(recipe: Recipe, corpus: Corpus, text: &str) -> Result<Self> {
        let (tokenizer_json, tokenizer_config) = vocabulary::train(&corpus, &recipe)?;
        let mut digest = Sha256::new();
        let plain = Recipe { name: String::new(), about: String::new(), ..recipe.clone() };
        // Nothing is trained on the prompts that edits are measured with.
        let trained = |fact: &Fact| Fact { generation: Vec::new(), ..fact.clone() };
        let facts: Vec<Fact> = corpus.facts.iter().map(trained).collect();
        for part in [serde_json::to_vec(&plain), serde_json::to_vec(&facts)] {
            digest.update(part.map_err(|error| Error::input(error.to_string()))?);
        }
        digest.update(text);
        digest.update(&tokenizer_json);
        let digest = crate::hex(&digest.finalize());
        let tokens = Tokens::new(tokenizer_json.as_bytes())?;
        Ok(Self { recipe, corpus, tokens, tokenizer_json, tokenizer_config, digest })
    }

    /// Steps of the whole run.
    pub fn steps(&self) -> usize {
        let text = &self.recipe.text;
        (1..=text.epochs).map(|epoch| self.corpus.steps(epoch, text)).sum()
    }

    /// SHA-256 of recipe (but for its name and what it is about), facts, text and tokenizer.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// A finished epoch of the loss curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Steps so far.
    pub steps: usize,
    /// Mean cross-entropy of its counted tokens, in nats.
    pub loss: f64,
    /// Learning rate at its end.
    pub learning_rate: f64,
    /// What an eighth of the facts answer, every fifth epoch and at the end.
    pub recall: Option<Recall>,
}

/// What a step tells.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Step of the whole run, from 1.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// Cross-entropy of the batch.
    pub loss: f32,
}

/// A training run.
pub struct Training<'a> {
    plan: &'a Plan,
    batches: Batches,
    parameters: Parameters,
    optimize: Optimize,
    /// Finished epochs.
    pub epochs: Vec<Epoch>,
}

impl<'a> Training<'a> {
    /// A run at its beginning.
    pub async fn new(plan: &'a Plan, device: Option<&Device>) -> Result<Self> {
        let parameters = start::parameters(&plan.recipe, device).await?;
        let net = build(&plan.recipe.config, &Loader::training(&parameters)).await?;
        let batches = Batches::of(&net, device.is_none(), memory::free() / 2, u64::MAX);
        let optimize = Optimize::new(&plan.recipe.optimizer);
        Ok(Self { plan, batches, parameters, optimize, epochs: Vec::new() })
    }

    /// Takes up a saved run.
    pub fn restore(&mut self, state: &[u8]) -> Result<()> {
        self.epochs = state::restore(state, self.plan, &self.parameters, &mut self.optimize)?;
        Ok(())
    }

    /// The state, to go on from later.
    pub async fn state(&self) -> Result<Vec<u8>> {
        state::save(self.plan, &self.parameters, &self.optimize, &self.epochs).await
    }

    /// Are all epochs done?
    pub fn done(&self) -> bool {
        self.epochs.len() >= self.plan.recipe.text.epochs
    }

    /// Trainable numbers.
    pub fn parameters(&self) -> usize {
        self.parameters.all().values().map(|parameter| parameter.shape.iter().product::<usize>()).sum()
    }

    /// One epoch. `tell` hears of every step and says whether to go on. After a stop or an error the parameters are those
    /// of the middle of an epoch; go on from the state that was saved at the end of the last one.
    pub async fn epoch(&mut self, tell: &mut dyn FnMut(Step) -> bool) -> Result<()> {
        let Recipe { text, dropping, seed, .. } = &self.plan.recipe;
        let epoch = self.epochs.len() + 1;
        // Every epoch has its own stream, so that a restored run draws what it would have drawn.
        let mut rng = ChaCha8Rng::seed_from_u64(*seed);
        rng.set_stream(epoch as u64);
        let sentences = self.plan.corpus.epoch(epoch, text, &mut rng);
        let batches = batches::batches(&sentences, &self.plan.tokens, text.batch, text.counted, &mut rng)?;
        let positions = self.plan.recipe.config["max_position_embeddings"].as_u64().unwrap_or(2048) as usize;
        if let Some(batch) = batches.iter().find(|batch| batch.longest() > positions) {
            return Err(Error::input(format!(
                "a sentence has {} tokens, the model {positions} positions",
                batch.longest()
            ))
            .hint("shorten the longest facts and sentences, or raise `max_position_embeddings` in the recipe"));
        }
        let all = self.plan.steps();
        let (mut sum, mut count, mut rate) = (0.0, 0, 0.0);
        for (number, batch) in batches.iter().enumerate() {
            let beginning = text.is_beginning(epoch);
            let skip: Vec<bool> = dropping.blocks.iter().map(|&p| !beginning && rng.random_bool(p)).collect();
            let done = self.steps() + number;
            rate = self.optimize.rate(done as f64 / all as f64, done);
            let net = build(&self.plan.recipe.config, &Loader::training(&self.parameters)).await?;
            let device = self.parameters.device();
            let model = Edited { net: &net, device, plan: self.batches, overlays: &[] };
            let (loss, grads) = model.loss(&batch.prompts, &batch.labels, &skip).await?;
            if !loss.is_finite() {
                return Err(Error::numeric(format!("the loss is {loss} in epoch {epoch}, step {}", number + 1))
                    .hint("lower `learning_rate` in the recipe"));
            }
            self.optimize.step(&self.parameters, grads, rate).await?;
            sum += f64::from(loss) * batch.labels.len() as f64;
            count += batch.labels.len();
            if !tell(Step { epoch, step: done + 1, steps: all, loss }) {
                return Err(Error::cancelled().hint("run the same line again to go on after the last finished epoch"));
            }
        }
        let steps = self.steps() + batches.len();
        let last = epoch == text.epochs;
        let recall = match last || epoch.is_multiple_of(ASK_EVERY) {
            true => Some(self.recall(SAMPLE).await?),
            false => None,
        };
        self.epochs.push(Epoch { epoch, steps, loss: sum / count.max(1) as f64, learning_rate: rate, recall });
        Ok(())
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.epochs.last().map_or(0, |epoch| epoch.steps)
    }

    async fn recall(&self, stride: usize) -> Result<Recall> {
        let parameters = self.parameters.on_host().await?;
        let net = build(&self.plan.recipe.config, &Loader::training(&parameters)).await?;
        let plan = Batches { cpu: true, ..self.batches };
        let model = Edited { net: &net, device: None, plan, overlays: &[] };
        recall(model, &self.plan.tokens, &self.plan.corpus, self.plan.recipe.text.held_out, stride).await
    }

    /// The model's files: config.json, tokenizer.json, tokenizer_config.json and model.safetensors in f16.
    pub async fn folder(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        export::folder(self.plan, &self.parameters).await
    }
}
