//! On the host: without padding, copies or masks.

use super::{Captured, Heads, KeyLists, seen};
use crate::tensor::{Buffer, Rows, simd};

/// Where keys and values are.
#[derive(Clone, Copy)]
struct Keys<'a> {
    base_rows: usize,
    base: Option<Captured<'a>>,
    new: [&'a Rows; 2],
    dim: usize,
}

impl<'a> Keys<'a> {
    /// The pass' own row, where it is one.
    #[inline(always)]
    fn own(&self, at: u32) -> Option<usize> {
        (at as usize).checked_sub(self.base_rows)
    }

    /// Key and value of a head whose columns begin at `offset`.
    #[inline(always)]
    fn pick(&self, at: u32, offset: usize) -> [&'a [f32]; 2] {
        match self.own(at) {
            Some(at) => self.new.map(|rows| &rows.row(at)[offset..][..self.dim]),
            None => {
                let base = self.base.expect("a captured key needs a captured run");
                let (chunk, row) = base.places[at as usize];
                [base.keys, base.values].map(|rows| &rows[chunk as usize].row(row as usize)[offset..][..self.dim])
            }
        }
    }
}

pub(super) fn attend(lists: &KeyLists, heads: &Heads, q: Rows, base: Option<Captured<'_>>, new: [&Rows; 2]) -> Rows {
    let &Heads { count, kv: groups, dim, scale, soft_cap, window, .. } = heads;
    let (width, per_group) = (count * dim, count / groups);
    let all = Keys { base_rows: lists.base_rows, base, new, dim };
    let mut scores: Vec<f32> = Vec::new();
    q.map(
        #[inline(always)]
        |rows| {
            for (row, &(run, position)) in rows.chunks_exact_mut(width).zip(&lists.queries) {
                let keys = &lists.keys[run as usize][seen(position as usize, window)];
                for (head, q) in row.chunks_exact_mut(dim).enumerate() {
                    let offset = head / per_group * dim;
                    scores.clear();
                    for &key in keys {
                        let score = simd::dot(q, all.pick(key, offset)[0]) * scale;
                        scores.push(match soft_cap {
                            Some(cap) => simd::tanh(score / cap) * cap,
                            None => score,
                        });
                    }
                    softmax(&mut scores);
                    q.fill(0.0);
                    for (&key, weight) in keys.iter().zip(&scores) {
                        simd::add_scaled(q, *weight, all.pick(key, offset)[1]);
                    }
                }
            }
        },
        |_| panic!("{}", crate::tensor::MIXED),
    )
}

/// Attention weights of each head: `[heads, rows, rows]`, of rotated queries and keys.
pub(super) fn pattern(heads: &Heads, q: &[f32], k: &[f32]) -> Vec<f32> {
    let &Heads { count, kv: groups, dim, scale, soft_cap, window, .. } = heads;
    let rows = q.len() / (count * dim).max(1);
    let mut out = vec![0.0; count * rows * rows];
    for (at, row) in out.chunks_exact_mut(rows.max(1)).enumerate() {
        let (head, query) = (at / rows, at % rows);
        let offset = head / (count / groups) * dim;
        let q = &q[query * count * dim + head * dim..][..dim];
        let seen = seen(query, window);
        for key in seen.clone() {
            let score = simd::dot(q, &k[key * groups * dim + offset..][..dim]) * scale;
            row[key] = soft_cap.map_or(score, |cap| simd::tanh(score / cap) * cap);
        }
        softmax(&mut row[seen]);
    }
    out
}

/// Scores to weights.
#[inline(always)]
pub(super) fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in &mut *scores {
        *score = simd::exp(*score - max);
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}

/// Gradients on queries, and on the pass' own keys and values, from those on mixed values. Captured keys have none.
pub(super) fn backward(
    lists: &KeyLists,
    heads: &Heads,
    q: &Rows,
    base: Option<Captured<'_>>,
    new: [&Rows; 2],
    g: Rows,
) -> [Rows; 3] {
    let &Heads { count, kv: groups, dim, scale, soft_cap, window, .. } = heads;
    let (width, per_group) = (count * dim, count / groups);
    let all = Keys { base_rows: lists.base_rows, base, new, dim };
    let kv = new[0].width();
    let zeros = || {
        let mut zeros = Buffer::scratch(new[0].count() * kv);
        zeros.fill(0.0);
        zeros
    };
    let (mut on_k, mut on_v) = (zeros(), zeros());
    // Per key: its attention weight, and the derivative of its score by the product of query and key.
    let (mut p, mut slopes, mut on_p): (Vec<f32>, Vec<f32>, Vec<f32>) = Default::default();
    let on_q = g.map(
        #[inline(always)]
        |g| {
            let rows = g.chunks_exact_mut(width).zip(q.host().chunks_exact(width));
            for ((g, q), &(run, position)) in rows.zip(&lists.queries) {
                let keys = &lists.keys[run as usize][seen(position as usize, window)];
                for (head, (g, q)) in g.chunks_exact_mut(dim).zip(q.chunks_exact(dim)).enumerate() {
                    let offset = head / per_group * dim;
                    p.clear();
                    slopes.clear();
                    on_p.clear();
                    for &key in keys {
                        let [k, v] = all.pick(key, offset);
                        let score = simd::dot(q, k) * scale;
                        let capped = soft_cap.map(|cap| simd::tanh(score / cap));
                        p.push(capped.zip(soft_cap).map_or(score, |(tanh, cap)| tanh * cap));
                        slopes.push(capped.map_or(scale, |tanh| scale * (1.0 - tanh * tanh)));
                        on_p.push(simd::dot(g, v));
                    }
                    softmax(&mut p);
                    let level = simd::dot(&p, &on_p);
                    // Values first: they need the gradient that the query's own takes the place of.
                    for (&key, p) in keys.iter().zip(&p) {
                        if let Some(own) = all.own(key) {
                            simd::add_scaled(&mut on_v[own * kv + offset..][..dim], *p, g);
                        }
                    }
                    g.fill(0.0);
                    for (at, &key) in keys.iter().enumerate() {
                        let on_score = p[at] * (on_p[at] - level) * slopes[at];
                        simd::add_scaled(g, on_score, all.pick(key, offset)[0]);
                        if let Some(own) = all.own(key) {
                            simd::add_scaled(&mut on_k[own * kv + offset..][..dim], on_score, q);
                        }
                    }
                }
            }
        },
        |_| panic!("{}", crate::tensor::MIXED),
    );
    [on_q, Rows::on_host(on_k, kv), Rows::on_host(on_v, kv)]
}
