//! GPT-2 (Radford et al. 2019). Follows transformers' `modeling_gpt2.py`: learned positions, fused q/k/v in the
//! transposed `Conv1D` layout, LayerNorm, GELU, tied head.

use super::blocks::{Linear, Norm, Projected, Table};
use super::config::Config;
use super::loader::Loader;
use super::ops;
use super::rope::{Rope, RopeRows};
use super::{Decoder, Heads, MAX_POSITIONS, Shape};
use crate::error::{Error, Result};
use burn::tensor::Tensor;

struct Block {
    ln_1: Norm,
    qkv: Linear,
    proj: Linear,
    ln_2: Norm,
    fc: Linear,
    mlp_proj: Linear,
}

/// GPT-2.
pub(super) struct Gpt2 {
    shape: Shape,
    heads: Heads,
    wte: Table,
    wpe: Table,
    blocks: Vec<Block>,
    norm: Norm,
    /// `None` when tied to the embedding.
    head: Option<Table>,
    /// Prefix of the tensor names.
    root: String,
}

impl Gpt2 {
    pub(super) async fn load(config: Config<'_>, loader: &Loader<'_>) -> Result<Self> {
        config.expect_text("activation_function", &["gelu_new"])?;
        for (flag, plain) in
            [("scale_attn_weights", true), ("scale_attn_by_inverse_layer_idx", false), ("add_cross_attention", false)]
        {
            if config.flag_or(flag, plain)? != plain {
                return Err(Error::input(format!("config.json: `{flag}` = {} is not supported", !plain))
                    .hint("plain GPT-2 checkpoints are"));
            }
        }
        let width = config.size("n_embd")?;
        let count = config.size("n_head")?;
        let head_dim = super::head_dim(config, width, count)?;
        if count * head_dim != width {
            return Err(Error::input(format!(
                "config.json: {count} heads of {head_dim} dimensions in a width of {width}"
            ))
            .hint("take config.json from the model's own repository"));
        }
        let positions = config.size_or("n_positions", Some(config.size_or("n_ctx", Some(1024))?))?;
        let shape = Shape {
            layers: config.size("n_layer")?,
            width,
            ff: config.size_or("n_inner", Some(4 * width))?,
            vocab: config.size("vocab_size")?,
            positions: positions.min(MAX_POSITIONS),
            parallel: false,
        };
        let eps = config.number_or("layer_norm_epsilon", 1e-5)?;
        let heads = super::heads(count, count, head_dim, (head_dim as f64).powf(-0.5))?;

        let root = loader.prefix(&["transformer.", ""], "wte.weight");
        let wte = loader.table(&format!("{root}wte.weight"), shape.vocab, width).await?;
        let wpe = loader.table(&format!("{root}wpe.weight"), positions, width).await?;
        let mut blocks = Vec::new();
        for i in 0..shape.layers {
            let p = format!("{root}h.{i}");
            blocks.push(Block {
                ln_1: loader.layer_norm(&format!("{p}.ln_1"), width, eps).await?,
                qkv: loader.conv1d(&format!("{p}.attn.c_attn"), 3 * width, width).await?,
                proj: loader.conv1d(&format!("{p}.attn.c_proj"), width, width).await?,
                ln_2: loader.layer_norm(&format!("{p}.ln_2"), width, eps).await?,
                fc: loader.conv1d(&format!("{p}.mlp.c_fc"), shape.ff, width).await?,
                mlp_proj: loader.conv1d(&format!("{p}.mlp.c_proj"), width, shape.ff).await?,
            });
        }
        let norm = loader.layer_norm(&format!("{root}ln_f"), width, eps).await?;
        let tied = config.flag_or("tie_word_embeddings", true)?;
        let head = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
        // Old exports carry the causal mask as a buffer, and the tied head twice.
        loader.finish(|name| {
            name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") || name == "lm_head.weight"
        })?;
        Ok(Self { shape, heads, wte, wpe, blocks, norm, head, root })
    }
}

impl Decoder for Gpt2 {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn heads(&self, _layer: usize) -> &Heads {
        &self.heads
    }

    fn ropes(&self) -> &[Rope] {
        &[]
    }

    fn embed_tokens(&self, ids: &[u32]) -> Tensor<2> {
        self.wte.lookup(ids)
    }

    fn embed(&self, ids: &[u32], positions: &[usize]) -> Tensor<2> {
        let positions: Vec<u32> = positions.iter().map(|&position| position as u32).collect();
        self.wte.lookup(ids) + self.wpe.lookup(&positions)
    }

    fn project(&self, layer: usize, h: Tensor<2>, _ropes: &[RopeRows]) -> Projected {
        let block = &self.blocks[layer - 1];
        let qkv = block.qkv.forward(block.ln_1.forward(h));
        let part = |i| qkv.clone().narrow(1, i * self.shape.width, self.shape.width);
        Projected { q: part(0), k: part(1), v: part(2) }
    }

    fn attention(&self, layer: usize, mixed: Tensor<2>) -> Tensor<2> {
        self.blocks[layer - 1].proj.forward(mixed)
    }

    fn mlp_key(&self, layer: usize, h: Tensor<2>) -> Tensor<2> {
        let block = &self.blocks[layer - 1];
        ops::gelu_tanh(block.fc.forward(block.ln_2.forward(h)))
    }

    fn logits(&self, h: Tensor<2>) -> Tensor<2> {
        self.head.as_ref().unwrap_or(&self.wte).logits(self.norm.forward(h))
    }

    fn down_proj(&self, layer: usize) -> &Linear {
        &self.blocks[layer - 1].mlp_proj
    }

    fn down_proj_name(&self, layer: usize) -> String {
        format!("{}h.{}.mlp.c_proj.weight", self.root, layer - 1)
    }

    fn set_down_proj(&mut self, layer: usize, down: Linear) {
        self.blocks[layer - 1].mlp_proj = down;
    }
}
