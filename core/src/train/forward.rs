//! The training forward: a batch of sentences through a family's own [`Decoder`], with blocks left out at random.

use crate::model::blocks::Projected;
use crate::model::{Decoder, Heads, grad};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use std::collections::HashMap;

/// Stands in for -∞ in the causal mask: e⁻⁸⁰ is nothing beside 1, and unlike e^-1e30 it is computed at full speed.
const HIDDEN: f32 = -80.0;

/// Sentences of a batch, padded at their ends to one length.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Tokens, `[sentences · length]`.
    pub(super) ids: Vec<u32>,
    /// Tokens of a sentence, padding included.
    pub(super) length: usize,
    /// Rows (of `sentences · length`) whose next token counts.
    pub(super) rows: Vec<i32>,
    /// That token, a row each.
    pub(super) labels: Vec<u32>,
}

impl Batch {
    fn sentences(&self) -> usize {
        self.ids.len() / self.length
    }
}

/// Logits of the rows that count, `[rows, vocab]`. `keep[l]` says whether block `l + 1` takes part.
pub(super) fn logits(decoder: &dyn Decoder, batch: &Batch, keep: &[bool], device: &Device) -> Tensor<2> {
    let (b, t) = (batch.sentences(), batch.length);
    let positions: Vec<usize> = (0..b * t).map(|row| row % t).collect();
    let index = |values: Vec<i32>| {
        let n = values.len();
        Tensor::<1, Int>::from_data(TensorData::new(values, [n]), device)
    };
    let at = index(positions.iter().map(|&position| position as i32).collect());
    let ropes: Vec<_> = decoder.ropes().iter().map(|rope| rope.rows(&at)).collect();
    let shape = decoder.shape();
    let mut masks = HashMap::new();

    let mut h = decoder.embed(&batch.ids, &positions);
    for layer in 1..=shape.layers {
        if !keep[layer - 1] {
            continue;
        }
        let heads = decoder.heads(layer);
        let Projected { q, k, v } = decoder.project(layer, h.clone(), &ropes);
        let mixed = if grad::on_cpu(&q) {
            grad::attend(heads, t, q, k, v)
        } else {
            let mask = masks.entry(heads.window).or_insert_with(|| causal(t, heads, device));
            attend(heads, [b, t], q, k, v, mask)
        };
        let middle = h.clone() + decoder.attention(layer, mixed);
        let read = if shape.parallel { h } else { middle.clone() };
        let value = decoder.mlp_value(layer, decoder.mlp_key(layer, read));
        h = middle + decoder.mlp(layer, value);
    }
    decoder.logits(h.select(0, index(batch.rows.clone())))
}

/// The causal mask, a copy for each query head of a group: `[1, 1, per_group · t, t]`.
fn causal(t: usize, heads: &Heads, device: &Device) -> Tensor<4> {
    let per_group = heads.count / heads.kv;
    let window = heads.window.unwrap_or(t);
    let one = (0..t * t).map(|at| {
        let (query, key) = (at / t, at % t);
        if key <= query && query - key < window { 0.0 } else { HIDDEN }
    });
    let one: Vec<f32> = one.collect();
    Tensor::from_data(TensorData::new(one.repeat(per_group), [1, 1, per_group * t, t]), device)
}

/// Grouped-query attention of `b` sentences of `t` tokens: `[b · t, heads · dim]` to the same. The query heads of a
/// group stand below each other, so that keys and values are never copied.
fn attend(heads: &Heads, [b, t]: [usize; 2], q: Tensor<2>, k: Tensor<2>, v: Tensor<2>, mask: &Tensor<4>) -> Tensor<2> {
    let &Heads { count, kv, dim, scale, soft_cap, .. } = heads;
    let per_group = count / kv;
    let q: Tensor<5> = q.reshape([b, t, kv, per_group, dim]).permute([0, 2, 3, 1, 4]);
    let q: Tensor<4> = q.reshape([b, kv, per_group * t, dim]);
    let k: Tensor<4> = k.reshape([b, t, kv, dim]).permute([0, 2, 3, 1]);
    let v: Tensor<4> = v.reshape([b, t, kv, dim]).swap_dims(1, 2);
    let mut scores = q.matmul(k) * scale;
    if let Some(cap) = soft_cap {
        scores = (scores / cap).tanh() * cap;
    }
    let mixed = activation::softmax(scores + mask.clone(), 3).matmul(v);
    let mixed: Tensor<5> = mixed.reshape([b, kv, per_group, t, dim]);
    mixed.permute([0, 3, 1, 2, 4]).reshape([b * t, count * dim])
}
