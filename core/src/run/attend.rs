//! Attention of packed rows: each query row sees its own lane's positions, some of them captured rows of the base run.

use super::rows::{first, indices};
use crate::model::{Heads, cpu};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use std::collections::HashMap;

/// Stands in for -∞ where a position must not be seen; finite, so that a row of padding gives no NaN.
const HIDDEN: f32 = -1e30;

/// Key and value rows of one block.
pub(super) struct KeysValues<'a> {
    /// Rows of the base run, numbered from 0.
    pub(super) base: Option<(&'a Tensor<2>, &'a Tensor<2>)>,
    /// Rows of this batch, numbered from [`View::base_rows`] on.
    pub(super) new: Option<(Tensor<2>, Tensor<2>)>,
}

/// Which rows the queries of a batch see. Lanes are in row order, so the first lanes' tables are a prefix.
pub(super) struct View {
    /// Rows of the base run.
    base_rows: usize,
    /// Per lane: the key row of every position.
    keys: Vec<Vec<u32>>,
    /// Per query row: lane and position.
    queries: Vec<(usize, usize)>,
    device: Device,
    tables: Option<Tables>,
}

/// Padded index tables for the GPU: `b` lanes of `q` queries and `t` positions.
struct Tables {
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

impl View {
    /// `keys[lane][position]` are key rows (base rows first, then the batch's own); `queries` in row order.
    pub(super) fn new(
        base_rows: usize,
        keys: Vec<Vec<u32>>,
        queries: Vec<(usize, usize)>,
        windows: &[Option<usize>],
        device: &Device,
        cpu: bool,
    ) -> Self {
        let mut view = Self { base_rows, keys, queries, device: device.clone(), tables: None };
        if !cpu && !view.queries.is_empty() {
            view.tables = Some(view.tables(windows));
        }
        view
    }

    fn tables(&self, windows: &[Option<usize>]) -> Tables {
        let b = self.keys.len();
        let t = self.keys.iter().map(Vec::len).max().unwrap_or(0);
        let mut count = vec![0usize; b];
        let mut slots = Vec::with_capacity(self.queries.len());
        for &(lane, _) in &self.queries {
            slots.push((lane, count[lane]));
            count[lane] += 1;
        }
        let q = count.iter().copied().max().unwrap_or(0);
        let mut keys = vec![0i32; b * t];
        for (lane, rows) in self.keys.iter().enumerate() {
            for (position, &row) in rows.iter().enumerate() {
                keys[lane * t + position] = row as i32;
            }
        }
        let mut pad = vec![0i32; b * q];
        let mut unpad = Vec::with_capacity(slots.len());
        for (row, &(lane, slot)) in slots.iter().enumerate() {
            pad[lane * q + slot] = row as i32;
            unpad.push((lane * q + slot) as i32);
        }
        let mut masks = HashMap::new();
        for &window in windows {
            let mut mask = vec![0f32; b * q * t];
            for (&(lane, slot), &(_, position)) in slots.iter().zip(&self.queries) {
                let seen = seen(position, window);
                let row = &mut mask[(lane * q + slot) * t..][..t];
                for (at, value) in row.iter_mut().enumerate() {
                    if !seen.contains(&at) {
                        *value = HIDDEN;
                    }
                }
            }
            masks.insert(window, Tensor::from_data(TensorData::new(mask, [b, 1, 1, q, t]), &self.device));
        }
        let padded = b * q != self.queries.len();
        Tables {
            q,
            t,
            pad: padded.then(|| indices(pad, &self.device)),
            unpad: padded.then(|| indices(unpad, &self.device)),
            keys: indices(keys, &self.device),
            masks,
        }
    }

    /// Mixes values for the first `q.dims()[0]` query rows, which belong to the first `lanes` lanes:
    /// `[rows, heads · head_dim]` to the same shape.
    pub(super) fn attend(&self, heads: &Heads, lanes: usize, q: Tensor<2>, kv: KeysValues<'_>) -> Tensor<2> {
        match &self.tables {
            None => self.attend_cpu(heads, q, kv),
            Some(tables) => self.attend_device(tables, heads, lanes, q, kv),
        }
    }

    fn attend_device(
        &self,
        tables: &Tables,
        heads: &Heads,
        lanes: usize,
        q: Tensor<2>,
        kv: KeysValues<'_>,
    ) -> Tensor<2> {
        let &Heads { count, kv: groups, dim, scale, soft_cap, window } = heads;
        let [rows, width] = q.dims();
        let per_group = count / groups;
        let Tables { q: slots, t, .. } = *tables;
        let keep = |index: &Tensor<1, Int>, n: usize| match index.dims()[0] == n {
            true => index.clone(),
            false => index.clone().narrow(0, 0, n),
        };
        let key_rows = keep(&tables.keys, lanes * t);
        let lookup = |base: Option<&Tensor<2>>, new: Option<Tensor<2>>| {
            let all = super::rows::stack(base.cloned(), new).expect("a query row has at least its own key");
            let picked: Tensor<5> = all.select(0, key_rows.clone()).reshape([lanes, t, groups, 1, dim]);
            picked.permute([0, 2, 3, 1, 4]) // [lanes, groups, 1, t, dim]
        };
        let (base_k, base_v) = kv.base.unzip();
        let (new_k, new_v) = kv.new.unzip();
        let (k, v) = (lookup(base_k, new_k), lookup(base_v, new_v));
        let q = match &tables.pad {
            Some(pad) => q.select(0, keep(pad, lanes * slots)),
            None => q,
        };
        let q: Tensor<5> = q.reshape([lanes, slots, groups, per_group, dim]).permute([0, 2, 3, 1, 4]);
        let k = k.expand([lanes, groups, per_group, t, dim]);
        let v = v.expand([lanes, groups, per_group, t, dim]);
        let mut scores = q.matmul(k.swap_dims(3, 4)) * scale; // [lanes, groups, per_group, slots, t]
        if let Some(cap) = soft_cap {
            scores = (scores / cap).tanh() * cap;
        }
        let mask = &tables.masks[&window];
        let mask = match mask.dims()[0] == lanes {
            true => mask.clone(),
            false => mask.clone().narrow(0, 0, lanes),
        };
        let mixed = activation::softmax(scores + mask, 4).matmul(v);
        let mixed = mixed.permute([0, 3, 1, 2, 4]).reshape([lanes * slots, width]);
        match &tables.unpad {
            Some(unpad) => mixed.select(0, keep(unpad, rows)),
            None => first(mixed, rows),
        }
    }

    /// The same without padding, copies or masks.
    fn attend_cpu(&self, heads: &Heads, q: Tensor<2>, kv: KeysValues<'_>) -> Tensor<2> {
        let &Heads { count, kv: groups, dim, scale, soft_cap, window } = heads;
        let (width, kv_width, per_group) = (count * dim, groups * dim, count / groups);
        let base = kv.base.map(|(k, v)| (cpu::take(k.clone()), cpu::take(v.clone())));
        let new = kv.new.map(|(k, v)| (cpu::take(k), cpu::take(v)));
        let (base_k, base_v) = base.as_ref().map_or((&[][..], &[][..]), |(k, v)| (cpu::floats(k), cpu::floats(v)));
        let (new_k, new_v) = new.as_ref().map_or((&[][..], &[][..]), |(k, v)| (cpu::floats(k), cpu::floats(v)));
        let pick = |at: u32| match (at as usize).checked_sub(self.base_rows) {
            Some(at) => (true, at * kv_width),
            None => (false, at as usize * kv_width),
        };
        let mut data = cpu::take(q);
        cpu::for_rows(
            cpu::floats_mut(&mut data),
            width,
            #[inline(always)]
            |first, rows| {
                let mut scores: Vec<f32> = Vec::new();
                for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                    let (lane, position) = self.queries[first + i];
                    let keys = &self.keys[lane][seen(position, window)];
                    for (head, q) in row.chunks_exact_mut(dim).enumerate() {
                        let offset = head / per_group * dim;
                        scores.clear();
                        for &key in keys {
                            let (is_new, at) = pick(key);
                            let k = &(if is_new { new_k } else { base_k })[at + offset..][..dim];
                            let score = cpu::dot(q, k) * scale;
                            scores.push(match soft_cap {
                                Some(cap) => (score / cap).tanh() * cap,
                                None => score,
                            });
                        }
                        let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                        let mut sum = 0.0;
                        for score in &mut scores {
                            *score = cpu::exp(*score - max);
                            sum += *score;
                        }
                        q.fill(0.0);
                        for (&key, weight) in keys.iter().zip(&scores) {
                            let (is_new, at) = pick(key);
                            let v = &(if is_new { new_v } else { base_v })[at + offset..][..dim];
                            let weight = weight / sum;
                            q.iter_mut().zip(v).for_each(|(out, v)| *out += weight * v);
                        }
                    }
                }
            },
        );
        cpu::give(data)
    }
}

/// Positions that a query at `position` sees.
fn seen(position: usize, window: Option<usize>) -> std::ops::Range<usize> {
    let first = window.map_or(0, |window| (position + 1).saturating_sub(window));
    first..position + 1
}
