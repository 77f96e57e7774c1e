//! Language models. A model is data ([`block`]): tables, blocks, a head. One file a family, all in the same order: config,
//! then names of tensors to blocks. What a block computes is one function for all of them, [`block::Block::forward`].
//!
//! Capturing and changing activations happens in [`crate::run`], which the block calls on between its operations.

pub mod block;
pub(crate) mod bounds;
pub mod config;
pub mod loader;
pub mod rope_spec;
pub mod site;
pub mod spec;

mod gemma2;
mod gemma3;
mod gpt2;
mod llama;
mod open;
mod parameters;
mod phi;
mod qwen2;
mod survey;

pub use block::Transformer;
pub use open::{Model, notes, shard_bytes, understood};
pub use parameters::{Draw, Parameter, Parameters};
pub use site::Site;
pub use survey::{Survey, own_head, survey};

use crate::error::{Error, Result};
use config::Config;
use loader::Loader;
use spec::Spec;

/// Longest prompt in tokens for which position tables are built, where the model itself allows more.
pub const MAX_POSITIONS: usize = 4096;

/// Sizes of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Blocks L.
    pub layers: usize,
    /// Residual width d.
    pub width: usize,
    /// MLP width (length of a key).
    pub ff: usize,
    /// Vocabulary.
    pub vocab: usize,
    /// Longest prompt in tokens.
    pub positions: usize,
    /// The MLP reads the block's input rather than the stream after attention (Phi).
    pub parallel: bool,
}

/// Attention heads of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Heads {
    /// Query heads.
    pub count: usize,
    /// Key-value heads; each serves `count / kv` query heads.
    pub kv: usize,
    /// Dimensions of a head.
    pub dim: usize,
    /// Factor on the scores.
    pub scale: f32,
    /// Soft-cap on the scores (Gemma-2).
    pub soft_cap: Option<f32>,
    /// Sliding window: a position sees itself and the `window - 1` before it.
    pub window: Option<usize>,
}

/// Families by `model_type`.
pub const SUPPORTED: [&str; 7] = ["llama", "qwen2", "gemma2", "gemma3_text", "gemma3", "phi", "gpt2"];

/// Names of the tanh form of GELU in configurations.
const GELU_TANH: [&str; 3] = ["gelu_pytorch_tanh", "gelu_new", "gelu_fast"];

/// Builds the model that `config` describes from a loader's tensors.
pub async fn build(config: &serde_json::Value, loader: &Loader<'_>) -> Result<Transformer> {
    assemble(Spec::read(config)?, loader).await
}

/// The same from a configuration that is understood already.
async fn assemble(spec: Spec, loader: &Loader<'_>) -> Result<Transformer> {
    match spec.family {
        "gemma2" | "gemma3_text" => gemma2::load(spec, loader).await,
        "phi" => phi::load(spec, loader).await,
        "gpt2" => gpt2::load(spec, loader).await,
        // Llama and Qwen2 have one body.
        _ => llama::load(spec, loader).await,
    }
}

/// Blocks of the model that `config` describes, known before anything of it is loaded.
pub fn layers(config: &serde_json::Value) -> Result<usize> {
    Ok(Spec::read(config)?.shape.layers)
}

fn unsupported(model_type: &str) -> Error {
    Error::input(format!("model_type \"{model_type}\" is not supported"))
        .hint(format!("supported: {}", SUPPORTED.join(", ")))
}

/// Heads that are consistent: query heads a multiple of key-value heads.
fn heads(count: usize, kv: usize, dim: usize, scale: f64) -> Result<Heads> {
    if !count.is_multiple_of(kv) {
        return Err(Error::input(format!(
            "config.json: {count} attention heads are not a multiple of {kv} key-value heads"
        ))
        .hint("take config.json from the model's own repository"));
    }
    Ok(Heads { count, kv, dim, scale: scale as f32, soft_cap: None, window: None })
}

/// `head_dim`, or `d / heads` where the config leaves it out.
fn head_dim(config: Config<'_>, width: usize, heads: usize) -> Result<usize> {
    if let Some(dim) = config.size_or_null("head_dim", None)? {
        return Ok(dim);
    }
    match width.is_multiple_of(heads) {
        true => Ok(width / heads),
        false => Err(Error::input(format!("config.json: width {width} is not a multiple of {heads} heads"))
            .hint("take config.json from the model's own repository")),
    }
}
