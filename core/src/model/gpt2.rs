//! GPT-2 (Radford et al. 2019). Follows transformers' `modeling_gpt2.py`: learned positions, fused q/k/v in the
//! transposed `Conv1D` layout, LayerNorm, GELU, tied head.

use super::blocks::{Linear, Norm, Projected, Table};
use super::config::Config;
use super::loader::Loader;
use super::ops::{self, Gate};
use super::rope::{Rope, RopeRows};
use super::spec::{Biases, NormKind, Spec};
use super::{Decoder, GELU_TANH, Heads, Shape};
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

/// GPT-2's configuration. transformers takes the other families' names of four keys as well.
pub(super) fn spec(config: Config<'_>) -> Result<Spec> {
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
        act: Gate::GeluTanh,
        gated: false,
        biases: Biases { qkv: true, o: true, mlp: true, head: false },
        embed_scale: None,
        logit_cap: None,
        tied: config.flag("tie_word_embeddings", true)?,
    })
}

impl Gpt2 {
    pub(super) async fn load(spec: Spec, loader: &Loader<'_>) -> Result<Self> {
        let Spec { shape, longest, heads, eps, tied, .. } = spec;
        let (heads, width) = (heads[0].clone(), shape.width);

        let root = loader.prefix(&["transformer.", ""], "wte.weight");
        let wte_name = format!("{root}wte.weight");
        let wte = loader.embedding(tied, &wte_name, "lm_head.weight", shape.vocab, width).await?;
        let wpe = loader.table(&format!("{root}wpe.weight"), longest, width).await?;
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
        let head = loader.head(tied, "lm_head.weight", shape.vocab, width).await?;
        // Old exports carry the causal mask as a buffer.
        loader.finish(|name| name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias"))?;
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
