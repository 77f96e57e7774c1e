//! Phi-1, Phi-1.5 and Phi-2 (Li et al. 2023, Javaheripi & Bubeck 2023). Follows transformers' `modeling_phi.py`:
//! attention and MLP read the same normed input, partial rotary embedding, LayerNorm, biases everywhere.

use super::block::{Block, Embedding, Head, Mlp, Transformer};
use super::config::Config;
use super::loader::Loader;
use super::rope_config::{self, RopeDefaults};
use super::spec::{Biases, NormKind, Spec};
use super::{Family, GELU_TANH, Shape};
use crate::error::Result;
use crate::tensor::activation::Activation;

/// The family.
pub(super) const FAMILY: Family = Family {
    model_types: &["phi"],
    architecture: "PhiForCausalLM",
    spec,
    load: |spec, loader| Box::pin(load(spec, loader)),
};

/// Phi's configuration.
fn spec(config: Config<'_>) -> Result<Spec> {
    config.expect_text("hidden_act", &GELU_TANH)?;
    config.refuse_flag("qk_layernorm", "phi")?;
    let width = config.size("hidden_size", 2048)?;
    let count = config.size("num_attention_heads", 32)?;
    let kv = config.size_or_null("num_key_value_heads", None)?.unwrap_or(count);
    let dim = super::head_dim(config, width, count)?;
    let layers = config.size("num_hidden_layers", 24)?;
    let longest = config.size("max_position_embeddings", 2048)?;
    let family = RopeDefaults { theta: 1e4, partial: Some(0.5), positions: longest, head_dim: dim };
    let ropes = vec![rope_config::uniform(config, &family)?];
    let shape = Shape {
        layers,
        width,
        ff: config.size("intermediate_size", 8192)?,
        vocab: config.size("vocab_size", 51_200)?,
        positions: Spec::positions(longest, &ropes),
        parallel: true,
    };
    Ok(Spec {
        family: "phi",
        shape,
        longest,
        heads: vec![super::heads(count, kv, dim, (dim as f64).powf(-0.5))?; layers],
        ropes,
        norm: NormKind::Layer,
        eps: config.number("layer_norm_eps", 1e-5)?,
        act: Activation::GeluTanh,
        gated: false,
        biases: Biases { qkv: true, o: true, mlp: true, head: true },
        embed_scale: None,
        logit_cap: None,
        tied: config.flag("tie_word_embeddings", false)?,
    })
}

/// From tensors to a model.
pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Transformer> {
    let Spec { shape, heads, ropes, eps, act, tied, .. } = spec;
    let (width, ff) = (shape.width, shape.ff);
    let rope = loader.rope(&ropes[0], shape.positions)?;

    let root = loader.prefix(&["model.", ""], "final_layernorm.weight");
    let embed_name = format!("{root}embed_tokens.weight");
    let tokens = loader.embedding(tied, &embed_name, "lm_head.weight", shape.vocab, width).await?;
    let mut blocks = Vec::new();
    for (i, heads) in heads.into_iter().enumerate() {
        let p = format!("{root}layers.{i}");
        let attn = format!("{p}.self_attn");
        let (mixed, kv) = (heads.count * heads.dim, heads.kv * heads.dim);
        let qkv = ["q_proj", "k_proj", "v_proj"].map(|name| format!("{attn}.{name}"));
        let qkv = [(qkv[0].as_str(), mixed), (&qkv[1], kv), (&qkv[2], kv)];
        let ([q, k, v], qkv) = loader.linears(qkv, width, true).await?;
        blocks.push(Block {
            norm: loader.layer_norm(&format!("{p}.input_layernorm"), width, eps).await?,
            q,
            k,
            v,
            qkv,
            qk_norm: None,
            rope: Some(0),
            heads,
            o: loader.linear(&format!("{attn}.dense"), width, mixed, true).await?,
            after_attention: None,
            // The MLP reads what attention reads.
            mlp_norm: None,
            mlp: Mlp::Plain { up: loader.linear(&format!("{p}.mlp.fc1"), ff, width, true).await?, act },
            down: loader.linear(&format!("{p}.mlp.fc2"), width, ff, true).await?,
            after_mlp: None,
        });
    }
    let norm = loader.layer_norm(&format!("{root}final_layernorm"), width, eps).await?;
    let table = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
    let bias = Some(loader.vector("lm_head.bias", shape.vocab).await?);
    loader.finish(|name| name.ends_with("rotary_emb.inv_freq"))?;
    Ok(Transformer {
        shape,
        embedding: Embedding { tokens, scale: None, positions: None },
        ropes: vec![rope],
        blocks,
        head: Head { norm, table, bias, cap: None },
    })
}
