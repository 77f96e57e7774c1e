//! Rotary position embedding, a unit a number.

use super::{argument, for_each, raw, room, tensor};
use burn::Tensor;
use cubecl::prelude::*;

/// Rotates the leading dimensions of every head; `cos` and `sin` have at least a row for each row of `x`. Sines are taken
/// `sign` times.
pub(in crate::tensor) fn rotate(x: Tensor<2>, [cos, sin]: [Tensor<2>; 2], head_dim: usize, sign: f32) -> Tensor<2> {
    let [rows, width] = x.dims();
    let half = cos.dims()[1];
    let (x, cos, sin) = (raw(x), raw(cos), raw(sin));
    let out = room(&x, [rows, width]);
    let (count, dim) = for_each(&x, rows * width);
    kernel::launch(
        &x.client,
        count,
        dim,
        argument(&x),
        argument(&cos),
        argument(&sin),
        argument(&out),
        (rows * width) as u32,
        width as u32,
        head_dim as u32,
        half as u32,
        sign,
    );
    tensor(out)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn kernel(
    x: &[f32],
    cos: &[f32],
    sin: &[f32],
    out: &mut [f32],
    count: u32,
    width: u32,
    head_dim: u32,
    half: u32,
    sign: f32,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let (width, half) = (width as usize, half as usize);
        let row = at / width;
        let place = at % width % head_dim as usize;
        let mut value = x[at];
        if place < half {
            let angle = row * half + place;
            value = value * cos[angle] - x[at + half] * (sin[angle] * sign);
        } else if place < 2 * half {
            let angle = row * half + place - half;
            value = value * cos[angle] + x[at - half] * (sin[angle] * sign);
        }
        out[at] = value;
    }
}
