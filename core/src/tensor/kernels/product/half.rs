//! In f16, on matrix units (cooperative matrices of 16 × 16 × 16), sums in f32.

use super::{Sizes, joined, largest_buffer, partial};
use crate::tensor::kernels::raw;
use burn::Tensor;
use burn_cubecl::tensor::CubeTensor;
use cubecl::cmma::{self, MatrixIdent, MatrixLayout};
use cubecl::ir::{ElemType, FloatKind, features::MmaConfig};
use cubecl::prelude::*;
use half::f16;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rows and columns of a matrix unit's operands.
const SIDE: usize = 16;
/// Numbers that a unit moves at a time: 16 bytes.
const PIECE: usize = 8;
/// Of `k` at a time.
const DEPTH: usize = 64;

/// What a cube computes: `down × over` planes, each with `high × wide` matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tile {
    down: usize,
    over: usize,
    high: usize,
    wide: usize,
    /// Units of a plane.
    plane: usize,
}

impl Tile {
    fn height(self) -> usize {
        self.down * self.high * SIDE
    }

    fn width(self) -> usize {
        self.over * self.wide * SIDE
    }

    fn units(self) -> usize {
        self.down * self.over * self.plane
    }

    /// Found by measuring (docs/BENCHMARKS.md, "On a GPU"): the tile, and how many cubes share its sums.
    fn of(sizes: Sizes, plane: usize, buffer: u64) -> (Self, usize) {
        let large = Self { down: 2, over: 4, high: 4, wide: 2, plane };
        let small = Self { down: 2, over: 2, high: 2, wide: 2, plane };
        let cubes = sizes.m.div_ceil(large.height()) * sizes.n.div_ceil(large.width());
        if sizes.m > 128 && cubes >= 96 {
            return (large, 1);
        }
        if sizes.m > 128 && sizes.k >= 4096 {
            let wide = Self { down: 2, over: 2, high: 4, wide: 4, plane };
            return (wide, sizes.splits([wide.height(), wide.width()], DEPTH, 256, 512, buffer));
        }
        (small, sizes.splits([small.height(), small.width()], DEPTH, 256, 512, buffer))
    }
}

/// Switched off where they gave wrong numbers.
static WRONG: AtomicBool = AtomicBool::new(false);

/// Matrix units compute wrong here: products in f16 are computed in f32 from now on.
pub(super) fn give_up() {
    WRONG.store(true, Ordering::Relaxed);
}

/// The device has the matrix units, and the matrix the sizes.
pub(super) fn fits(w: &CubeTensor, Sizes { n, k, .. }: Sizes) -> bool {
    let float = |kind| ElemType::Float(kind);
    let (a_type, b_type, cd_type) = (float(FloatKind::F16), float(FloatKind::F16), float(FloatKind::F32));
    let side = SIDE as u32;
    let config = MmaConfig { a_type, b_type, cd_type, m: side, n: side, k: side };
    let properties = w.client.properties();
    !WRONG.load(Ordering::Relaxed)
        && properties.features.matmul.cmma.contains(&config)
        && properties.hardware.plane_size_min == properties.hardware.plane_size_max
        && k % DEPTH == 0
        && n % SIDE == 0
}

pub(super) fn product(x: Tensor<2>, w: CubeTensor, sizes: Sizes, bias: Option<Tensor<1>>) -> Tensor<2> {
    let Sizes { m, n, k } = sizes;
    let x = raw(x);
    let plane = x.client.properties().hardware.plane_size_max as usize;
    let (tile, splits) = Tile::of(sizes, plane, largest_buffer(&x));
    let rows = m.div_ceil(tile.height()) * tile.height();
    let out = partial(&x, rows, n, splits);
    let cubes = CubeCount::Static((rows / tile.height()) as u32, n.div_ceil(tile.width()) as u32, splits as u32);
    #[allow(unsafe_code)]
    // SAFETY: rows that are none are not read, `out` has rows for whole tiles, and `fits` has seen that the rest divides.
    unsafe {
        kernel::launch_unchecked(
            &x.client,
            cubes,
            CubeDim::new_1d(tile.units() as u32),
            4,
            BufferArg::from_raw_parts(x.handle.clone(), m * k / PIECE),
            BufferArg::from_raw_parts(w.handle.clone(), n * k / PIECE),
            BufferArg::from_raw_parts(out.handle.clone(), splits * rows * n),
            m as u32,
            n as u32,
            k as u32,
            (k / splits) as u32,
            tile,
        );
    }
    joined(out, [m, rows, n], splits, bias)
}

/// `out[z] = x[.., z part of k] · wᵀ`. Vectors of four 32-bit words hold eight numbers of 16 bits.
#[cube(launch_unchecked)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn kernel<V: Size>(
    x: &[Vector<u32, V>],
    w: &[Vector<u32, V>],
    out: &mut [f32],
    m: u32,
    n: u32,
    k: u32,
    part: u32,
    #[comptime] tile: Tile,
) {
    let (height, width) = comptime!((tile.height(), tile.width()));
    let units = comptime![tile.units()];
    let pieces = comptime![DEPTH / PIECE];
    // A piece more than there is: neighbours in a column then lie in different banks.
    let row = comptime![DEPTH / PIECE + 1];
    let words = comptime![(DEPTH / PIECE + 1) * 4];
    let of_x = comptime![tile.height() * (DEPTH / PIECE) / tile.units()];
    let of_w = comptime![tile.width() * (DEPTH / PIECE) / tile.units()];
    let mut tile_x = Shared::<[Vector<u32, V>]>::new_slice(comptime![tile.height() * (DEPTH / PIECE + 1)]);
    let mut tile_w = Shared::<[Vector<u32, V>]>::new_slice(comptime![tile.width() * (DEPTH / PIECE + 1)]);
    let unit = UNIT_POS as usize;
    let (m, columns) = (m as usize, n as usize);
    let first_row = CUBE_POS_X as usize * height;
    let first_column = CUBE_POS_Y as usize * width;
    let plane = unit / tile.plane;
    let (down, over) = (plane / tile.over, plane % tile.over);
    let stride = k as usize / PIECE;
    let first = CUBE_POS_Z as usize * (part as usize / PIECE);
    let steps = part as usize / DEPTH;

    let mut sums = Sequence::<cmma::Matrix<f32>>::new();
    #[unroll]
    for _ in 0..comptime![tile.high * tile.wide] {
        sums.push(cmma::Matrix::<f32>::from_value(
            MatrixIdent::Accumulator,
            SIDE,
            SIDE,
            SIDE,
            MatrixLayout::Undefined,
            0.0f32,
        ));
    }
    let mut next_x = Array::<Vector<u32, V>>::new(of_x);
    let mut next_w = Array::<Vector<u32, V>>::new(of_w);
    for step in 0..steps + 1 {
        if step > 0 {
            #[unroll]
            for i in 0..of_x {
                let at = unit + i * units;
                tile_x[at / pieces * row + at % pieces] = next_x[i];
            }
            #[unroll]
            for i in 0..of_w {
                let at = unit + i * units;
                tile_w[at / pieces * row + at % pieces] = next_w[i];
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
                let from_row = select(from_row < columns, from_row, columns - 1);
                next_w[i] = w[from_row * stride + from + at % pieces];
            }
        }
        if step > 0 {
            #[unroll]
            for inner in 0..comptime![DEPTH / SIDE] {
                let at = comptime![inner * (SIDE / PIECE)];
                let long = comptime![(SIDE - 1) * (DEPTH / PIECE + 1) + SIDE / PIECE];
                let mut of_columns = Sequence::<cmma::Matrix<f16>>::new();
                #[unroll]
                for j in 0..tile.wide {
                    let from = (over * comptime![tile.wide * SIDE] + j * SIDE) * row + at;
                    of_columns.push(operand(MatrixIdent::B, MatrixLayout::ColMajor, &tile_w[from..from + long], words));
                }
                #[unroll]
                for i in 0..tile.high {
                    let from = (down * comptime![tile.high * SIDE] + i * SIDE) * row + at;
                    let of_rows = operand(MatrixIdent::A, MatrixLayout::RowMajor, &tile_x[from..from + long], words);
                    #[unroll]
                    for j in 0..tile.wide {
                        let sum = &sums[comptime![i * tile.wide + j]];
                        cmma::execute(&of_rows, &of_columns[j], sum, sum);
                    }
                }
            }
        }
        sync_cube();
    }
    let to = CUBE_POS_Z as usize * (CUBE_COUNT_X as usize * height * columns);
    #[unroll]
    for i in 0..tile.high {
        #[unroll]
        for j in 0..tile.wide {
            let to_row = first_row + down * comptime![tile.high * SIDE] + i * SIDE;
            let to_column = first_column + over * comptime![tile.wide * SIDE] + j * SIDE;
            if to_column < columns {
                let from = to + to_row * columns + to_column;
                let long = comptime![SIDE - 1] * columns + SIDE;
                cmma::store(
                    &mut out[from..from + long],
                    &sums[comptime![i * tile.wide + j]],
                    n,
                    MatrixLayout::RowMajor,
                );
            }
        }
    }
}

/// An operand of a matrix unit, from rows of `words` 32-bit words in shared memory.
#[cube]
fn operand<V: Size>(
    #[comptime] whose: MatrixIdent,
    #[comptime] layout: MatrixLayout,
    from: &[Vector<u32, V>],
    #[comptime] words: usize,
) -> cmma::Matrix<f16> {
    #[allow(unsafe_code)]
    // SAFETY: it is loaded at once.
    let mut matrix = unsafe { cmma::Matrix::<f16>::uninitialized(whose, SIDE, SIDE, SIDE, layout) };
    cmma::load(&mut matrix, from, words as u32);
    matrix
}
