//! On a device, for the way back and for very long prompts: runs padded to one length, keys and values gathered, scores in
//! burn's products.

use super::{Heads, KeyLists, seen};
use crate::tensor::rows::indices;
use burn::{Device, Int, Tensor, TensorData, activation};
use std::collections::HashMap;

/// Stands in for -∞ where a position must not be seen; finite, so that a row of padding gives no NaN.
const HIDDEN: f32 = -1e30;

/// Padded index tables: `b` runs of `q` queries and `t` positions. Runs are in row order, so the first runs' tables are a
/// prefix.
pub(super) struct Tables {
    q: usize,
    t: usize,
    /// `[b · q]`: query row of each padded slot; `None` when nothing is padded.
    pad: Option<Tensor<1, Int>>,
    /// `[queries]`: padded slot of each query row.
    unpad: Option<Tensor<1, Int>>,
    /// `[b · t]`: key row of each position.
    keys: Tensor<1, Int>,
    /// The same, `None` in padding.
    key_rows: Vec<Option<u32>>,
    /// 1 for slots that are queries, 0 for padding: `[b, 1, 1, q, 1]`; `None` when nothing is padded.
    real: Option<Tensor<5>>,
    /// Per window: `[b, 1, 1, q, t]`.
    masks: HashMap<Option<usize>, Tensor<5>>,
}

impl Tables {
    pub(super) fn new(lists: &KeyLists, windows: &[Option<usize>], device: &Device) -> Self {
        let b = lists.keys.len();
        let t = lists.keys.iter().map(Vec::len).max().unwrap_or(0);
        let mut count = vec![0usize; b];
        let mut slots = Vec::with_capacity(lists.queries.len());
        for &(run, _) in &lists.queries {
            slots.push((run as usize, count[run as usize]));
            count[run as usize] += 1;
        }
        let q = count.iter().copied().max().unwrap_or(0);
        let mut key_rows = vec![None; b * t];
        for (run, rows) in lists.keys.iter().enumerate() {
            key_rows[run * t..].iter_mut().zip(rows).for_each(|(slot, &row)| *slot = Some(row));
        }
        let keys: Vec<u32> = key_rows.iter().map(|row| row.unwrap_or(0)).collect();
        let mut pad = vec![0u32; b * q];
        let mut unpad = Vec::with_capacity(slots.len());
        let mut real = vec![0f32; b * q];
        for (row, &(run, slot)) in slots.iter().enumerate() {
            pad[run * q + slot] = row as u32;
            real[run * q + slot] = 1.0;
            unpad.push((run * q + slot) as u32);
        }
        let mut masks = HashMap::new();
        for &window in windows {
            let mut mask = vec![0f32; b * q * t];
            for (&(run, slot), &(_, position)) in slots.iter().zip(&lists.queries) {
                let seen = seen(position as usize, window);
                let row = &mut mask[(run * q + slot) * t..][..t];
                for (at, value) in row.iter_mut().enumerate() {
                    if !seen.contains(&at) {
                        *value = HIDDEN;
                    }
                }
            }
            masks.insert(window, Tensor::from_data(TensorData::new(mask, [b, 1, 1, q, t]), device));
        }
        // Slots are in row order only where each run's rows stand together.
        let plain = b * q == slots.len() && unpad.is_sorted();
        Self {
            q,
            t,
            pad: (!plain).then(|| indices(&pad, device)),
            unpad: (!plain).then(|| indices(&unpad, device)),
            keys: indices(&keys, device),
            key_rows,
            real: (!plain).then(|| Tensor::from_data(TensorData::new(real, [b, 1, 1, q, 1]), device)),
            masks,
        }
    }

    /// `k` and `v` are all rows, captured ones first.
    pub(super) fn attend(&self, heads: &Heads, runs: usize, q: Tensor<2>, k: Tensor<2>, v: Tensor<2>) -> Tensor<2> {
        let [rows, width] = q.dims();
        let picked = self.picked(heads, runs, q, [k, v]);
        let mixed = self.weights(heads, runs, &picked).0.matmul(picked.v);
        let mixed = mixed.permute([0, 3, 1, 2, 4]).reshape([runs * self.q, width]);
        self.unpadded(mixed, rows)
    }

    /// Gradients on queries, and on own keys and values, `own` saying how many captured rows come before them and how
    /// many they are.
    pub(super) fn backward(
        &self,
        heads: &Heads,
        runs: usize,
        own: (usize, usize),
        q: Tensor<2>,
        kv: [Tensor<2>; 2],
        g: Tensor<2>,
    ) -> [Tensor<2>; 3] {
        let &Heads { count, kv: groups, dim, scale, .. } = heads;
        let [rows, width] = q.dims();
        let per_group = count / groups;
        let Self { q: slots, t, .. } = *self;
        let device = q.device();
        let picked = self.picked(heads, runs, q, kv);
        let (p, slopes) = self.weights(heads, runs, &picked);
        let g = self.padded(g, runs);
        // Padding has a gradient of nothing, whatever row stands there.
        let g: Tensor<5> = g.reshape([runs, slots, groups, per_group, dim]).permute([0, 2, 3, 1, 4]);
        let g = match &self.real {
            Some(real) => g * keep(real, runs),
            None => g,
        };
        let on_p = g.clone().matmul(picked.v.swap_dims(3, 4));
        let level = (on_p.clone() * p.clone()).sum_dim(4);
        let mut on_scores = p.clone() * (on_p - level) * scale;
        if let Some(slopes) = slopes {
            on_scores = on_scores * slopes;
        }
        let on_q = on_scores.clone().matmul(picked.k);
        let on_q = on_q.permute([0, 3, 1, 2, 4]).reshape([runs * slots, width]);
        // Of the query heads that share a key head, and of the slots of a run, to the rows that these keys are.
        let back = |x: Tensor<5>| {
            let x: Tensor<4> = x.sum_dim(2).squeeze_dim(2); // [runs, groups, t, dim]
            let x = x.permute([0, 2, 1, 3]).reshape([runs * t, groups * dim]);
            x.select(0, self.owners(own, runs, &device))
        };
        let on_k = back(on_scores.swap_dims(3, 4).matmul(picked.q));
        let on_v = back(p.swap_dims(3, 4).matmul(g));
        [self.unpadded(on_q, rows), on_k, on_v]
    }

    /// For each own key row, the padded position that it is. Each is one position of one run.
    fn owners(&self, (first, count): (usize, usize), runs: usize, device: &Device) -> Tensor<1, Int> {
        let mut index = vec![0u32; count];
        for (at, row) in self.key_rows[..runs * self.t].iter().enumerate() {
            let own = row.and_then(|row| (row as usize).checked_sub(first)).filter(|&own| own < count);
            if let Some(own) = own {
                index[own] = at as u32;
            }
        }
        indices(&index, device)
    }

    /// Queries, keys and values head by head: `[runs, groups, per_group, slots or t, dim]`.
    fn picked(&self, heads: &Heads, runs: usize, q: Tensor<2>, [k, v]: [Tensor<2>; 2]) -> Picked {
        let &Heads { count, kv: groups, dim, .. } = heads;
        let per_group = count / groups;
        let Self { q: slots, t, .. } = *self;
        let key_rows = keep_index(&self.keys, runs * t);
        let lookup = |all: Tensor<2>| {
            let picked: Tensor<5> = all.select(0, key_rows.clone()).reshape([runs, t, groups, 1, dim]);
            picked.permute([0, 2, 3, 1, 4]).expand([runs, groups, per_group, t, dim])
        };
        let q = self.padded(q, runs).reshape([runs, slots, groups, per_group, dim]).permute([0, 2, 3, 1, 4]);
        Picked { q, k: lookup(k), v: lookup(v) }
    }

    /// Attention weights, and under a soft cap the derivative of capped scores.
    fn weights(&self, heads: &Heads, runs: usize, picked: &Picked) -> (Tensor<5>, Option<Tensor<5>>) {
        let mut scores = picked.q.clone().matmul(picked.k.clone().swap_dims(3, 4)) * heads.scale;
        let mut slopes = None;
        if let Some(cap) = heads.soft_cap {
            let tanh = (scores / cap).tanh();
            scores = tanh.clone() * cap;
            slopes = Some(tanh.square() * -1.0 + 1.0);
        }
        (activation::softmax(scores + keep(&self.masks[&heads.window], runs), 4), slopes)
    }

    fn padded(&self, x: Tensor<2>, runs: usize) -> Tensor<2> {
        match &self.pad {
            Some(pad) => x.select(0, keep_index(pad, runs * self.q)),
            None => x,
        }
    }

    fn unpadded(&self, x: Tensor<2>, rows: usize) -> Tensor<2> {
        match &self.unpad {
            Some(unpad) => x.select(0, keep_index(unpad, rows)),
            None if x.dims()[0] == rows => x,
            None => x.narrow(0, 0, rows),
        }
    }
}

/// Head by head.
struct Picked {
    q: Tensor<5>,
    k: Tensor<5>,
    v: Tensor<5>,
}

/// Of the first runs.
fn keep(all: &Tensor<5>, runs: usize) -> Tensor<5> {
    match all.dims()[0] == runs {
        true => all.clone(),
        false => all.clone().narrow(0, 0, runs),
    }
}

fn keep_index(all: &Tensor<1, Int>, n: usize) -> Tensor<1, Int> {
    match all.dims()[0] == n {
        true => all.clone(),
        false => all.clone().narrow(0, 0, n),
    }
}
