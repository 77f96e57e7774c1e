//! Qwen2 and Qwen2.5 (Yang et al. 2024). Follows transformers' `modeling_qwen2.py`: a Llama with biased q/k/v
//! projections and, in a few checkpoints, sliding windows in the upper layers. [`super::llama::load`] loads it.

use super::Family;
use super::config::Config;
use super::llama::{Body, body};
use super::spec::{Biases, Spec};
use crate::error::{Error, Result};

/// The family.
pub(super) const FAMILY: Family = Family {
    model_types: &["qwen2"],
    architecture: "Qwen2ForCausalLM",
    spec,
    load: |spec, loader| Box::pin(super::llama::load(spec, loader)),
};

/// Qwen2's configuration.
fn spec(config: Config<'_>) -> Result<Spec> {
    let layers = config.size("num_hidden_layers", 32)?;
    let count = config.size("num_attention_heads", 32)?;
    let window = match config.flag("use_sliding_window", false)? {
        true => config.size_or_null("sliding_window", Some(4096))?,
        false => None,
    };
    let first = config.number("max_window_layers", 28.0)? as usize;
    let slides = config.sliding_layers(layers, |i| window.is_some() && i >= first)?;
    if window.is_none() && slides.contains(&true) {
        return Err(Error::input(
            "config.json: `layer_types` has sliding layers, but `use_sliding_window` is not true",
        )
        .hint("take config.json from the model's own repository"));
    }
    let family = Body {
        name: "qwen2",
        windows: slides.into_iter().map(|slides| window.filter(|_| slides)).collect(),
        biases: Biases { qkv: true, o: false, mlp: false, head: false },
        kv: config.size_or_null("num_key_value_heads", Some(32))?.unwrap_or(count),
        ff: config.size("intermediate_size", 22_016)?,
        vocab: config.size("vocab_size", 151_936)?,
        longest: config.size("max_position_embeddings", 32_768)?,
    };
    body(config, count, family)
}
