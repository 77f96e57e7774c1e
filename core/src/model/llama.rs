//! Llama 2 and 3 (Touvron et al. 2023, Grattafiori et al. 2024), and plain Llamas such as SmolLM2. Follows
//! transformers' `modeling_llama.py`: RMSNorm, grouped-query attention, RoPE, SwiGLU.

use super::blocks::{Attention, GatedMlp, Linear, Norm, Projected, Table};
use super::config::Config;
use super::loader::Loader;
use super::ops::Gate;
use super::rope::{Rope, RopeRows};
use super::{Decoder, Heads, MAX_POSITIONS, Shape};
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
}

/// What the two families that share this body have different defaults for.
pub(super) struct Biases {
    pub(super) qkv: bool,
    pub(super) o: bool,
    pub(super) mlp: bool,
}

impl Llama {
    pub(super) async fn load(config: Config<'_>, loader: &Loader<'_>) -> Result<Self> {
        let attention = config.flag_or("attention_bias", false)?;
        let biases = Biases { qkv: attention, o: attention, mlp: config.flag_or("mlp_bias", false)? };
        let layers = config.size("num_hidden_layers")?;
        Self::load_with(config, loader, &biases, vec![None; layers], (1e4, 1e-6)).await
    }

    /// `windows` per layer; `(theta, eps)` are the family's defaults.
    pub(super) async fn load_with(
        config: Config<'_>,
        loader: &Loader<'_>,
        biases: &Biases,
        windows: Vec<Option<usize>>,
        (theta, eps): (f64, f64),
    ) -> Result<Self> {
        config.expect_text("hidden_act", &["silu", "swish"])?;
        let width = config.size("hidden_size")?;
        let count = config.size("num_attention_heads")?;
        let kv = config.size_or("num_key_value_heads", Some(count))?;
        let head_dim = super::head_dim(config, width, count)?;
        let shape = Shape {
            layers: windows.len(),
            width,
            ff: config.size("intermediate_size")?,
            vocab: config.size("vocab_size")?,
            positions: config.size_or("max_position_embeddings", Some(2048))?.min(MAX_POSITIONS),
            parallel: false,
        };
        let eps = config.number_or("rms_norm_eps", eps)?;
        let base = super::heads(count, kv, head_dim, (head_dim as f64).powf(-0.5))?;
        let heads = windows.into_iter().map(|window| Heads { window, ..base.clone() }).collect();
        let rope =
            loader.rope(&config.rope(head_dim, None, config.number_or("rope_theta", theta)?)?, shape.positions).await?;

        let embed = loader.table("model.embed_tokens.weight", shape.vocab, width).await?;
        let mut blocks = Vec::new();
        for i in 0..shape.layers {
            let p = format!("model.layers.{i}");
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
                    act: Gate::Silu,
                },
            });
        }
        let norm = loader.rms_norm("model.norm", width, eps, false).await?;
        let tied = config.flag_or("tie_word_embeddings", false)?;
        let head = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
        loader.finish(|name| name.ends_with("rotary_emb.inv_freq") || (tied && name == "lm_head.weight"))?;
        Ok(Self { shape, heads, ropes: [rope], embed, blocks, norm, head })
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

    fn set_down_proj(&mut self, layer: usize, down: Linear) {
        self.blocks[layer - 1].mlp.down = down;
    }
}
