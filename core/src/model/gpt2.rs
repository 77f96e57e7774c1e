//! GPT-2 (Radford et al. 2019). Follows transformers' `modeling_gpt2.py`: learned positions, fused q/k/v in the
//! transposed `Conv1D` layout, LayerNorm, GELU, tied head.

use super::block::{Block, Embedding, Head, Mlp, Transformer};
use super::config::Config;
use super::loader::Loader;
use super::spec::{Biases, NormKind, Spec};
use super::{Family, GELU_TANH, Shape};
use crate::error::{Error, Result};
use crate::tensor::activation::Activation;

/// The family.
pub(super) const FAMILY: Family = Family {
    model_types: &["gpt2"],
    architecture: "GPT2LMHeadModel",
    spec,
    load: |spec, loader| Box::pin(load(spec, loader)),
};

/// GPT-2's configuration. transformers takes the other families' names of four keys as well.
fn spec(config: Config<'_>) -> Result<Spec> {
    config.expect_text("activation_function", &GELU_TANH)?;
    if !config.flag("scale_attn_weights", true)? {
        return Err(Error::input("config.json: `scale_attn_weights` = false is not supported for gpt2")
            .hint("the published models of the family do not use it"));
    }
    config.refuse_flag("scale_attn_by_inverse_layer_idx", "gpt2")?;
    config.refuse_flag("add_cross_attention", "gpt2")?;
    let size = |key: &str, other: &str, absent: usize| config.size(other, config.size(key, absent)?);
    let width = size("n_embd", "hidden_size", 768)?;
    let count = size("n_head", "num_attention_heads", 12)?;
    let layers = size("n_layer", "num_hidden_layers", 12)?;
    let longest = size("n_positions", "max_position_embeddings", 1024)?;
    if !width.is_multiple_of(count) {
        return Err(Error::input(format!("config.json: width {width} is not a multiple of {count} heads"))
            .hint("take config.json from the model's own repository"));
    }
    let dim = width / count;
    let shape = Shape {
        layers,
        width,
        ff: config.size_or_null("n_inner", None)?.unwrap_or(4 * width),
        vocab: config.size("vocab_size", 50_257)?,
        positions: Spec::positions(longest, &[]),
        parallel: false,
    };
    Ok(Spec {
        family: "gpt2",
        shape,
        longest,
        heads: vec![super::heads(count, count, dim, (dim as f64).powf(-0.5))?; layers],
        ropes: Vec::new(),
        norm: NormKind::Layer,
        eps: config.number("layer_norm_epsilon", 1e-5)?,
        act: Activation::GeluTanh,
        gated: false,
        biases: Biases { qkv: true, o: true, mlp: true, head: false },
        embed_scale: None,
        logit_cap: None,
        tied: config.flag("tie_word_embeddings", true)?,
    })
}

/// From tensors to a model.
pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Transformer> {
    let Spec { shape, longest, heads, eps, act, tied, .. } = spec;
    let (width, ff) = (shape.width, shape.ff);

    let root = loader.prefix(&["transformer.", ""], "wte.weight");
    let tokens = loader.embedding(tied, &format!("{root}wte.weight"), "lm_head.weight", shape.vocab, width).await?;
    let positions = loader.table(&format!("{root}wpe.weight"), longest, width).await?;
    let mut blocks = Vec::new();
    for (i, heads) in heads.into_iter().enumerate() {
        let p = format!("{root}h.{i}");
        // Query, key and value are thirds of one tensor.
        let ([q, k, v], qkv) = loader.conv1d_parts(&format!("{p}.attn.c_attn"), width, width).await?;
        blocks.push(Block {
            norm: loader.layer_norm(&format!("{p}.ln_1"), width, eps).await?,
            q,
            k,
            v,
            qkv,
            qk_norm: None,
            rope: None,
            heads,
            o: loader.conv1d(&format!("{p}.attn.c_proj"), width, width).await?,
            after_attention: None,
            mlp_norm: Some(loader.layer_norm(&format!("{p}.ln_2"), width, eps).await?),
            mlp: Mlp::Plain { up: loader.conv1d(&format!("{p}.mlp.c_fc"), ff, width).await?, act },
            down: loader.conv1d(&format!("{p}.mlp.c_proj"), width, ff).await?,
            after_mlp: None,
        });
    }
    let norm = loader.layer_norm(&format!("{root}ln_f"), width, eps).await?;
    let table = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
    // Old exports carry the causal mask as a buffer.
    loader.finish(|name| name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"))?;
    Ok(Transformer {
        shape,
        embedding: Embedding { tokens, scale: None, positions: Some(positions) },
        ropes: Vec::new(),
        blocks,
        head: Head { norm, table, bias: None, cap: None },
    })
}
