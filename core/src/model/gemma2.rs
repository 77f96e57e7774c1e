//! Gemma-2 (Gemma Team 2024). Follows transformers' `modeling_gemma2.py`: scaled embedding, `(1 + w)` RMSNorm before
//! and after each sublayer, alternating sliding window, soft-caps on scores and logits, GeGLU, tied head.

use super::blocks::{Attention, GatedMlp, Linear, Norm, Projected, Table};
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
    /// Prefix of the tensor names: none where the body was saved without its head.
    root: String,
}

/// Gemma-2's configuration.
pub(super) fn spec(config: Config<'_>) -> Result<Spec> {
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
    let family = Family { theta: 1e4, partial: None, positions: longest, head_dim: dim };
    let ropes = vec![rope_spec::uniform(config, &family)?];
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
        act: Gate::GeluTanh,
        gated: true,
        biases: Biases { qkv: attention, o: attention, mlp: false, head: false },
        embed_scale: Some((width as f64).sqrt()),
        logit_cap: config.number_or_null("final_logit_softcapping", Some(30.0))?,
        tied: config.flag("tie_word_embeddings", true)?,
    })
}

impl Gemma2 {
    pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Self> {
        let Spec { shape, heads, ropes, eps, biases, act, logit_cap, tied, .. } = spec;
        let Heads { count, kv, dim: head_dim, .. } = heads[0];
        let (width, bias) = (shape.width, biases.qkv);
        let rope = loader.rope(&ropes[0], shape.positions)?;
        let scale = spec.embed_scale.unwrap_or(1.0);

        let root = loader.prefix(&["model.", ""], "norm.weight");
        let embed_name = format!("{root}embed_tokens.weight");
        let embed = loader.embedding(tied, &embed_name, "lm_head.weight", shape.vocab, width).await?;
        let mut blocks = Vec::new();
        for i in 0..shape.layers {
            let p = format!("{root}layers.{i}");
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
                    act,
                },
                post_mlp_norm: norm("post_feedforward_layernorm").await?,
            });
        }
        let norm = loader.rms_norm(&format!("{root}norm"), width, eps, true).await?;
        let head = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
        loader.finish(|name| name.ends_with("rotary_emb.inv_freq"))?;
        Ok(Self { shape, heads, ropes: [rope], embed, scale, blocks, norm, head, logit_cap, root })
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

    fn down_proj_name(&self, layer: usize) -> String {
        format!("{}layers.{}.mlp.down_proj.weight", self.root, layer - 1)
    }

    fn set_down_proj(&mut self, layer: usize, down: Linear) {
        self.blocks[layer - 1].mlp.down = down;
    }
}
