//! In f32, with a matrix in f32 or f16.

use super::{Sizes, joined, largest_buffer, partial};
use crate::tensor::kernels::raw;
use burn::{DType, Tensor};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;
use half::f16;

/// What a cube computes, and what of it a unit does: `high × wide` of them, in pieces of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tile {
    height: usize,
    width: usize,
    /// Of `k` at a time.
    depth: usize,
    high: usize,
    wide: usize,
}

/// Of many rows, and of few.
const LARGE: Tile = Tile { height: 128, width: 64, depth: 16, high: 8, wide: 8 };
const SMALL: Tile = Tile { height: 64, width: 64, depth: 16, high: 8, wide: 4 };

impl Tile {
    fn units(self) -> usize {
        self.height / self.high * (self.width / self.wide)
    }

    fn of(sizes: Sizes) -> Self {
        if sizes.m > 64 { LARGE } else { SMALL }
    }
}

pub(super) fn fits(Sizes { n, k, .. }: Sizes) -> bool {
    k % LARGE.depth == 0 && n % 4 == 0
}

pub(super) fn product(x: Tensor<2>, w: &CubeTensor, sizes: Sizes, bias: Option<Tensor<1>>) -> Tensor<2> {
    match w.dtype {
        DType::F16 => launch::<f16>(x, w, sizes, bias),
        _ => launch::<f32>(x, w, sizes, bias),
    }
}

fn launch<W: Float>(x: Tensor<2>, w: &CubeTensor, sizes: Sizes, bias: Option<Tensor<1>>) -> Tensor<2> {
    let Sizes { m, n, k } = sizes;
    let x = raw(x);
    let tile = Tile::of(sizes);
    let splits = sizes.splits([tile.height, tile.width], tile.depth, 256, 256, largest_buffer(&x));
    let out = partial(&x, m, n, splits);
    // A shared sum gets its bias where it is added up.
    let (now, later) = if splits == 1 { (bias, None) } else { (None, bias) };
    let biased = now.is_some();
    let added = now.map_or_else(|| x.clone(), raw);
    let cubes = CubeCount::Static(m.div_ceil(tile.height) as u32, n.div_ceil(tile.width) as u32, splits as u32);
    #[allow(unsafe_code)]
    // SAFETY: rows that are none are not read or written, and `fits` has seen that the rest divides.
    unsafe {
        kernel::launch_unchecked::<W>(
            &x.client,
            cubes,
            CubeDim::new_1d(tile.units() as u32),
            4,
            BufferArg::from_raw_parts(x.handle.clone(), m * k / 4),
            BufferArg::from_raw_parts(w.handle.clone(), n * k / 4),
            BufferArg::from_raw_parts(added.handle.clone(), if biased { n / 4 } else { m * k / 4 }),
            BufferArg::from_raw_parts(out.handle.clone(), splits * m * n / 4),
            m as u32,
            n as u32,
            k as u32,
            (k / splits) as u32,
            tile,
            biased,
        );
    }
    joined(out, [m, m, n], splits, later)
}

/// `out[z] = x[.., z part of k] · wᵀ`, plus the bias. Vectors of four.
#[cube(launch_unchecked)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn kernel<W: Float, V: Size>(
    x: &[Vector<f32, V>],
    w: &[Vector<W, V>],
    bias: &[Vector<f32, V>],
    out: &mut [Vector<f32, V>],
    m: u32,
    n: u32,
    k: u32,
    part: u32,
    #[comptime] tile: Tile,
    #[comptime] biased: bool,
) {
    let across = comptime![tile.width / tile.wide];
    let units = comptime![tile.units()];
    let pieces = comptime![tile.depth / 4];
    let of_x = comptime![tile.height * tile.depth / 4 / tile.units()];
    let of_w = comptime![tile.width * tile.depth / 4 / tile.units()];
    // A piece more than there is: neighbours in a column then lie in different banks.
    let row_x = comptime![tile.height + 4];
    let row_w = comptime![tile.width + 4];
    let mut tile_x = Shared::<[f32]>::new_slice(comptime![tile.depth * (tile.height + 4)]);
    let mut tile_w = Shared::<[f32]>::new_slice(comptime![tile.depth * (tile.width + 4)]);
    let unit = UNIT_POS as usize;
    let (m, n) = (m as usize, n as usize);
    let first_row = CUBE_POS_X as usize * tile.height;
    let first_column = CUBE_POS_Y as usize * tile.width;
    let (down, over) = (unit / across, unit % across);
    let stride = k as usize / 4;
    let first = CUBE_POS_Z as usize * (part as usize / 4);
    let steps = part as usize / tile.depth;

    let mut sums = Array::<f32>::new(comptime![tile.high * tile.wide]);
    #[unroll]
    for i in 0..comptime![tile.high * tile.wide] {
        sums[i] = 0.0f32;
    }
    let mut next_x = Array::<Vector<f32, V>>::new(of_x);
    let mut next_w = Array::<Vector<W, V>>::new(of_w);
    let mut column = Array::<f32>::new(tile.high);
    let mut row = Array::<f32>::new(tile.wide);
    for step in 0..steps + 1 {
        if step > 0 {
            #[unroll]
            for i in 0..of_x {
                let at = unit + i * units;
                #[unroll]
                for e in 0..4usize {
                    tile_x[(at % pieces * 4 + e) * row_x + at / pieces] = next_x[i].extract(e);
                }
            }
            #[unroll]
            for i in 0..of_w {
                let at = unit + i * units;
                #[unroll]
                for e in 0..4usize {
                    tile_w[(at % pieces * 4 + e) * row_w + at / pieces] = f32::cast_from(next_w[i].extract(e));
                }
            }
        }
        sync_cube();
        if step < steps {
            let from = first + step * pieces;
            #[unroll]
            for i in 0..of_x {
                let at = unit + i * units;
                let from_row = first_row + at / pieces;
                let from_row = select(from_row < m, from_row, m - 1);
                next_x[i] = x[from_row * stride + from + at % pieces];
            }
            #[unroll]
            for i in 0..of_w {
                let at = unit + i * units;
                let from_row = first_column + at / pieces;
                let from_row = select(from_row < n, from_row, n - 1);
                next_w[i] = w[from_row * stride + from + at % pieces];
            }
        }
        if step > 0 {
            for at in 0..tile.depth {
                #[unroll]
                for i in 0..tile.high {
                    let piece = comptime![i / 4 * 4 * (tile.height / tile.high) + i % 4];
                    column[i] = tile_x[at * row_x + piece + down * 4];
                }
                #[unroll]
                for j in 0..tile.wide {
                    let piece = comptime![j / 4 * 4 * (tile.width / tile.wide) + j % 4];
                    row[j] = tile_w[at * row_w + piece + over * 4];
                }
                #[unroll]
                for i in 0..tile.high {
                    #[unroll]
                    for j in 0..tile.wide {
                        sums[comptime![i * tile.wide + j]] += column[i] * row[j];
                    }
                }
            }
        }
        sync_cube();
    }
    let to = CUBE_POS_Z as usize * (m * n / 4);
    #[unroll]
    for i in 0..tile.high {
        let to_row = first_row + comptime![i / 4 * 4 * (tile.height / tile.high) + i % 4] + down * 4;
        #[unroll]
        for j in 0..comptime![tile.wide / 4] {
            let to_column = first_column + comptime![j * 4 * (tile.width / tile.wide)] + over * 4;
            if to_row < m && to_column < n {
                let mut four = Vector::<f32, V>::empty();
                #[unroll]
                for e in 0..4usize {
                    four.insert(e, sums[comptime![i * tile.wide + j * 4 + e]]);
                }
                if biased {
                    four += bias[to_column / 4];
                }
                out[to + (to_row * n + to_column) / 4] = four;
            }
        }
    }
}
