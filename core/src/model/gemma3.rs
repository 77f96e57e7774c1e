//! Gemma-3's text model (Gemma Team 2025). Follows transformers' `modeling_gemma3.py`: Gemma-2 without soft-caps, with
//! normed queries and keys, five sliding layers to one full, and a RoPE base for each kind.

use super::blocks::{Attention, GatedMlp, Linear, Norm, Projected, Table};
use super::config::{Config, FULL, SLIDING};
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
    q_norm: Norm,
    k_norm: Norm,
    post_attention_norm: Norm,
    pre_mlp_norm: Norm,
    mlp: GatedMlp,
    post_mlp_norm: Norm,
}

/// Gemma-3 text.
pub(super) struct Gemma3 {
    shape: Shape,
    heads: Vec<Heads>,
    /// Full layers' table, then sliding layers'.
    ropes: [Rope; 2],
    embed: Table,
    scale: f64,
    blocks: Vec<Block>,
    norm: Norm,
    /// `None` when tied to the embedding, as in every release.
    head: Option<Table>,
    logit_cap: Option<f64>,
    /// Prefix of the tensor names.
    root: String,
}

/// Gemma-3's configuration: of a text model, or the text part of a larger one.
pub(super) fn spec(config: Config<'_>) -> Result<Spec> {
    config.expect_text("hidden_activation", &GELU_TANH)?;
    config.refuse_flag("use_bidirectional_attention", "gemma3")?;
    let width = config.size("hidden_size", 2304)?;
    let count = config.size("num_attention_heads", 8)?;
    let dim = config.size("head_dim", 256)?;
    let scale = config.number("query_pre_attn_scalar", 256.0)?.powf(-0.5);
    let base = super::heads(count, config.size("num_key_value_heads", 4)?, dim, scale)?;
    // Read by transformers' configuration, but by no computation.
    config.number_or_null("attn_logit_softcapping", None)?;
    let window = config.size("sliding_window", 4096)?;
    let pattern = config.size("sliding_window_pattern", 6)?;
    let layers = config.size("num_hidden_layers", 26)?;
    let slides = config.sliding_layers(layers, |i| (i + 1) % pattern != 0)?;
    let longest = config.size("max_position_embeddings", 131_072)?;
    let family = Family { theta: 1e6, partial: None, positions: longest, head_dim: dim };
    // Each kind of layer has its own base, and `rope_scaling` is for the full layers only.
    let (global, local) = (config.number("rope_theta", 1e6)?, config.number("rope_local_base_freq", 1e4)?);
    let ropes = vec![
        rope_spec::of_kind(config, FULL, true, global, &family)?,
        rope_spec::of_kind(config, SLIDING, false, local, &family)?,
    ];
    let shape = Shape {
        layers,
        width,
        ff: config.size("intermediate_size", 9216)?,
        vocab: config.size("vocab_size", 262_208)?,
        positions: Spec::positions(longest, &ropes),
        parallel: false,
    };
    let attention = config.flag("attention_bias", false)?;
    let heads = |slides: bool| Heads { window: slides.then_some(window), ..base.clone() };
    Ok(Spec {
        family: "gemma3_text",
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
        logit_cap: config.number_or_null("final_logit_softcapping", None)?,
        tied: config.flag("tie_word_embeddings", true)?,
    })
}

impl Gemma3 {
    pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Self> {
        let Spec { shape, heads, ropes, eps, biases, act, logit_cap, tied, .. } = spec;
        let Heads { count, kv, dim: head_dim, .. } = heads[0];
        let (width, bias) = (shape.width, biases.qkv);
        let ropes = [loader.rope(&ropes[0], shape.positions)?, loader.rope(&ropes[1], shape.positions)?];
        let scale = spec.embed_scale.unwrap_or(1.0);

        let root =
            loader.prefix(&["model.", "language_model.model.", "model.language_model.", ""], "embed_tokens.weight");
        let embed_name = format!("{root}embed_tokens.weight");
        // transformers 5 keeps the head outside of the language model.
        let outer = if root == "language_model.model." { "language_model." } else { "" };
        let head_name = format!("{outer}lm_head.weight");
        let embed = loader.embedding(tied, &embed_name, &head_name, shape.vocab, width).await?;
        let mut blocks = Vec::new();
        for i in 0..shape.layers {
            let p = format!("{root}layers.{i}");
            let attn = format!("{p}.self_attn");
            let mlp = format!("{p}.mlp");
            let norm = async |name: &str, n| loader.rms_norm(&format!("{p}.{name}"), n, eps, true).await;
            blocks.push(Block {
                input_norm: norm("input_layernorm", width).await?,
                attention: Attention {
                    q: loader.linear(&format!("{attn}.q_proj"), count * head_dim, width, bias).await?,
                    k: loader.linear(&format!("{attn}.k_proj"), kv * head_dim, width, bias).await?,
                    v: loader.linear(&format!("{attn}.v_proj"), kv * head_dim, width, bias).await?,
                    o: loader.linear(&format!("{attn}.o_proj"), width, count * head_dim, bias).await?,
                },
                q_norm: norm("self_attn.q_norm", head_dim).await?,
                k_norm: norm("self_attn.k_norm", head_dim).await?,
                post_attention_norm: norm("post_attention_layernorm", width).await?,
                pre_mlp_norm: norm("pre_feedforward_layernorm", width).await?,
                mlp: GatedMlp {
                    gate: loader.linear(&format!("{mlp}.gate_proj"), shape.ff, width, false).await?,
                    up: loader.linear(&format!("{mlp}.up_proj"), shape.ff, width, false).await?,
                    down: loader.linear(&format!("{mlp}.down_proj"), width, shape.ff, false).await?,
                    act,
                },
                post_mlp_norm: norm("post_feedforward_layernorm", width).await?,
            });
        }
        let norm = loader.rms_norm(&format!("{root}norm"), width, eps, true).await?;
        let head = loader.head(tied, &head_name, shape.vocab, width).await?;
        // A multimodal checkpoint carries its vision tower too; the text model is complete without it.
        loader.finish(|name| name.contains("vision_tower.") || name.contains("multi_modal_projector."))?;
        Ok(Self { shape, heads, ropes, embed, scale, blocks, norm, head, logit_cap, root })
    }
}

/// Norms every head of `x` `[rows, heads · head_dim]` by itself.
fn norm_heads(norm: &Norm, x: Tensor<2>, head_dim: usize) -> Tensor<2> {
    let [rows, width] = x.dims();
    norm.forward(x.reshape([rows * (width / head_dim), head_dim])).reshape([rows, width])
}

impl Decoder for Gemma3 {
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
        let heads = self.heads(layer);
        let rope = &ropes[usize::from(heads.window.is_some())];
        let Projected { q, k, v } = block.attention.project(block.input_norm.forward(h));
        Projected {
            q: rope.rotate(norm_heads(&block.q_norm, q, heads.dim), heads.dim),
            k: rope.rotate(norm_heads(&block.k_norm, k, heads.dim), heads.dim),
            v,
        }
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
