//! Llama 2 and 3 (Touvron et al. 2023, Grattafiori et al. 2024), and plain Llamas such as SmolLM2. Follows
//! transformers' `modeling_llama.py`: RMSNorm, grouped-query attention, RoPE, SwiGLU.

use super::block::{Block, Embedding, Head, Mlp, Transformer};
use super::config::Config;
use super::loader::Loader;
use super::rope_config::{self, RopeDefaults};
use super::spec::{Biases, NormKind, Spec};
use super::{Family, Heads, Shape};
use crate::error::Result;
use crate::tensor::activation::Activation;

/// The family.
pub(super) const FAMILY: Family = Family {
    model_types: &["llama"],
    architecture: "LlamaForCausalLM",
    spec,
    load: |spec, loader| Box::pin(load(spec, loader)),
};

/// Llama's configuration.
fn spec(config: Config<'_>) -> Result<Spec> {
    let attention = config.flag("attention_bias", false)?;
    let biases = Biases { qkv: attention, o: attention, mlp: config.flag("mlp_bias", false)?, head: false };
    let layers = config.size("num_hidden_layers", 32)?;
    let count = config.size("num_attention_heads", 32)?;
    let family = Body {
        name: "llama",
        windows: vec![None; layers],
        biases,
        kv: config.size_or_null("num_key_value_heads", None)?.unwrap_or(count),
        ff: config.size("intermediate_size", 11_008)?,
        vocab: config.size("vocab_size", 32_000)?,
        longest: config.size("max_position_embeddings", 2048)?,
    };
    body(config, count, family)
}

/// What Llama and Qwen2 have different keys or defaults for.
pub(super) struct Body {
    pub(super) name: &'static str,
    pub(super) windows: Vec<Option<usize>>,
    pub(super) biases: Biases,
    pub(super) kv: usize,
    pub(super) ff: usize,
    pub(super) vocab: usize,
    pub(super) longest: usize,
}

/// The configuration of both.
pub(super) fn body(config: Config<'_>, count: usize, own: Body) -> Result<Spec> {
    config.expect_text("hidden_act", &["silu", "swish"])?;
    let width = config.size("hidden_size", 4096)?;
    let dim = super::head_dim(config, width, count)?;
    let base = super::heads(count, own.kv, dim, (dim as f64).powf(-0.5))?;
    let family = RopeDefaults { theta: 1e4, partial: None, positions: own.longest, head_dim: dim };
    let ropes = vec![rope_config::uniform(config, &family)?];
    Ok(Spec {
        family: own.name,
        shape: Shape {
            layers: own.windows.len(),
            width,
            ff: own.ff,
            vocab: own.vocab,
            positions: Spec::positions(own.longest, &ropes),
            parallel: false,
        },
        longest: own.longest,
        heads: own.windows.into_iter().map(|window| Heads { window, ..base.clone() }).collect(),
        ropes,
        norm: NormKind::Rms,
        eps: config.number("rms_norm_eps", 1e-6)?,
        act: Activation::Silu,
        gated: true,
        biases: own.biases,
        embed_scale: None,
        logit_cap: None,
        tied: config.flag("tie_word_embeddings", false)?,
    })
}

/// From tensors to a model; Qwen2's differ by their biases.
pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Transformer> {
    let Spec { shape, heads, ropes, eps, biases, act, tied, .. } = spec;
    let (width, ff) = (shape.width, shape.ff);
    let rope = loader.rope(&ropes[0], shape.positions)?;

    let root = loader.prefix(&["model.", ""], "norm.weight");
    let embed_name = format!("{root}embed_tokens.weight");
    let tokens = loader.embedding(tied, &embed_name, "lm_head.weight", shape.vocab, width).await?;
    let mut blocks = Vec::new();
    for (i, heads) in heads.into_iter().enumerate() {
        let p = format!("{root}layers.{i}");
        let (attn, mlp) = (format!("{p}.self_attn"), format!("{p}.mlp"));
        let (mixed, kv) = (heads.count * heads.dim, heads.kv * heads.dim);
        let qkv = ["q_proj", "k_proj", "v_proj"].map(|name| format!("{attn}.{name}"));
        let qkv = [(qkv[0].as_str(), mixed), (&qkv[1], kv), (&qkv[2], kv)];
        let ([q, k, v], qkv) = loader.linears(qkv, width, biases.qkv).await?;
        let gate_up = ["gate_proj", "up_proj"].map(|name| format!("{mlp}.{name}"));
        let ([gate, up], joined) = loader.linears([(&gate_up[0], ff), (&gate_up[1], ff)], width, biases.mlp).await?;
        blocks.push(Block {
            norm: loader.rms_norm(&format!("{p}.input_layernorm"), width, eps, false).await?,
            q,
            k,
            v,
            qkv,
            qk_norm: None,
            rope: Some(0),
            heads,
            o: loader.linear(&format!("{attn}.o_proj"), width, mixed, biases.o).await?,
            after_attention: None,
            mlp_norm: Some(loader.rms_norm(&format!("{p}.post_attention_layernorm"), width, eps, false).await?),
            mlp: Mlp::Gated { gate, up, joined, act },
            down: loader.linear(&format!("{mlp}.down_proj"), width, ff, biases.mlp).await?,
            after_mlp: None,
        });
    }
    let norm = loader.rms_norm(&format!("{root}norm"), width, eps, false).await?;
    let table = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
    loader.finish(|name| name.ends_with("rotary_emb.inv_freq"))?;
    Ok(Transformer {
        shape,
        embedding: Embedding { tokens, scale: None, positions: None },
        ropes: vec![rope],
        blocks,
        head: Head { norm, table, bias: None, cap: None },
    })
}
