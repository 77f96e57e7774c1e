//! RMSNorm and LayerNorm, a cube a row; and the same of a sum, which is a result too.

use super::{UNITS, argument, cubes, raw, room, tensor};
use burn::Tensor;
use cubecl::prelude::*;

/// Norms rows as wide as the weight; with a bias they are centred first.
pub(in crate::tensor) fn norm(x: Tensor<2>, weight: Tensor<1>, bias: Option<Tensor<1>>, eps: f64) -> Tensor<2> {
    let [rows, width] = x.dims();
    let x = raw(x);
    let weight = raw(weight);
    let centre = bias.is_some();
    let bias = bias.map_or_else(|| weight.clone(), raw);
    let out = room(&x, [rows, width]);
    alone::launch(
        &x.client,
        cubes(rows),
        CubeDim::new_1d(UNITS),
        argument(&x),
        argument(&weight),
        argument(&bias),
        argument(&out),
        rows as u32,
        width as u32,
        eps as f32,
        centre,
        UNITS as usize,
    );
    tensor(out)
}

/// `x + added`, and what [`norm`] makes of it.
pub(in crate::tensor) fn norm_of_sum(
    [x, added]: [Tensor<2>; 2],
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    eps: f64,
) -> [Tensor<2>; 2] {
    let [rows, width] = x.dims();
    let (x, added) = (raw(x), raw(added));
    let weight = raw(weight);
    let centre = bias.is_some();
    let bias = bias.map_or_else(|| weight.clone(), raw);
    let [sum, out] = [(); 2].map(|()| room(&x, [rows, width]));
    of_sum::launch(
        &x.client,
        cubes(rows),
        CubeDim::new_1d(UNITS),
        argument(&x),
        argument(&added),
        argument(&weight),
        argument(&bias),
        argument(&sum),
        argument(&out),
        rows as u32,
        width as u32,
        eps as f32,
        centre,
        UNITS as usize,
    );
    [tensor(sum), tensor(out)]
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn alone(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
    rows: u32,
    width: u32,
    eps: f32,
    #[comptime] centre: bool,
    #[comptime] units: usize,
) {
    row(x, x, weight, bias, out, rows, width, eps, centre, false, units);
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn of_sum(
    x: &[f32],
    added: &[f32],
    weight: &[f32],
    bias: &[f32],
    sum: &mut [f32],
    out: &mut [f32],
    rows: u32,
    width: u32,
    eps: f32,
    #[comptime] centre: bool,
    #[comptime] units: usize,
) {
    let last = rows as usize - 1;
    let first = select(CUBE_POS < last, CUBE_POS, last) * width as usize;
    let mut at = UNIT_POS as usize;
    while at < width as usize {
        sum[first + at] = x[first + at] + added[first + at];
        at += units;
    }
    row(x, added, weight, bias, out, rows, width, eps, centre, true, units);
}

/// One row, or with `adds` the sum of two.
#[cube]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn row(
    x: &[f32],
    added: &[f32],
    weight: &[f32],
    bias: &[f32],
    out: &mut [f32],
    rows: u32,
    width: u32,
    eps: f32,
    #[comptime] centre: bool,
    #[comptime] adds: bool,
    #[comptime] units: usize,
) {
    let mut sums = Shared::<[f32]>::new_slice(units);
    let unit = UNIT_POS as usize;
    let width = width as usize;
    let last = rows as usize - 1;
    let first = select(CUBE_POS < last, CUBE_POS, last) * width;
    let mut mean = 0.0f32;
    if centre {
        let mut sum = 0.0f32;
        let mut at = unit;
        while at < width {
            sum += number(x, added, first + at, adds);
            at += units;
        }
        sums[unit] = sum;
        sync_cube();
        mean = total(&sums, units) / width as f32;
        sync_cube();
    }
    let mut squares = 0.0f32;
    let mut at = unit;
    while at < width {
        let apart = number(x, added, first + at, adds) - mean;
        squares += apart * apart;
        at += units;
    }
    sums[unit] = squares;
    sync_cube();
    let scale = 1.0f32 / (total(&sums, units) / width as f32 + eps).sqrt();
    let mut at = unit;
    while at < width {
        let mut value = (number(x, added, first + at, adds) - mean) * scale * weight[at];
        if centre {
            value += bias[at];
        }
        out[first + at] = value;
        at += units;
    }
}

#[cube]
fn number(x: &[f32], added: &[f32], at: usize, #[comptime] adds: bool) -> f32 {
    let mut value = x[at];
    if adds {
        value += added[at];
    }
    value
}

/// The sum of what the units of a cube have put there: each adds them up by itself, in one order.
#[cube]
pub(super) fn total(values: &Shared<[f32]>, #[comptime] units: usize) -> f32 {
    let mut sum = 0.0f32;
    for at in 0..units {
        sum += values[at];
    }
    sum
}
