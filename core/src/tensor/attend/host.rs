//! On the host: without padding, copies or masks.

use super::{Captured, KeyLists, seen};
use crate::model::Heads;
use crate::tensor::{Rows, simd};

pub(super) fn attend(
    lists: &KeyLists,
    heads: &Heads,
    q: Rows,
    base: Option<Captured<'_>>,
    [new_k, new_v]: [&Rows; 2],
) -> Rows {
    let &Heads { count, kv: groups, dim, scale, soft_cap, window, .. } = heads;
    let (width, per_group) = (count * dim, count / groups);
    let pick = |at: u32, offset: usize| -> [&[f32]; 2] {
        match (at as usize).checked_sub(lists.base_rows) {
            Some(at) => [new_k, new_v].map(|rows| &rows.row(at)[offset..][..dim]),
            None => {
                let base = base.expect("a captured key needs a captured run");
                let (chunk, row) = base.places[at as usize];
                [base.keys, base.values].map(|rows| &rows[chunk as usize].row(row as usize)[offset..][..dim])
            }
        }
    };
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
                        let score = simd::dot(q, pick(key, offset)[0]) * scale;
                        scores.push(match soft_cap {
                            Some(cap) => simd::tanh(score / cap) * cap,
                            None => score,
                        });
                    }
                    softmax(&mut scores);
                    q.fill(0.0);
                    for (&key, weight) in keys.iter().zip(&scores) {
                        simd::add_scaled(q, *weight, pick(key, offset)[1]);
                    }
                }
            }
        },
        |_| panic!("{}", crate::tensor::MIXED),
    )
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
