//! Phi-1, Phi-1.5 and Phi-2 (Li et al. 2023, Javaheripi & Bubeck 2023). Follows transformers' `modeling_phi.py`:
//! attention and MLP read the same normed input, partial rotary embedding, LayerNorm, biases everywhere.

use super::blocks::{Attention, Linear, Norm, Projected, Table};
use super::config::Config;
use super::loader::Loader;
use super::ops::{self, Gate};
use super::rope::{Rope, RopeRows};
use super::rope_spec::{self, Family};
use super::spec::{Biases, NormKind, Spec};
use super::{Decoder, GELU_TANH, Heads, Shape};
use crate::error::Result;
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
    /// `None` when tied to the embedding.
    head: Option<Table>,
    head_bias: Tensor<1>,
    /// Prefix of the tensor names: none where the body was saved without its head.
    root: String,
}

/// Phi's configuration.
pub(super) fn spec(config: Config<'_>) -> Result<Spec> {
    config.expect_text("hidden_act", &GELU_TANH)?;
    config.refuse_flag("qk_layernorm", "phi")?;
    let width = config.size("hidden_size", 2048)?;
    let count = config.size("num_attention_heads", 32)?;
    let kv = config.size_or_null("num_key_value_heads", None)?.unwrap_or(count);
    let dim = super::head_dim(config, width, count)?;
    let layers = config.size("num_hidden_layers", 24)?;
    let longest = config.size("max_position_embeddings", 2048)?;
    let family = Family { theta: 1e4, partial: Some(0.5), positions: longest, head_dim: dim };
    let ropes = vec![rope_spec::uniform(config, &family)?];
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
        act: Gate::GeluTanh,
        gated: false,
        biases: Biases { qkv: true, o: true, mlp: true, head: true },
        embed_scale: None,
        logit_cap: None,
        tied: config.flag("tie_word_embeddings", false)?,
    })
}

impl Phi {
    pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Self> {
        let Spec { shape, heads, ropes, eps, tied, .. } = spec;
        let heads = heads[0].clone();
        let Heads { count, kv, dim: head_dim, .. } = heads;
        let width = shape.width;
        let rope = loader.rope(&ropes[0], shape.positions)?;

        let root = loader.prefix(&["model.", ""], "final_layernorm.weight");
        let embed_name = format!("{root}embed_tokens.weight");
        let embed = loader.embedding(tied, &embed_name, "lm_head.weight", shape.vocab, width).await?;
        let mut blocks = Vec::new();
        for i in 0..shape.layers {
            let p = format!("{root}layers.{i}");
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
        let norm = loader.layer_norm(&format!("{root}final_layernorm"), width, eps).await?;
        let head = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
        let head_bias = loader.vector("lm_head.bias", shape.vocab).await?;
        loader.finish(|name| name.ends_with("rotary_emb.inv_freq"))?;
        Ok(Self { shape, heads, ropes: [rope], embed, blocks, norm, head, head_bias, root })
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
        self.head.as_ref().unwrap_or(&self.embed).logits(self.norm.forward(h)) + self.head_bias.clone().unsqueeze::<2>()
    }

    fn down_proj(&self, layer: usize) -> &Linear {
        &self.blocks[layer - 1].fc2
    }

    fn down_proj_name(&self, layer: usize) -> String {
        format!("{}layers.{}.mlp.fc2.weight", self.root, layer - 1)
    }

    fn set_down_proj(&mut self, layer: usize, down: Linear) {
        self.blocks[layer - 1].fc2 = down;
    }
}
