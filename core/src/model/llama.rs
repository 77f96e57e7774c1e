//! Llama 2 and 3 (Touvron et al. 2023, Grattafiori et al. 2024), and plain Llamas such as SmolLM2. Follows
//! transformers' `modeling_llama.py`: RMSNorm, grouped-query attention, RoPE, SwiGLU.

use super::blocks::{Attention, GatedMlp, Linear, Norm, Projected, Table};
use super::config::Config;
use super::loader::Loader;
use super::ops::Gate;
use super::rope::{Rope, RopeRows};
use super::rope_spec::{self, Family};
use super::spec::{Biases, NormKind, Spec};
use super::{Decoder, Heads, Shape};
use crate::error::Result;
use burn::tensor::Tensor;

struct Block {
    input_norm: Norm,
    attention: Attention,
    post_norm: Norm,
    mlp: GatedMlp,
}

/// A Llama; also the body of Qwen2, which differs by its q/k/v bias.
pub(super) struct Llama {
    shape: Shape,
    heads: Vec<Heads>,
    ropes: [Rope; 1],
    embed: Table,
    blocks: Vec<Block>,
    norm: Norm,
    /// `None` when tied to the embedding.
    head: Option<Table>,
    /// Prefix of the tensor names: none where the body was saved without its head.
    root: String,
}

/// Llama's configuration.
pub(super) fn spec(config: Config<'_>) -> Result<Spec> {
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
    let family = Family { theta: 1e4, partial: None, positions: own.longest, head_dim: dim };
    let ropes = vec![rope_spec::uniform(config, &family)?];
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
        act: Gate::Silu,
        gated: true,
        biases: own.biases,
        embed_scale: None,
        logit_cap: None,
        tied: config.flag("tie_word_embeddings", false)?,
    })
}

impl Llama {
    pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Self> {
        let Spec { shape, heads, ropes, eps, biases, act, tied, .. } = spec;
        let Heads { count, kv, dim: head_dim, .. } = heads[0];
        let width = shape.width;
        let rope = loader.rope(&ropes[0], shape.positions)?;

        let root = loader.prefix(&["model.", ""], "norm.weight");
        let embed_name = format!("{root}embed_tokens.weight");
        let embed = loader.embedding(tied, &embed_name, "lm_head.weight", shape.vocab, width).await?;
        let mut blocks = Vec::new();
        for i in 0..shape.layers {
            let p = format!("{root}layers.{i}");
            let attn = format!("{p}.self_attn");
            let mlp = format!("{p}.mlp");
            blocks.push(Block {
                input_norm: loader.rms_norm(&format!("{p}.input_layernorm"), width, eps, false).await?,
                attention: Attention {
                    q: loader.linear(&format!("{attn}.q_proj"), count * head_dim, width, biases.qkv).await?,
                    k: loader.linear(&format!("{attn}.k_proj"), kv * head_dim, width, biases.qkv).await?,
                    v: loader.linear(&format!("{attn}.v_proj"), kv * head_dim, width, biases.qkv).await?,
                    o: loader.linear(&format!("{attn}.o_proj"), width, count * head_dim, biases.o).await?,
                },
                post_norm: loader.rms_norm(&format!("{p}.post_attention_layernorm"), width, eps, false).await?,
                mlp: GatedMlp {
                    gate: loader.linear(&format!("{mlp}.gate_proj"), shape.ff, width, biases.mlp).await?,
                    up: loader.linear(&format!("{mlp}.up_proj"), shape.ff, width, biases.mlp).await?,
                    down: loader.linear(&format!("{mlp}.down_proj"), width, shape.ff, biases.mlp).await?,
                    act,
                },
            });
        }
        let norm = loader.rms_norm(&format!("{root}norm"), width, eps, false).await?;
        let head = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
        loader.finish(|name| name.ends_with("rotary_emb.inv_freq"))?;
        Ok(Self { shape, heads, ropes: [rope], embed, blocks, norm, head, root })
    }
}

impl Decoder for Llama {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn heads(&self, layer: usize) -> &Heads {
        &self.heads[layer - 1]
    }

    fn ropes(&self) -> &[Rope] {
        &self.ropes
    }

    fn embed_tokens(&self, ids: &[u32]) -> Tensor<2> {
        self.embed.lookup(ids)
    }

    fn project(&self, layer: usize, h: Tensor<2>, ropes: &[RopeRows]) -> Projected {
        let block = &self.blocks[layer - 1];
        let dim = self.heads(layer).dim;
        let Projected { q, k, v } = block.attention.project(block.input_norm.forward(h));
        Projected { q: ropes[0].rotate(q, dim), k: ropes[0].rotate(k, dim), v }
    }

    fn attention(&self, layer: usize, mixed: Tensor<2>) -> Tensor<2> {
        self.blocks[layer - 1].attention.o.forward(mixed)
    }

    fn mlp_key(&self, layer: usize, h: Tensor<2>) -> Tensor<2> {
        let block = &self.blocks[layer - 1];
        block.mlp.key(block.post_norm.forward(h))
    }

    fn logits(&self, h: Tensor<2>) -> Tensor<2> {
        self.head.as_ref().unwrap_or(&self.embed).logits(self.norm.forward(h))
    }

    fn down_proj(&self, layer: usize) -> &Linear {
        &self.blocks[layer - 1].mlp.down
    }

    fn down_proj_name(&self, layer: usize) -> String {
        format!("{}layers.{}.mlp.down_proj.weight", self.root, layer - 1)
    }

    fn set_down_proj(&mut self, layer: usize, down: Linear) {
        self.blocks[layer - 1].mlp.down = down;
    }
}
