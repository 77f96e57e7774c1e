//! Attention of packed rows: a cube a head of a query row, which sees the rows that its run's list names. Keys and values
//! are read where they are; nothing is padded, expanded or joined.

use super::norm::total;
use super::{Table, UNITS, argument, cubes, raw, room, tensor};
use crate::tensor::attend::Heads;
use burn::Tensor;
use cubecl::prelude::*;

/// What a pass' attention has on the device.
pub(in crate::tensor) struct Attention {
    /// Run and position of each query row, then `most` key rows for each run; rows of the pass itself come after captured
    /// ones.
    pub(in crate::tensor) table: Table,
    /// Query rows that the table has.
    pub(in crate::tensor) queries: usize,
    /// Positions of the longest run.
    pub(in crate::tensor) most: usize,
    /// Captured rows.
    pub(in crate::tensor) base: usize,
}

/// Mixed values of the first `q` rows: `[rows, heads · dim]` to the same.
pub(in crate::tensor) fn attend(
    lists: &Attention,
    heads: &Heads,
    q: Tensor<2>,
    captured: Option<[Tensor<2>; 2]>,
    own: [Tensor<2>; 2],
) -> Tensor<2> {
    let [rows, width] = q.dims();
    let q = raw(q);
    let [k, v] = own.map(raw);
    let [base_k, base_v] = captured.map_or_else(|| [k.clone(), v.clone()], |captured| captured.map(raw));
    let out = room(&q, [rows, width]);
    let table = lists.table.raw();
    attention::launch(
        &q.client,
        cubes(rows * heads.count),
        CubeDim::new_1d(UNITS),
        argument(&q),
        argument(&k),
        argument(&v),
        argument(&base_k),
        argument(&base_v),
        argument(&table),
        argument(&out),
        rows as u32,
        heads.count as u32,
        heads.kv as u32,
        lists.table.first as u32,
        (2 * lists.queries) as u32,
        lists.most as u32,
        lists.base as u32,
        heads.window.unwrap_or(0) as u32,
        heads.scale,
        heads.soft_cap.unwrap_or(0.0),
        heads.dim,
        // A few sizes, so that there are a few kernels.
        lists.most.next_power_of_two().max(64),
        UNITS as usize,
    );
    tensor(out)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn attention(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    base_k: &[f32],
    base_v: &[f32],
    table: &[i32],
    out: &mut [f32],
    rows: u32,
    heads: u32,
    groups: u32,
    first: u32,
    keys_at: u32,
    most: u32,
    base: u32,
    window: u32,
    scale: f32,
    cap: f32,
    #[comptime] dim: usize,
    #[comptime] room: usize,
    #[comptime] units: usize,
) {
    let mut query = Shared::<[f32]>::new_slice(dim);
    let mut scores = Shared::<[f32]>::new_slice(room);
    let mut sums = Shared::<[f32]>::new_slice(units);
    let unit = UNIT_POS as usize;
    let heads = heads as usize;
    let last = rows as usize * heads - 1;
    let item = select(CUBE_POS < last, CUBE_POS, last);
    let (row, head) = (item / heads, item % heads);
    let group = head / (heads / groups as usize);
    let width = groups as usize * dim;
    let first = first as usize;
    let run = table[first + 2 * row] as usize;
    let end = table[first + 2 * row + 1] as usize + 1;
    let mut start = 0usize;
    if window > 0 && end > window as usize {
        start = end - window as usize;
    }
    let keys = first + keys_at as usize + run * most as usize;

    let mut at = unit;
    while at < dim {
        query[at] = q[item * dim + at];
        at += units;
    }
    sync_cube();
    // Scores of the positions, and their largest.
    let mut top = f32::new(-1e30);
    let mut position = start + unit;
    while position < end {
        let key = table[keys + position] as usize;
        let mut score = 0.0f32;
        if key < base as usize {
            let from = key * width + group * dim;
            for at in 0..dim {
                score += query[at] * base_k[from + at];
            }
        } else {
            let from = (key - base as usize) * width + group * dim;
            for at in 0..dim {
                score += query[at] * k[from + at];
            }
        }
        score *= scale;
        if cap > 0.0 {
            // tanh by way of the exponential: some graphics drivers give no number for that of a large one.
            score = cap * (1.0f32 - 2.0f32 / (1.0f32 + (2.0f32 * score / cap).exp()));
        }
        scores[position - start] = score;
        top = max(top, score);
        position += units;
    }
    sums[unit] = top;
    sync_cube();
    for at in 0..units {
        top = max(top, sums[at]);
    }
    sync_cube();
    let mut sum = 0.0f32;
    let mut position = start + unit;
    while position < end {
        let weight = (scores[position - start] - top).exp();
        scores[position - start] = weight;
        sum += weight;
        position += units;
    }
    sums[unit] = sum;
    sync_cube();
    let sum = total(&sums, units);
    let mut at = unit;
    while at < dim {
        let mut mixed = 0.0f32;
        for position in start..end {
            let key = table[keys + position] as usize;
            let weight = scores[position - start];
            if key < base as usize {
                mixed += weight * base_v[key * width + group * dim + at];
            } else {
                mixed += weight * v[(key - base as usize) * width + group * dim + at];
            }
        }
        out[item * dim + at] = mixed / sum;
        at += units;
    }
}
