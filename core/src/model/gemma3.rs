//! Gemma-3's text model (Gemma Team 2025). Follows transformers' `modeling_gemma3.py`: Gemma-2 without soft-caps, with
//! normed queries and keys, five sliding layers to one full, and a RoPE base for each kind. [`super::gemma2::load`] loads
//! it.

use super::config::{Config, FULL, SLIDING};
use super::rope_config::{self, RopeDefaults};
use super::spec::{Biases, NormKind, Spec};
use super::{Family, GELU_TANH, Heads, Shape};
use crate::error::{Error, Result};
use crate::tensor::activation::Activation;

/// The family.
pub(super) const FAMILY: Family = Family {
    model_types: &["gemma3_text", "gemma3"],
    architecture: "Gemma3ForCausalLM",
    spec,
    load: |spec, loader| Box::pin(super::gemma2::load(spec, loader)),
};

/// Gemma-3's configuration: of a text model, or of a larger one that has a text part.
fn spec(config: Config<'_>) -> Result<Spec> {
    if config.model_type()? != "gemma3" {
        return text(config);
    }
    let part = config.0.get("text_config").ok_or_else(|| {
        Error::input("config.json of a gemma3 model has no `text_config`")
            .hint("take config.json from the model's own repository")
    })?;
    // The tie is the whole model's, whatever the text part says; and only the class of the text model caps its logits.
    Ok(Spec { tied: config.flag("tie_word_embeddings", true)?, logit_cap: None, ..text(Config(part))? })
}

fn text(config: Config<'_>) -> Result<Spec> {
    config.expect_text("hidden_activation", &GELU_TANH)?;
    config.refuse_flag("use_bidirectional_attention", "gemma3")?;
    let width = config.size("hidden_size", 2304)?;
    let count = config.size("num_attention_heads", 8)?;
    let dim = config.size("head_dim", 256)?;
    let scale = config.number("query_pre_attn_scalar", 256.0)?.powf(-0.5);
    let base = super::heads(count, config.size("num_key_value_heads", 4)?, dim, scale)?;
    // Read by transformers' configuration, but by no computation.
    config.number_or_null("attn_logit_softcapping", None)?;
    let window = config.size("sliding_window", 4096)?;
    let pattern = config.size("sliding_window_pattern", 6)?;
    let layers = config.size("num_hidden_layers", 26)?;
    let slides = config.sliding_layers(layers, |i| (i + 1) % pattern != 0)?;
    let longest = config.size("max_position_embeddings", 131_072)?;
    let family = RopeDefaults { theta: 1e6, partial: None, positions: longest, head_dim: dim };
    // Each kind of layer has its own base, and `rope_scaling` is for the full layers only.
    let (global, local) = (config.number("rope_theta", 1e6)?, config.number("rope_local_base_freq", 1e4)?);
    let ropes = vec![
        rope_config::of_kind(config, FULL, true, global, &family)?,
        rope_config::of_kind(config, SLIDING, false, local, &family)?,
    ];
    let shape = Shape {
        layers,
        width,
        ff: config.size("intermediate_size", 9216)?,
        vocab: config.size("vocab_size", 262_208)?,
        positions: Spec::positions(longest, &ropes),
        parallel: false,
    };
    let attention = config.flag("attention_bias", false)?;
    let heads = |slides: bool| Heads { window: slides.then_some(window), ..base.clone() };
    Ok(Spec {
        family: "gemma3_text",
        shape,
        longest,
        heads: slides.into_iter().map(heads).collect(),
        ropes,
        norm: NormKind::RmsPlusOne,
        eps: config.number("rms_norm_eps", 1e-6)?,
        act: Activation::GeluTanh,
        gated: true,
        biases: Biases { qkv: attention, o: attention, mlp: false, head: false },
        embed_scale: Some((width as f64).sqrt()),
        logit_cap: config.number_or_null("final_logit_softcapping", None)?,
        tied: config.flag("tie_word_embeddings", true)?,
    })
}
