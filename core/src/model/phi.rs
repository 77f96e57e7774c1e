//! Phi-1, Phi-1.5 and Phi-2 (Li et al. 2023, Javaheripi & Bubeck 2023). Follows transformers' `modeling_phi.py`:
//! attention and MLP read the same normed input, partial rotary embedding, LayerNorm, biases everywhere.

use super::blocks::{Attention, Linear, Norm, Projected, Table};
use super::config::Config;
use super::loader::Loader;
use super::ops;
use super::rope::{Rope, RopeRows};
use super::{Decoder, Heads, MAX_POSITIONS, Shape};
use crate::error::{Error, Result};
use burn::tensor::Tensor;

struct Block {
    norm: Norm,
    attention: Attention,
    fc1: Linear,
    fc2: Linear,
}

/// Phi.
pub(super) struct Phi {
    shape: Shape,
    heads: Heads,
    ropes: [Rope; 1],
    embed: Table,
    blocks: Vec<Block>,
    norm: Norm,
    head: Table,
    head_bias: Tensor<1>,
}

impl Phi {
    pub(super) async fn load(config: Config<'_>, loader: &Loader<'_>) -> Result<Self> {
        config.expect_text("hidden_act", &["gelu_new"])?;
        if config.flag_or("qk_layernorm", false)? {
            return Err(Error::input("config.json: `qk_layernorm` is not supported for phi")
                .hint("Phi-1, Phi-1.5 and Phi-2 do not use it"));
        }
        let width = config.size("hidden_size")?;
        let count = config.size("num_attention_heads")?;
        let kv = config.size_or("num_key_value_heads", Some(count))?;
        let head_dim = super::head_dim(config, width, count)?;
        let shape = Shape {
            layers: config.size("num_hidden_layers")?,
            width,
            ff: config.size("intermediate_size")?,
            vocab: config.size("vocab_size")?,
            positions: config.size_or("max_position_embeddings", Some(2048))?.min(MAX_POSITIONS),
            parallel: true,
        };
        let eps = config.number_or("layer_norm_eps", 1e-5)?;
        let heads = super::heads(count, kv, head_dim, (head_dim as f64).powf(-0.5))?;
        let spec = config.rope(head_dim, None, config.number_or("rope_theta", 1e4)?)?;
        let rope = loader.rope(&spec, shape.positions).await?;

        let embed = loader.table("model.embed_tokens.weight", shape.vocab, width).await?;
        let mut blocks = Vec::new();
        for i in 0..shape.layers {
            let p = format!("model.layers.{i}");
            let attn = format!("{p}.self_attn");
            blocks.push(Block {
                norm: loader.layer_norm(&format!("{p}.input_layernorm"), width, eps).await?,
                attention: Attention {
                    q: loader.linear(&format!("{attn}.q_proj"), count * head_dim, width, true).await?,
                    k: loader.linear(&format!("{attn}.k_proj"), kv * head_dim, width, true).await?,
                    v: loader.linear(&format!("{attn}.v_proj"), kv * head_dim, width, true).await?,
                    o: loader.linear(&format!("{attn}.dense"), width, count * head_dim, true).await?,
                },
                fc1: loader.linear(&format!("{p}.mlp.fc1"), shape.ff, width, true).await?,
                fc2: loader.linear(&format!("{p}.mlp.fc2"), width, shape.ff, true).await?,
            });
        }
        let norm = loader.layer_norm("model.final_layernorm", width, eps).await?;
        let head = match config.flag_or("tie_word_embeddings", false)? {
            true => embed.clone(),
            false => loader.table("lm_head.weight", shape.vocab, width).await?,
        };
        let head_bias = loader.vector("lm_head.bias", shape.vocab).await?;
        loader.finish(|name| name.ends_with("rotary_emb.inv_freq") || name == "lm_head.weight")?;
        Ok(Self { shape, heads, ropes: [rope], embed, blocks, norm, head, head_bias })
    }
}

impl Decoder for Phi {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn heads(&self, _layer: usize) -> &Heads {
        &self.heads
    }

    fn ropes(&self) -> &[Rope] {
        &self.ropes
    }

    fn embed_tokens(&self, ids: &[u32]) -> Tensor<2> {
        self.embed.lookup(ids)
    }

    fn project(&self, layer: usize, h: Tensor<2>, ropes: &[RopeRows]) -> Projected {
        let block = &self.blocks[layer - 1];
        let dim = self.heads.dim;
        let Projected { q, k, v } = block.attention.project(block.norm.forward(h));
        Projected { q: ropes[0].rotate(q, dim), k: ropes[0].rotate(k, dim), v }
    }

    fn attention(&self, layer: usize, mixed: Tensor<2>) -> Tensor<2> {
        self.blocks[layer - 1].attention.o.forward(mixed)
    }

    fn mlp_key(&self, layer: usize, h: Tensor<2>) -> Tensor<2> {
        let block = &self.blocks[layer - 1];
        ops::gelu_tanh(block.fc1.forward(block.norm.forward(h)))
    }

    fn logits(&self, h: Tensor<2>) -> Tensor<2> {
        self.head.logits(self.norm.forward(h)) + self.head_bias.clone().unsqueeze::<2>()
    }

    fn down_proj(&self, layer: usize) -> &Linear {
        &self.blocks[layer - 1].fc2
    }

    fn down_proj_name(&self, layer: usize) -> String {
        format!("model.layers.{}.mlp.fc2.weight", layer - 1)
    }

    fn set_down_proj(&mut self, layer: usize, down: Linear) {
        self.blocks[layer - 1].fc2 = down;
    }
}
