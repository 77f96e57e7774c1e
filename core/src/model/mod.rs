//! Language models. A model is data ([`block`]): tables, blocks, a head. One file a family, all in the same order: config,
//! then names of tensors to blocks. What a block computes is one function for all of them, [`block::Block::forward`].
//!
//! Capturing and changing activations happens in [`crate::run`], which the block calls on between its operations.

pub mod block;
pub mod config;
pub mod loader;
mod rope_config;
pub mod site;
pub mod spec;

mod gemma2;
mod gemma3;
mod gpt2;
mod llama;
mod parameters;
mod phi;
mod qwen2;
mod survey;

pub use crate::tensor::attend::Heads;
pub use block::Transformer;
pub use parameters::{Draw, Parameter, Parameters};
pub use site::Site;
pub(crate) use survey::weigh;
pub use survey::{Sizes, Survey, own_head, survey};

use crate::error::{Error, Result};
use config::Config;
use loader::Loader;
use spec::Spec;
use std::pin::Pin;

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

impl Shape {
    /// Bytes that one row of a batch needs at the peak: the stream and its copies, queries, keys, the MLP's three products.
    pub(crate) fn row_bytes(&self) -> u64 {
        4 * (8 * self.width as u64 + 4 * self.ff as u64)
    }
}

/// Loads a family's model.
type Load = for<'a> fn(Spec, &'a Loader<'a>) -> Pin<Box<dyn Future<Output = Result<Transformer>> + 'a>>;

/// A family: how its config.json is understood, and which tensors make its blocks.
pub struct Family {
    /// `model_type`s of its config.json.
    pub model_types: &'static [&'static str],
    /// Its class in transformers.
    pub architecture: &'static str,
    spec: fn(Config<'_>) -> Result<Spec>,
    load: Load,
}

/// All families, a line each.
pub const FAMILIES: [&Family; 6] =
    [&llama::FAMILY, &qwen2::FAMILY, &gemma2::FAMILY, &gemma3::FAMILY, &phi::FAMILY, &gpt2::FAMILY];

/// The family of a `model_type`.
pub fn family(model_type: &str) -> Option<&'static Family> {
    FAMILIES.into_iter().find(|family| family.model_types.contains(&model_type))
}

/// All `model_type`s, for people.
pub fn supported() -> String {
    FAMILIES.iter().flat_map(|family| family.model_types).copied().collect::<Vec<_>>().join(", ")
}

/// Names of the tanh form of GELU in configurations.
const GELU_TANH: [&str; 3] = ["gelu_pytorch_tanh", "gelu_new", "gelu_fast"];

/// Builds the model that `config` describes from a loader's tensors.
pub async fn build(config: &serde_json::Value, loader: &Loader<'_>) -> Result<Transformer> {
    assemble(Spec::read(config)?, loader).await
}

/// The same from a configuration that is understood already.
pub(crate) async fn assemble(spec: Spec, loader: &Loader<'_>) -> Result<Transformer> {
    let family = family(spec.family).expect("a family that was understood");
    (family.load)(spec, loader).await
}

/// Blocks of the model that `config` describes, known before anything of it is loaded.
pub fn layers(config: &serde_json::Value) -> Result<usize> {
    Ok(Spec::read(config)?.shape.layers)
}

fn unsupported(model_type: &str) -> Error {
    Error::input(format!("model_type \"{model_type}\" is not supported")).hint(format!("supported: {}", supported()))
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
