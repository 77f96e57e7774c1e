//! Gemma-2 (Gemma Team 2024). Follows transformers' `modeling_gemma2.py`: scaled embedding, `(1 + w)` RMSNorm before
//! and after each sublayer, alternating sliding window, soft-caps on scores and logits, GeGLU, tied head.

use super::block::{Block, Embedding, Head, Mlp, Transformer};
use super::config::Config;
use super::loader::Loader;
use super::rope_config::{self, RopeDefaults};
use super::spec::{Biases, NormKind, Spec};
use super::{Family, GELU_TANH, Heads, Shape};
use crate::error::Result;
use crate::tensor::activation::Activation;

/// The family.
pub(super) const FAMILY: Family = Family {
    model_types: &["gemma2"],
    architecture: "Gemma2ForCausalLM",
    spec,
    load: |spec, loader| Box::pin(load(spec, loader)),
};

/// Gemma-2's configuration.
fn spec(config: Config<'_>) -> Result<Spec> {
    config.expect_text("hidden_activation", &GELU_TANH)?;
    config.refuse_flag("use_bidirectional_attention", "gemma2")?;
    let width = config.size("hidden_size", 2304)?;
    let count = config.size("num_attention_heads", 8)?;
    let dim = config.size("head_dim", 256)?;
    let scale = config.number("query_pre_attn_scalar", 256.0)?.powf(-0.5);
    let base = super::heads(count, config.size("num_key_value_heads", 4)?, dim, scale)?;
    let soft_cap = config.number_or_null("attn_logit_softcapping", Some(50.0))?.map(|cap| cap as f32);
    let window = config.size("sliding_window", 4096)?;
    let layers = config.size("num_hidden_layers", 26)?;
    let slides = config.sliding_layers(layers, |i| i % 2 == 0)?;
    let longest = config.size("max_position_embeddings", 8192)?;
    let family = RopeDefaults { theta: 1e4, partial: None, positions: longest, head_dim: dim };
    let ropes = vec![rope_config::uniform(config, &family)?];
    let shape = Shape {
        layers,
        width,
        ff: config.size("intermediate_size", 9216)?,
        vocab: config.size("vocab_size", 256_000)?,
        positions: Spec::positions(longest, &ropes),
        parallel: false,
    };
    let attention = config.flag("attention_bias", false)?;
    let heads = |slides: bool| Heads { soft_cap, window: slides.then_some(window), ..base.clone() };
    Ok(Spec {
        family: "gemma2",
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
        logit_cap: config.number_or_null("final_logit_softcapping", Some(30.0))?,
        tied: config.flag("tie_word_embeddings", true)?,
    })
}

/// From tensors to a model; Gemma-3's have normed queries and keys, and a rotary table for each kind of layer.
pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Transformer> {
    let Spec { shape, heads, ropes, eps, biases, act, logit_cap, tied, .. } = spec;
    let (width, ff, bias) = (shape.width, shape.ff, biases.qkv);
    let third = spec.family == "gemma3_text";
    let ropes = ropes.iter().map(|rope| loader.rope(rope, shape.positions)).collect::<Result<Vec<_>>>()?;

    // A text model, or the text part of a larger one. transformers 5 keeps the head outside of the language model.
    let roots = ["model.", "language_model.model.", "model.language_model.", ""];
    let root = loader.prefix(if third { &roots[..] } else { &["model.", ""] }, "norm.weight");
    let outer = if root == "language_model.model." { "language_model." } else { "" };
    let (embed_name, head_name) = (format!("{root}embed_tokens.weight"), format!("{outer}lm_head.weight"));
    let tokens = loader.embedding(tied, &embed_name, &head_name, shape.vocab, width).await?;
    let mut blocks = Vec::new();
    for (i, heads) in heads.into_iter().enumerate() {
        let p = format!("{root}layers.{i}");
        let (attn, mlp) = (format!("{p}.self_attn"), format!("{p}.mlp"));
        let (mixed, kv) = (heads.count * heads.dim, heads.kv * heads.dim);
        let norm = async |name: &str, n| loader.rms_norm(&format!("{p}.{name}"), n, eps, true).await;
        let qkv = ["q_proj", "k_proj", "v_proj"].map(|name| format!("{attn}.{name}"));
        let qkv = [(qkv[0].as_str(), mixed), (&qkv[1], kv), (&qkv[2], kv)];
        let ([q, k, v], qkv) = loader.linears(qkv, width, bias).await?;
        let gate_up = ["gate_proj", "up_proj"].map(|name| format!("{mlp}.{name}"));
        let ([gate, up], joined) = loader.linears([(&gate_up[0], ff), (&gate_up[1], ff)], width, false).await?;
        blocks.push(Block {
            norm: norm("input_layernorm", width).await?,
            q,
            k,
            v,
            qkv,
            qk_norm: match third {
                true => Some([norm("self_attn.q_norm", heads.dim).await?, norm("self_attn.k_norm", heads.dim).await?]),
                false => None,
            },
            // Gemma-3's full layers have the first table, its sliding ones the second.
            rope: Some(usize::from(third && heads.window.is_some())),
            heads,
            o: loader.linear(&format!("{attn}.o_proj"), width, mixed, bias).await?,
            after_attention: Some(norm("post_attention_layernorm", width).await?),
            mlp_norm: Some(norm("pre_feedforward_layernorm", width).await?),
            mlp: Mlp::Gated { gate, up, joined, act },
            down: loader.linear(&format!("{mlp}.down_proj"), width, ff, false).await?,
            after_mlp: Some(norm("post_feedforward_layernorm", width).await?),
        });
    }
    let norm = loader.rms_norm(&format!("{root}norm"), width, eps, true).await?;
    let table = loader.head(tied, &head_name, shape.vocab, width).await?;
    // A multimodal checkpoint carries its vision tower too; the text model is complete without it.
    let aside = |name: &str| third && (name.contains("vision_tower.") || name.contains("multi_modal_projector."));
    loader.finish(|name| aside(name) || (!third && name.ends_with("rotary_emb.inv_freq")))?;
    Ok(Transformer {
        shape,
        embedding: Embedding { tokens, scale: spec.embed_scale, positions: None },
        ropes,
        blocks,
        head: Head { norm, table, bias: None, cap: logit_cap },
    })
}
