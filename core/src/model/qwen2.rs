//! Qwen2 and Qwen2.5 (Yang et al. 2024). Follows transformers' `modeling_qwen2.py`: a Llama with biased q/k/v
//! projections and, in a few checkpoints, sliding windows in the upper layers.

use super::config::Config;
use super::llama::{Biases, Llama};
use super::loader::Loader;
use crate::error::Result;

/// Qwen2's configuration on the Llama body.
pub(super) struct Qwen2;

impl Qwen2 {
    pub(super) async fn load(config: Config<'_>, loader: &Loader<'_>) -> Result<Llama> {
        let layers = config.size("num_hidden_layers")?;
        let sliding = config.flag_or("use_sliding_window", false)?;
        let first = config.number_or("max_window_layers", 28.0)? as usize;
        let slides = config.sliding_layers(layers, |i| sliding && i >= first)?;
        let window = config.size_or("sliding_window", Some(4096))?;
        let windows = slides.into_iter().map(|slides| (slides && sliding).then_some(window)).collect();
        let biases = Biases { qkv: true, o: false, mlp: false };
        Llama::load_with(config, loader, &biases, windows, (1e4, 1e-6)).await
    }
}
