//! Nonlinearities, and their product with another row, a unit a number.

use super::{argument, for_each, raw, room, tensor};
use crate::tensor::Activation;
use burn::Tensor;
use cubecl::prelude::*;

/// `act(gate) · up` of rows in which the gates come first, then as many ups.
pub(in crate::tensor) fn gated_halves(act: Activation, both: Tensor<2>) -> Tensor<2> {
    let [rows, width] = both.dims();
    let x = raw(both);
    let out = room(&x, [rows, width / 2]);
    let (count, dim) = for_each(&x, rows * width / 2);
    halves::launch(
        &x.client,
        count,
        dim,
        argument(&x),
        argument(&out),
        (rows * width / 2) as u32,
        (width / 2) as u32,
        act == Activation::Silu,
    );
    tensor(out)
}

/// `act(x)`.
pub(in crate::tensor) fn plain(act: Activation, x: Tensor<2>) -> Tensor<2> {
    launch(act, x, None)
}

/// `act(gate) · up`.
pub(in crate::tensor) fn gated(act: Activation, gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    launch(act, gate, Some(up))
}

fn launch(act: Activation, x: Tensor<2>, up: Option<Tensor<2>>) -> Tensor<2> {
    let [rows, width] = x.dims();
    let x = raw(x);
    let gated = up.is_some();
    let up = up.map_or_else(|| x.clone(), raw);
    let out = room(&x, [rows, width]);
    let (count, dim) = for_each(&x, rows * width);
    kernel::launch(
        &x.client,
        count,
        dim,
        argument(&x),
        argument(&up),
        argument(&out),
        (rows * width) as u32,
        gated,
        act == Activation::Silu,
    );
    tensor(out)
}

#[cube(launch)]
fn kernel(x: &[f32], up: &[f32], out: &mut [f32], count: u32, #[comptime] gated: bool, #[comptime] silu: bool) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let mut value = activated(x[at], silu);
        if gated {
            value *= up[at];
        }
        out[at] = value;
    }
}

#[cube(launch)]
fn halves(x: &[f32], out: &mut [f32], count: u32, width: u32, #[comptime] silu: bool) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let width = width as usize;
        let gate = at / width * 2 * width + at % width;
        out[at] = activated(x[gate], silu) * x[gate + width];
    }
}

#[cube]
fn activated(x: f32, #[comptime] silu: bool) -> f32 {
    let mut inner = x;
    if !silu {
        // By way of the sigmoid: some graphics drivers give no number for the tanh of a large one.
        inner = x * (x * x * 0.044_715f32 + 1.0f32) * 1.595_769_2f32;
    }
    x / (1.0f32 + (-inner).exp())
}
