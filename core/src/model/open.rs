//! A model ready to run: decoder, tokenizer, device, identity, plan.

use super::loader::Loader;
use super::{Decoder, Survey, build};
use crate::device::Compute;
use crate::error::{Error, Result};
use crate::memory;
use crate::record::ModelInfo;
use crate::run::Limits;
use crate::tokens::Tokens;
use crate::weights::Checkpoint;

/// A model on a device.
pub struct Model {
    /// The computation.
    pub decoder: Box<dyn Decoder>,
    /// The tokenizer.
    pub tokens: Tokens,
    /// The device.
    pub compute: Compute,
    /// Identity.
    pub info: ModelInfo,
    /// Batch plan.
    pub limits: Limits,
    /// The model's own config, for writing edited copies.
    pub config: serde_json::Value,
}

/// Bytes of a vocabulary table's shard where memory is small: little to hold at once, and not too many shards.
pub fn shard_bytes(checkpoint: &Checkpoint) -> u64 {
    let largest = checkpoint.tensors().values().map(|tensor| 4 * tensor.elements() as u64).max().unwrap_or(0);
    (largest / 16).max(24 << 20)
}

/// What a tokenizer takes for each byte of its file, while it is read.
const TOKENIZER_TIMES: u64 = 10;
/// What everything else takes: captured runs of a few prompts, records, text.
const REST: u64 = 32 << 20;

/// Bytes of main memory that a model needs, with the smallest batch plan that there is.
fn needed(survey: &Survey, tokenizer: u64, cpu: bool) -> u64 {
    // A tensor is held twice where it is turned, or goes to another device.
    let weights = if cpu { survey.bytes + survey.largest } else { 2 * survey.largest };
    weights.saturating_add(Limits::LEAST_ROWS as u64 * survey.row).saturating_add(TOKENIZER_TIMES * tokenizer + REST)
}

impl Model {
    /// Loads a checkpoint. `progress(done, all)` counts tensors.
    pub async fn load(
        checkpoint: &Checkpoint,
        name: &str,
        compute: Compute,
        progress: &dyn Fn(usize, usize),
    ) -> Result<Self> {
        let survey = super::survey(checkpoint.config(), Some(checkpoint)).await?;
        let needed = needed(&survey, checkpoint.tokenizer_json().len() as u64, compute.cpu);
        memory::reserve(needed, &format!("the model {name}"))?;
        let tokens = Tokens::new(checkpoint.tokenizer_json())?;
        let binding = compute.binding_bytes();
        // In a browser a table passes through the tab's own small memory, one shard at a time.
        let small = cfg!(target_family = "wasm") && !compute.cpu;
        let table = if small { binding.min(shard_bytes(checkpoint)) } else { binding };
        let config = checkpoint.config().clone();
        let loader = Loader::new(checkpoint, &compute.device, table.min(usize::MAX as u64) as usize, progress);
        let decoder = build(&config, &loader).await?;
        let shape = decoder.shape();
        let info = ModelInfo {
            name: name.to_string(),
            family: config["model_type"].as_str().unwrap_or_default().to_string(),
            layers: shape.layers,
            width: shape.width,
            parameters: checkpoint.parameters(),
            dtype: checkpoint.dtype_name(),
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
        // What is free beside the weights; a GPU says nothing of it.
        let free = if compute.cpu { memory::free() / 2 } else { compute.free_bytes };
        let limits = Limits::plan(decoder.as_ref(), compute.cpu, free, binding);
        crate::device::complaint()?;
        Ok(Self { decoder, tokens, compute, info, limits, config })
    }

    /// Blocks L.
    pub fn layers(&self) -> usize {
        self.decoder.shape().layers
    }
}
