//! Gemma-2 (Gemma Team 2024). Follows transformers' `modeling_gemma2.py`: scaled embedding, `(1 + w)` RMSNorm before
//! and after each sublayer, alternating sliding window, soft-caps on scores and logits, GeGLU, tied head.

use super::blocks::{Attention, GatedMlp, Linear, Norm, Projected, Table};
use super::config::Config;
use super::loader::Loader;
use super::ops::{self, Gate};
use super::rope::{Rope, RopeRows};
use super::{Decoder, Heads, MAX_POSITIONS, Shape};
use crate::error::Result;
use burn::tensor::Tensor;

struct Block {
    input_norm: Norm,
    attention: Attention,
    post_attention_norm: Norm,
    pre_mlp_norm: Norm,
    mlp: GatedMlp,
    post_mlp_norm: Norm,
}

/// Gemma-2.
pub(super) struct Gemma2 {
    shape: Shape,
    heads: Vec<Heads>,
    ropes: [Rope; 1],
    embed: Table,
    scale: f64,
    blocks: Vec<Block>,
    norm: Norm,
    /// `None` when tied to the embedding, as in every release.
    head: Option<Table>,
    logit_cap: Option<f64>,
}

impl Gemma2 {
    pub(super) async fn load(config: Config<'_>, loader: &Loader<'_>) -> Result<Self> {
        config.expect_text("hidden_activation", &["gelu_pytorch_tanh"])?;
        let width = config.size("hidden_size")?;
        let count = config.size("num_attention_heads")?;
        let kv = config.size("num_key_value_heads")?;
        let head_dim = config.size_or("head_dim", Some(256))?;
        let shape = Shape {
            layers: config.size("num_hidden_layers")?,
            width,
            ff: config.size("intermediate_size")?,
            vocab: config.size("vocab_size")?,
            positions: config.size_or("max_position_embeddings", Some(8192))?.min(MAX_POSITIONS),
            parallel: false,
        };
        let eps = config.number_or("rms_norm_eps", 1e-6)?;
        let scale = config.number_or("query_pre_attn_scalar", 256.0)?.powf(-0.5);
        let base = super::heads(count, kv, head_dim, scale)?;
        let cap = config.number("attn_logit_softcapping")?.map(|cap| cap as f32);
        let window = config.size_or("sliding_window", Some(4096))?;
        // The first layer slides, the second sees everything, and so on.
        let slides = config.sliding_layers(shape.layers, |i| i % 2 == 0)?;
        let heads = slides
            .into_iter()
            .map(|slides| Heads { soft_cap: cap, window: slides.then_some(window), ..base.clone() })
            .collect();
        let rope =
            loader.rope(&config.rope(head_dim, None, config.number_or("rope_theta", 1e4)?)?, shape.positions).await?;

        let embed = loader.table("model.embed_tokens.weight", shape.vocab, width).await?;
        let bias = config.flag_or("attention_bias", false)?;
        let mut blocks = Vec::new();
        for i in 0..shape.layers {
            let p = format!("model.layers.{i}");
            let attn = format!("{p}.self_attn");
            let mlp = format!("{p}.mlp");
            let norm = async |name: &str| loader.rms_norm(&format!("{p}.{name}"), width, eps, true).await;
            blocks.push(Block {
                input_norm: norm("input_layernorm").await?,
                attention: Attention {
                    q: loader.linear(&format!("{attn}.q_proj"), count * head_dim, width, bias).await?,
                    k: loader.linear(&format!("{attn}.k_proj"), kv * head_dim, width, bias).await?,
                    v: loader.linear(&format!("{attn}.v_proj"), kv * head_dim, width, bias).await?,
                    o: loader.linear(&format!("{attn}.o_proj"), width, count * head_dim, bias).await?,
                },
                post_attention_norm: norm("post_attention_layernorm").await?,
                pre_mlp_norm: norm("pre_feedforward_layernorm").await?,
                mlp: GatedMlp {
                    gate: loader.linear(&format!("{mlp}.gate_proj"), shape.ff, width, false).await?,
                    up: loader.linear(&format!("{mlp}.up_proj"), shape.ff, width, false).await?,
                    down: loader.linear(&format!("{mlp}.down_proj"), width, shape.ff, false).await?,
                    act: Gate::GeluTanh,
                },
                post_mlp_norm: norm("post_feedforward_layernorm").await?,
            });
        }
        let norm = loader.rms_norm("model.norm", width, eps, true).await?;
        let tied = config.flag_or("tie_word_embeddings", true)?;
        let head = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
        loader.finish(|name| name == "lm_head.weight" || name.ends_with("rotary_emb.inv_freq"))?;
        let logit_cap = config.number("final_logit_softcapping")?;
        let scale = (width as f64).sqrt();
        Ok(Self { shape, heads, ropes: [rope], embed, scale, blocks, norm, head, logit_cap })
    }
}

impl Decoder for Gemma2 {
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
        self.embed.lookup(ids) * self.scale
    }

    fn project(&self, layer: usize, h: Tensor<2>, ropes: &[RopeRows]) -> Projected {
        let block = &self.blocks[layer - 1];
        let dim = self.heads(layer).dim;
        let Projected { q, k, v } = block.attention.project(block.input_norm.forward(h));
        Projected { q: ropes[0].rotate(q, dim), k: ropes[0].rotate(k, dim), v }
    }

    fn attention(&self, layer: usize, mixed: Tensor<2>) -> Tensor<2> {
        let block = &self.blocks[layer - 1];
        block.post_attention_norm.forward(block.attention.o.forward(mixed))
    }

    fn mlp_key(&self, layer: usize, h: Tensor<2>) -> Tensor<2> {
        let block = &self.blocks[layer - 1];
        block.mlp.key(block.pre_mlp_norm.forward(h))
    }

    fn mlp(&self, layer: usize, value: Tensor<2>) -> Tensor<2> {
        self.blocks[layer - 1].post_mlp_norm.forward(value)
    }

    fn logits(&self, h: Tensor<2>) -> Tensor<2> {
        let logits = self.head.as_ref().unwrap_or(&self.embed).logits(self.norm.forward(h));
        match self.logit_cap {
            Some(cap) => ops::soft_cap(logits, cap),
            None => logits,
        }
    }

    fn down_proj(&self, layer: usize) -> &Linear {
        &self.blocks[layer - 1].mlp.down
    }

    fn set_down_proj(&mut self, layer: usize, down: Linear) {
        self.blocks[layer - 1].mlp.down = down;
    }
}
