//! Gemma-3's text model (Gemma Team 2025). Follows transformers' `modeling_gemma3.py`: Gemma-2 without soft-caps, with
//! normed queries and keys, five sliding layers to one full, and a RoPE base for each kind.

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

impl Gemma3 {
    pub(super) async fn load(config: Config<'_>, loader: &Loader<'_>) -> Result<Self> {
        config.expect_text("hidden_activation", &["gelu_pytorch_tanh"])?;
        let width = config.size_or("hidden_size", Some(2304))?;
        let count = config.size_or("num_attention_heads", Some(8))?;
        let kv = config.size_or("num_key_value_heads", Some(4))?;
        let head_dim = config.size_or("head_dim", Some(256))?;
        let shape = Shape {
            layers: config.size_or("num_hidden_layers", Some(26))?,
            width,
            ff: config.size_or("intermediate_size", Some(9216))?,
            vocab: config.size_or("vocab_size", Some(262_208))?,
            positions: config.size_or("max_position_embeddings", Some(131_072))?.min(MAX_POSITIONS),
            parallel: false,
        };
        let eps = config.number_or("rms_norm_eps", 1e-6)?;
        let scale = config.number_or("query_pre_attn_scalar", 256.0)?.powf(-0.5);
        let base = super::heads(count, kv, head_dim, scale)?;
        let cap = config.number("attn_logit_softcapping")?.map(|cap| cap as f32);
        let window = config.size_or("sliding_window", Some(4096))?;
        let pattern = config.size_or("sliding_window_pattern", Some(6))?;
        let slides = config.sliding_layers(shape.layers, |i| (i + 1) % pattern != 0)?;
        let heads = slides
            .into_iter()
            .map(|slides| Heads { soft_cap: cap, window: slides.then_some(window), ..base.clone() })
            .collect();
        let full = config.rope(head_dim, Some("full_attention"), config.number_or("rope_theta", 1e6)?)?;
        let local = config.number_or("rope_local_base_freq", 1e4)?;
        let mut sliding = config.rope(head_dim, Some("sliding_attention"), local)?;
        if config.number("rope_theta")?.is_some() {
            // Before transformers 5, `rope_scaling` was for the full layers only.
            sliding.scaling = super::config::RopeScaling::Plain;
        }
        let ropes = [loader.rope(&full, shape.positions).await?, loader.rope(&sliding, shape.positions).await?];

        let root = loader.prefix(&["model.", "language_model.model.", "model.language_model."], "embed_tokens.weight");
        let embed = loader.table(&format!("{root}embed_tokens.weight"), shape.vocab, width).await?;
        let bias = config.flag_or("attention_bias", false)?;
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
                    act: Gate::GeluTanh,
                },
                post_mlp_norm: norm("post_feedforward_layernorm", width).await?,
            });
        }
        let norm = loader.rms_norm(&format!("{root}norm"), width, eps, true).await?;
        let tied = config.flag_or("tie_word_embeddings", true)?;
        let head_name = format!("{}lm_head.weight", root.trim_end_matches("model."));
        let head = loader.head(tied, &head_name, shape.vocab, width).await?;
        // A multimodal checkpoint carries its vision tower too; the text model is complete without it.
        loader.finish(|name| {
            name.ends_with("lm_head.weight")
                || name.contains("vision_tower.")
                || name.contains("multi_modal_projector.")
        })?;
        let logit_cap = config.number("final_logit_softcapping")?;
        let scale = (width as f64).sqrt();
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
