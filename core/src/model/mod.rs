//! Language models. One file a family, all in the same order: config, block, loading, [`Decoder`].
//!
//! A family only computes. Capturing and changing activations happens in [`crate::run`], between these calls.

pub mod blocks;
pub(crate) mod bounds;
pub mod config;
pub mod cpu;
pub mod loader;
pub mod ops;
pub mod rope;
pub mod rope_spec;
pub mod spec;

mod gemma2;
mod gemma3;
mod gpt2;
#[cfg(feature = "train")]
pub(crate) mod grad;
mod llama;
mod open;
#[cfg(feature = "train")]
mod parameters;
mod phi;
mod qwen2;
mod survey;

pub use open::{Model, notes, shard_bytes, understood};
#[cfg(feature = "train")]
pub use parameters::{Draw, Parameter, Parameters};
pub use survey::{Survey, own_head, survey};

use crate::error::{Error, Result};
use blocks::{Linear, Projected};
use burn::tensor::Tensor;
use config::Config;
use loader::Loader;
use rope::{Rope, RopeRows};
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

/// A decoder-only language model. Layers are numbered `1..=L`; tensors are rows of token positions, `[rows, ·]`.
pub trait Decoder {
    /// Sizes.
    fn shape(&self) -> &Shape;
    /// Attention heads of a layer.
    fn heads(&self, layer: usize) -> &Heads;
    /// Rotary tables that [`Decoder::project`] wants rows of.
    fn ropes(&self) -> &[Rope];
    /// Token embeddings as they enter the stream, without positions: `[ids, d]`.
    fn embed_tokens(&self, ids: &[u32]) -> Tensor<2>;
    /// h⁽⁰⁾ of these tokens at these positions: `[ids, d]`.
    fn embed(&self, ids: &[u32], positions: &[usize]) -> Tensor<2> {
        let _ = positions;
        self.embed_tokens(ids)
    }
    /// Query, key and value rows from the block's input `[rows, d]`: norm, projection, position embedding.
    fn project(&self, layer: usize, h: Tensor<2>, ropes: &[RopeRows]) -> Projected;
    /// What attention adds to the stream, from the heads' mixed values `[rows, heads · head_dim]`.
    fn attention(&self, layer: usize, mixed: Tensor<2>) -> Tensor<2>;
    /// The MLP's key: input of the down projection, from the stream that the MLP reads. `[rows, ff]`.
    fn mlp_key(&self, layer: usize, h: Tensor<2>) -> Tensor<2>;
    /// The MLP's value: output of the down projection. `[rows, d]`.
    fn mlp_value(&self, layer: usize, key: Tensor<2>) -> Tensor<2> {
        self.down_proj(layer).forward(key)
    }
    /// What the MLP adds to the stream, from its value (Gemma norms it once more).
    fn mlp(&self, layer: usize, value: Tensor<2>) -> Tensor<2> {
        let _ = layer;
        value
    }
    /// Logits from the stream after the last block: final norm, head, soft-cap. `[rows, vocab]`.
    fn logits(&self, h: Tensor<2>) -> Tensor<2>;
    /// The down projection of a layer.
    fn down_proj(&self, layer: usize) -> &Linear;
    /// The checkpoint's name of that matrix.
    fn down_proj_name(&self, layer: usize) -> String;
    /// Puts another down projection in a layer.
    fn set_down_proj(&mut self, layer: usize, down: Linear);
}

/// Families by `model_type`.
pub const SUPPORTED: [&str; 7] = ["llama", "qwen2", "gemma2", "gemma3_text", "gemma3", "phi", "gpt2"];

/// Names of the tanh form of GELU in configurations.
const GELU_TANH: [&str; 3] = ["gelu_pytorch_tanh", "gelu_new", "gelu_fast"];

/// Builds the model that `config` describes from a loader's tensors.
pub async fn build(config: &serde_json::Value, loader: &Loader<'_>) -> Result<Box<dyn Decoder>> {
    assemble(Spec::read(config)?, loader).await
}

/// The same from a configuration that is understood already.
async fn assemble(spec: Spec, loader: &Loader<'_>) -> Result<Box<dyn Decoder>> {
    Ok(match spec.family {
        "gemma2" => Box::new(gemma2::Gemma2::load(spec, loader).await?),
        "gemma3_text" => Box::new(gemma3::Gemma3::load(spec, loader).await?),
        "phi" => Box::new(phi::Phi::load(spec, loader).await?),
        "gpt2" => Box::new(gpt2::Gpt2::load(spec, loader).await?),
        // Llama and Qwen2 have one body.
        _ => Box::new(llama::Llama::load(spec, loader).await?),
    })
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
