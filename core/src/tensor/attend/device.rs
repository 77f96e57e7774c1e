//! On a device: runs padded to one length, keys and values gathered, scores in burn's products.

use super::{KeyLists, seen};
use crate::model::Heads;
use crate::tensor::rows::indices;
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
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
        let mut keys = vec![0u32; b * t];
        for (run, rows) in lists.keys.iter().enumerate() {
            keys[run * t..][..rows.len()].copy_from_slice(rows);
        }
        let mut pad = vec![0u32; b * q];
        let mut unpad = Vec::with_capacity(slots.len());
        for (row, &(run, slot)) in slots.iter().enumerate() {
            pad[run * q + slot] = row as u32;
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
            masks,
        }
    }

    /// `k` and `v` are all rows, captured ones first.
    pub(super) fn attend(&self, heads: &Heads, runs: usize, q: Tensor<2>, k: Tensor<2>, v: Tensor<2>) -> Tensor<2> {
        let &Heads { count, kv: groups, dim, scale, soft_cap, window, .. } = heads;
        let [rows, width] = q.dims();
        let per_group = count / groups;
        let Self { q: slots, t, .. } = *self;
        let keep = |index: &Tensor<1, Int>, n: usize| match index.dims()[0] == n {
            true => index.clone(),
            false => index.clone().narrow(0, 0, n),
        };
        let key_rows = keep(&self.keys, runs * t);
        let lookup = |all: Tensor<2>| {
            let picked: Tensor<5> = all.select(0, key_rows.clone()).reshape([runs, t, groups, 1, dim]);
            picked.permute([0, 2, 3, 1, 4]) // [runs, groups, 1, t, dim]
        };
        let (k, v) = (lookup(k), lookup(v));
        let q = match &self.pad {
            Some(pad) => q.select(0, keep(pad, runs * slots)),
            None => q,
        };
        let q: Tensor<5> = q.reshape([runs, slots, groups, per_group, dim]).permute([0, 2, 3, 1, 4]);
        let k = k.expand([runs, groups, per_group, t, dim]);
        let v = v.expand([runs, groups, per_group, t, dim]);
        let mut scores = q.matmul(k.swap_dims(3, 4)) * scale; // [runs, groups, per_group, slots, t]
        if let Some(cap) = soft_cap {
            scores = (scores / cap).tanh() * cap;
        }
        let mask = &self.masks[&window];
        let mask = match mask.dims()[0] == runs {
            true => mask.clone(),
            false => mask.clone().narrow(0, 0, runs),
        };
        let mixed = activation::softmax(scores + mask, 4).matmul(v);
        let mixed = mixed.permute([0, 3, 1, 2, 4]).reshape([runs * slots, width]);
        match &self.unpad {
            Some(unpad) => mixed.select(0, keep(unpad, rows)),
            None if mixed.dims()[0] == rows => mixed,
            None => mixed.narrow(0, 0, rows),
        }
    }
}
