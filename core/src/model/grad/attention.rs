//! Causal grouped-query attention of sentences of one length.
//!
//! Heads are short in training, so that a general matrix product would spend its time on packing. Here the keys of a head
//! stand as columns of [`LANES`] positions, and sums stay in registers. The backward pass computes the probabilities
//! again rather than keep them.

use super::{Slope, floats, for_chunks, parts, record};
use crate::model::{Heads, cpu};
use burn::tensor::{Tensor, TensorData};
use std::ops::Range;

/// Positions or dimensions that are summed up side by side.
const LANES: usize = 16;

/// Mixes values for sentences of `t` tokens: `[sentences · t, heads · dim]` to the same.
pub(crate) fn attend(heads: &Heads, t: usize, q: Tensor<2>, k: Tensor<2>, v: Tensor<2>) -> Tensor<2> {
    let [rows, width] = q.dims();
    let attention = Attention { heads: heads.clone(), t, rows };
    let ((q, q_node), (k, k_node), (v, v_node)) = (parts(q), parts(k), parts(v));
    let mut mixed = vec![0.0; rows * width];
    attention.forward([floats(&q), floats(&k), floats(&v)], &mut mixed);
    record(attention, [q_node, k_node, v_node], [q, k, v], TensorData::new(mixed, [rows, width]))
}

#[derive(Debug)]
struct Attention {
    heads: Heads,
    t: usize,
    rows: usize,
}

impl Attention {
    /// Length of a row of queries, and of keys.
    fn widths(&self) -> [usize; 2] {
        [self.heads.count * self.heads.dim, self.heads.kv * self.heads.dim]
    }

    /// Positions, filled up to whole lanes.
    fn padded(&self) -> usize {
        self.t.next_multiple_of(LANES)
    }

    /// Positions that a query sees.
    fn seen(&self, query: usize) -> Range<usize> {
        (query + 1).saturating_sub(self.heads.window.unwrap_or(self.t))..query + 1
    }

    /// Queries that see a position.
    fn seers(&self, key: usize) -> Range<usize> {
        key..self.heads.window.map_or(self.t, |window| self.t.min(key + window))
    }

    fn forward(&self, [q, k, v]: [&[f32]; 3], mixed: &mut [f32]) {
        let Heads { count, kv, dim, .. } = self.heads;
        let [width, kv_width] = self.widths();
        for_chunks(
            [(mixed, self.t * width)],
            #[inline(always)]
            |sentence, [mixed]| {
                let q = &q[sentence * self.t * width..];
                let rows = sentence * self.t * kv_width;
                let (mut columns, mut p) = (Vec::new(), vec![0.0; self.padded()]);
                for group in 0..kv {
                    let (k, v) = (&k[rows + group * dim..], &v[rows + group * dim..]);
                    self.columns(k, &mut columns);
                    for query in 0..self.t {
                        let seen = self.seen(query);
                        let v = &v[seen.start * kv_width..];
                        for head in group * (count / kv)..(group + 1) * (count / kv) {
                            let at = query * width + head * dim;
                            self.probabilities(query, &q[at..at + dim], &columns, &mut p, None);
                            mix(along(&p, seen.clone()), v, kv_width, &mut mixed[at..at + dim]);
                        }
                    }
                }
            },
        );
    }

    /// Rows of a head's keys or values as columns: `[t / LANES, dim, LANES]`.
    #[inline(always)]
    fn columns(&self, rows: &[f32], columns: &mut Vec<f32>) {
        let dim = self.heads.dim;
        columns.clear();
        columns.resize(self.padded() * dim, 0.0);
        for (position, row) in rows.chunks(self.widths()[1]).take(self.t).enumerate() {
            let column = &mut columns[position / LANES * LANES * dim + position % LANES..];
            row[..dim].iter().zip(column.iter_mut().step_by(LANES)).for_each(|(x, y)| *y = *x);
        }
    }

    /// What a query pays to each position. `slopes` are those of the scores by the products of query and key.
    #[inline(always)]
    fn probabilities(&self, query: usize, q: &[f32], keys: &[f32], p: &mut [f32], slopes: Option<&mut [f32]>) {
        let (scale, seen) = (self.heads.scale, self.seen(query));
        let p = &mut p[..seen.end.next_multiple_of(LANES)];
        products(q, keys, p);
        p.iter_mut().for_each(|p| *p *= scale);
        if let Some(cap) = self.heads.soft_cap {
            p.iter_mut().for_each(|p| *p = (*p / cap).tanh() * cap);
            if let Some(slopes) = slopes {
                slopes.iter_mut().zip(&*p).for_each(|(slope, p)| *slope = scale * (1.0 - (p / cap) * (p / cap)));
            }
        } else if let Some(slopes) = slopes {
            slopes.fill(scale);
        }
        // What is not seen is far below the rest, so that it gets nothing beside the 1 of the largest.
        p[..seen.start].fill(-1e30);
        p[seen.end..].fill(-1e30);
        let max = fold(p, f32::NEG_INFINITY, f32::max);
        p.iter_mut().for_each(|p| *p = cpu::exp(*p - max));
        let share = 1.0 / fold(p, 0.0, |x, y| x + y);
        p.iter_mut().for_each(|p| *p *= share);
    }
}

impl Slope<3, 3> for Attention {
    fn slope(self, [q, k, v]: [&[f32]; 3], grad: &mut [f32]) -> Vec<TensorData> {
        let Heads { count, kv, dim, .. } = self.heads;
        let ([width, kv_width], t, padded) = (self.widths(), self.t, self.padded());
        let (mut on_k, mut on_v) = (vec![0.0; k.len()], vec![0.0; v.len()]);
        let buffers = [(grad, t * width), (&mut on_k[..], t * kv_width), (&mut on_v[..], t * kv_width)];
        for_chunks(
            buffers,
            #[inline(always)]
            |sentence, [grad, on_k, on_v]| {
                let q = &q[sentence * t * width..];
                let rows = sentence * t * kv_width;
                let (mut keys, mut values) = (Vec::new(), Vec::new());
                // Per query and position: probabilities, and gradients on the products of query and key.
                let (mut p, mut on_products) = (vec![0.0; t * padded], vec![0.0; t * padded]);
                let (mut on_p, mut on_q) = (vec![0.0; padded], vec![0.0; t * dim]);
                for group in 0..kv {
                    let (k, v) = (&k[rows + group * dim..], &v[rows + group * dim..]);
                    self.columns(k, &mut keys);
                    self.columns(v, &mut values);
                    for head in group * (count / kv)..(group + 1) * (count / kv) {
                        let q = &q[head * dim..];
                        on_q.fill(0.0);
                        for query in 0..t {
                            let (seen, at) = (self.seen(query), query * padded..(query + 1) * padded);
                            let (p, on_products) = (&mut p[at.clone()], &mut on_products[at]);
                            self.probabilities(query, &q[query * width..][..dim], &keys, p, Some(&mut *on_products));
                            let lanes = seen.end.next_multiple_of(LANES);
                            products(&grad[query * width + head * dim..][..dim], &values, &mut on_p[..lanes]);
                            let level = cpu::dot(&p[..lanes], &on_p[..lanes]);
                            for ((slope, p), on_p) in on_products[..lanes].iter_mut().zip(&*p).zip(&on_p) {
                                *slope *= p * (on_p - level);
                            }
                            let k = &k[seen.start * kv_width..];
                            mix(along(on_products, seen), k, kv_width, &mut on_q[query * dim..][..dim]);
                        }
                        for key in 0..t {
                            let (seers, at) = (self.seers(key), key * kv_width + group * dim);
                            let weights = [&p, &on_products].map(|x| across(x, padded, seers.clone(), key));
                            let first = seers.start * width;
                            mix(weights[1], &q[first..], width, &mut on_k[at..at + dim]);
                            mix(weights[0], &grad[first + head * dim..], width, &mut on_v[at..at + dim]);
                        }
                        for (query, on_q) in on_q.chunks_exact(dim).enumerate() {
                            grad[query * width + head * dim..][..dim].copy_from_slice(on_q);
                        }
                    }
                }
            },
        );
        let shape = [self.rows, kv_width];
        vec![TensorData::new(on_k, shape), TensorData::new(on_v, shape)]
    }
}

/// Products of a row with columns, as many as `out` has room for. Two sums, so that none waits for its last addition.
#[inline(always)]
fn products(row: &[f32], columns: &[f32], out: &mut [f32]) {
    for (out, block) in out.chunks_exact_mut(LANES).zip(columns.chunks_exact(row.len() * LANES)) {
        let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
        let (pairs, columns) = (row.chunks_exact(2), block.chunks_exact(2 * LANES));
        if let [last] = pairs.remainder() {
            add(&mut odd, *last, columns.remainder());
        }
        for (pair, columns) in pairs.zip(columns) {
            add(&mut even, pair[0], &columns[..LANES]);
            add(&mut odd, pair[1], &columns[LANES..]);
        }
        out.iter_mut().zip(even.iter().zip(&odd)).for_each(|(out, (x, y))| *out = x + y);
    }
}

#[inline(always)]
fn add(sums: &mut [f32; LANES], weight: f32, row: &[f32]) {
    sums.iter_mut().zip(&row[..LANES]).for_each(|(sum, x)| *sum += weight * x);
}

/// Weights `step` apart.
#[derive(Clone, Copy)]
struct Weights<'a> {
    x: &'a [f32],
    step: usize,
    count: usize,
}

/// Neighbouring weights.
#[inline(always)]
fn along(x: &[f32], range: Range<usize>) -> Weights<'_> {
    Weights { x: &x[range.clone()], step: 1, count: range.len() }
}

/// Weights of one position, a query each.
#[inline(always)]
fn across(x: &[f32], padded: usize, queries: Range<usize>, key: usize) -> Weights<'_> {
    Weights { x: &x[queries.start * padded + key..], step: padded, count: queries.len() }
}

/// The weighted sum of the beginnings of rows, added to `out`.
#[inline(always)]
fn mix(weights: Weights<'_>, rows: &[f32], stride: usize, out: &mut [f32]) {
    let Weights { x, step, count } = weights;
    let whole = out.len() / LANES * LANES;
    let (blocks, rest) = out.split_at_mut(whole);
    for (block, out) in blocks.chunks_exact_mut(LANES).enumerate() {
        let rows = &rows[block * LANES..];
        let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
        for pair in 0..count / 2 {
            add(&mut even, x[2 * pair * step], &rows[2 * pair * stride..]);
            add(&mut odd, x[(2 * pair + 1) * step], &rows[(2 * pair + 1) * stride..]);
        }
        if !count.is_multiple_of(2) {
            add(&mut even, x[(count - 1) * step], &rows[(count - 1) * stride..]);
        }
        out.iter_mut().zip(even.iter().zip(&odd)).for_each(|(out, (x, y))| *out += x + y);
    }
    if !rest.is_empty() {
        for at in 0..count {
            let (weight, row) = (x[at * step], &rows[at * stride + whole..]);
            rest.iter_mut().zip(row).for_each(|(out, x)| *out += weight * x);
        }
    }
}

/// Folds whole lanes side by side, then the lanes.
#[inline(always)]
fn fold(x: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    for x in x.chunks_exact(LANES) {
        lanes.iter_mut().zip(x).for_each(|(lane, x)| *lane = f(*lane, *x));
    }
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            lanes[i] = f(lanes[i], lanes[i + n]);
        }
    }
    lanes[0]
}
