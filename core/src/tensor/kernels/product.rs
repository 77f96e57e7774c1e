//! Products with a matrix as a model holds it on a device: in f32 on the plain units, in f16 on matrix units that add up
//! in f32. A cube computes a tile of the result from tiles of both in shared memory, the next ones on their way meanwhile.
//! Where there are fewer tiles than a device has units for, several cubes share the sum of a tile, which a second kernel
//! adds up in a fixed order. Which tile a product takes depends on its shape alone, so that its bits do too.

mod half;
mod plain;

use super::{argument, for_each, raw, tensor};
use burn::{DType, Tensor};
use burn_cubecl::{Cube, tensor::CubeTensor};
use cubecl::prelude::*;

/// `x wᵀ + b`: `[rows, in]` with a matrix `[out, in]` to `[rows, out]`; `half` gives `x` in f16.
pub(in crate::tensor) fn product(
    x: &Tensor<2>,
    half: impl FnOnce() -> Tensor<2>,
    w: &Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<2> {
    let ([m, k], [n, _]) = (x.dims(), w.dims());
    let sizes = Sizes { m, n, k };
    let held = w.clone().try_into_primitive::<Cube>().expect("matrices on a device are burn's CubeCL tensors");
    if !held.is_contiguous() {
        // Turned, as GPT-2's are while it is trained: burn's product reads it as it lies.
        return plus(x.clone().matmul(wide(w).transpose()), bias);
    }
    match held.dtype {
        DType::F16 if half::fits(&held, sizes) => half::product(half(), held, sizes, bias),
        _ if plain::fits(sizes) => plain::product(x.clone(), &held, sizes, bias),
        _ => plus(x.clone().matmul(wide(w).transpose()), bias),
    }
}

fn plus(y: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    match bias {
        Some(bias) => y + bias.unsqueeze::<2>(),
        None => y,
    }
}

/// A matrix in f32, whatever it is held in.
pub(in crate::tensor) fn wide(w: &Tensor<2>) -> Tensor<2> {
    match w.dtype() {
        DType::F32 => w.clone(),
        _ => w.clone().cast(DType::F32),
    }
}

/// A device's matrix units compute wrong: they are not used any more.
pub(in crate::tensor) fn give_up_matrix_units() {
    half::give_up();
}

/// Of a product `[m, k]` with `[n, k]`.
#[derive(Clone, Copy)]
struct Sizes {
    m: usize,
    n: usize,
    k: usize,
}

impl Sizes {
    /// How many cubes share a tile's sum: so many that there are `enough` cubes, none with less than `least` of `k`, in
    /// steps of `step`, and a buffer holds all the sums.
    fn splits(self, [height, width]: [usize; 2], step: usize, enough: usize, least: usize, buffer: u64) -> usize {
        let cubes = self.m.div_ceil(height) * self.n.div_ceil(width);
        let bytes = (self.m.div_ceil(height) * height * self.n * size_of::<f32>()) as u64;
        let mut splits = 1;
        while splits < 8
            && cubes * splits < enough
            && self.k.is_multiple_of(2 * splits * step)
            && self.k / (2 * splits) >= least
            && bytes * 2 * splits as u64 <= buffer
        {
            splits *= 2;
        }
        splits
    }
}

/// Bytes of a device's largest buffer.
fn largest_buffer(x: &CubeTensor) -> u64 {
    x.client.properties().memory.max_page_size
}

/// Room for the sums of `splits` cubes each, of whole tiles.
fn partial(x: &CubeTensor, rows: usize, n: usize, splits: usize) -> CubeTensor {
    let shape = [splits * rows, n];
    let handle = x.client.empty(splits * rows * n * size_of::<f32>());
    CubeTensor::new_contiguous(x.client.clone(), x.device.clone(), shape.into(), handle, DType::F32)
}

/// The first `m` of `rows` rows, the sums of all splits and the bias added up.
fn joined(sums: CubeTensor, [m, rows, n]: [usize; 3], splits: usize, bias: Option<Tensor<1>>) -> Tensor<2> {
    if splits == 1 {
        let sums = tensor::<2>(sums);
        return plus(if m == rows { sums } else { sums.narrow(0, 0, m) }, bias);
    }
    let out = super::room(&sums, [m, n]);
    let (count, dim) = for_each(&sums, m * n);
    let biased = bias.is_some();
    let bias = bias.map_or_else(|| sums.clone(), raw);
    add_up::launch(
        &sums.client,
        count,
        dim,
        argument(&sums),
        argument(&bias),
        argument(&out),
        (m * n) as u32,
        (rows * n) as u32,
        n as u32,
        splits,
        biased,
    );
    tensor(out)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn add_up(
    sums: &[f32],
    bias: &[f32],
    out: &mut [f32],
    count: u32,
    apart: u32,
    width: u32,
    #[comptime] splits: usize,
    #[comptime] biased: bool,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let mut sum = sums[at];
        #[unroll]
        for split in 1..splits {
            sum += sums[split * apart as usize + at];
        }
        if biased {
            sum += bias[at % width as usize];
        }
        out[at] = sum;
    }
}
