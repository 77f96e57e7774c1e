//! Queries, keys and values out of one product, with their biases, queries and keys rotated: a unit a number.

use super::{argument, for_each, raw, room, tensor};
use burn::Tensor;
use cubecl::prelude::*;

/// What a row of the product holds, and how its parts are rotated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    /// Numbers of a row's queries.
    pub(crate) q: usize,
    /// Of its keys, and of its values.
    pub(crate) kv: usize,
    /// Of a head.
    pub(crate) dim: usize,
}

/// `[rows, q + 2 kv]` to queries, keys and values. `turns` are cosines and sines of at least as many rows; without them
/// nothing is rotated.
pub(in crate::tensor) fn split(
    x: Tensor<2>,
    bias: Option<Tensor<1>>,
    turns: Option<[Tensor<2>; 2]>,
    parts: Parts,
) -> [Tensor<2>; 3] {
    let [rows, width] = x.dims();
    let half = turns.as_ref().map_or(0, |[cos, _]| cos.dims()[1]);
    let x = raw(x);
    let biased = bias.is_some();
    let bias = bias.map_or_else(|| x.clone(), raw);
    let rotates = turns.is_some();
    let [cos, sin] = turns.map_or_else(|| [x.clone(), x.clone()], |turns| turns.map(raw));
    let [q, k, v] = [parts.q, parts.kv, parts.kv].map(|width| room(&x, [rows, width]));
    let (count, dim) = for_each(&x, rows * width);
    kernel::launch(
        &x.client,
        count,
        dim,
        argument(&x),
        argument(&bias),
        argument(&cos),
        argument(&sin),
        argument(&q),
        argument(&k),
        argument(&v),
        (rows * width) as u32,
        parts.q as u32,
        parts.kv as u32,
        parts.dim as u32,
        half as u32,
        biased,
        rotates,
    );
    [q, k, v].map(tensor)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn kernel(
    x: &[f32],
    bias: &[f32],
    cos: &[f32],
    sin: &[f32],
    q: &mut [f32],
    k: &mut [f32],
    v: &mut [f32],
    count: u32,
    wide_q: u32,
    wide_kv: u32,
    dim: u32,
    half: u32,
    #[comptime] biased: bool,
    #[comptime] rotates: bool,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let (wide_q, wide_kv, half) = (wide_q as usize, wide_kv as usize, half as usize);
        let width = wide_q + 2 * wide_kv;
        let (row, column) = (at / width, at % width);
        let mut value = number(x, bias, at, column, biased);
        if rotates {
            // Queries end where a head ends, so that keys' heads begin at multiples too.
            let place = column % dim as usize;
            if column < wide_q + wide_kv && place < 2 * half {
                if place < half {
                    let other = number(x, bias, at + half, column + half, biased);
                    let angle = row * half + place;
                    value = value * cos[angle] - other * sin[angle];
                } else {
                    let other = number(x, bias, at - half, column - half, biased);
                    let angle = row * half + place - half;
                    value = value * cos[angle] + other * sin[angle];
                }
            }
        }
        if column < wide_q {
            q[row * wide_q + column] = value;
        } else if column < wide_q + wide_kv {
            k[row * wide_kv + column - wide_q] = value;
        } else {
            v[row * wide_kv + column - wide_q - wide_kv] = value;
        }
    }
}

#[cube]
fn number(x: &[f32], bias: &[f32], at: usize, column: usize, #[comptime] biased: bool) -> f32 {
    let mut value = x[at];
    if biased {
        value += bias[column];
    }
    value
}
