//! The training forward: a batch of sentences through a family's own blocks, some of them left out at random.

use crate::model::block::{Block, Hooks};
use crate::model::{Heads, Site, Transformer, grad};
use crate::tensor::rotate::Turns;
use crate::tensor::{LinearMap, Rows};
use burn::tensor::{Device, Tensor, TensorData, activation};
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
pub(super) fn logits(net: &Transformer, batch: &Batch, keep: &[bool], device: &Device) -> Tensor<2> {
    let (b, t) = (batch.sentences(), batch.length);
    let positions: Vec<u32> = (0..b * t).map(|row| (row % t) as u32).collect();
    let turns = net.ropes.iter().map(|rope| rope.turns(&positions)).collect();
    let mut sentences = Sentences { shape: [b, t], turns, masks: HashMap::new(), device };
    let mut x = net.embedding.forward(&batch.ids, &positions);
    for block in net.blocks.iter().zip(keep).filter_map(|(block, keep)| keep.then_some(block)) {
        x = block.forward(x, &mut sentences);
    }
    let rows: Vec<u32> = batch.rows.iter().map(|&row| row as u32).collect();
    net.logits(&x.gather(&rows)).device().expect("a batch is trained on a device").clone()
}

/// What a block calls on in training: nothing enters or changes, and every sentence attends to itself.
struct Sentences<'a> {
    /// Sentences, and tokens of each.
    shape: [usize; 2],
    turns: Vec<Turns<'a>>,
    masks: HashMap<Option<usize>, Tensor<4>>,
    device: &'a Device,
}

impl Hooks for Sentences<'_> {
    fn linear(&mut self, map: &LinearMap, x: &Rows) -> Rows {
        map.forward(x)
    }

    fn at<const N: usize>(&mut self, _: Site, live: [Rows; N]) -> [Rows; N] {
        live
    }

    fn attend(&mut self, block: &Block, x: Rows, [q, k, v]: [Rows; 3]) -> [Rows; 2] {
        let heads = &block.heads;
        let turned = |x: Rows| match block.rope {
            Some(rope) => self.turns[rope].rotate(x, heads.dim),
            None => x,
        };
        let tensor = |x: &Rows| x.device().expect("a batch is trained on a device").clone();
        let (q, k, v) = (tensor(&turned(q)), tensor(&turned(k)), tensor(&v));
        let [b, t] = self.shape;
        let mixed = if grad::on_cpu(&q) {
            grad::attend(heads, t, q, k, v)
        } else {
            let mask = self.masks.entry(heads.window).or_insert_with(|| causal(t, heads, self.device));
            attend(heads, [b, t], q, k, v, mask)
        };
        [x, Rows::on_device(mixed)]
    }
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
