//! Row operations of training on the CPU: one pass over memory each, all cores, the CPU's widest vectors.

use crate::tensor::activation::Activation;
pub(crate) use crate::tensor::simd::{dot, exp, sum, vectorized};
use burn::tensor::TensorData;

/// Rows that a thread takes at a time.
const CHUNK: usize = 16;

/// The numbers of a buffer. The CPU backend holds f32 only: weights are converted when they are loaded.
pub(crate) fn floats_mut(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice::<f32>().expect("the engine computes in f32")
}

/// Calls `f(first_row, rows)` for chunks of rows of `x`, on all cores and compiled for the CPU's widest vectors; for
/// those `f` must be `#[inline(always)]`, or it is compiled apart for the oldest CPU.
pub(crate) fn for_rows(x: &mut [f32], width: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let run = |(chunk, rows): (usize, &mut [f32])| {
        vectorized(
            #[inline(always)]
            || f(chunk * CHUNK, rows),
        )
    };
    #[cfg(not(target_family = "wasm"))]
    {
        use rayon::prelude::*;
        x.par_chunks_mut(width * CHUNK).enumerate().for_each(run);
    }
    #[cfg(target_family = "wasm")]
    x.chunks_mut(width * CHUNK).enumerate().for_each(run);
}

/// RMSNorm of rows, in place.
pub(crate) fn rms_rows(x: &mut [f32], w: &[f32], eps: f32) {
    let width = w.len();
    for_rows(
        x,
        width,
        #[inline(always)]
        |_, rows| {
            for row in rows.chunks_exact_mut(width) {
                let scale = 1.0 / (dot(row, row) / width as f32 + eps).sqrt();
                row.iter_mut().zip(w).for_each(|(x, w)| *x = *x * scale * w);
            }
        },
    );
}

/// LayerNorm of rows, in place.
pub(crate) fn layer_rows(x: &mut [f32], w: &[f32], b: &[f32], eps: f32) {
    let width = w.len();
    for_rows(
        x,
        width,
        #[inline(always)]
        |_, rows| {
            for row in rows.chunks_exact_mut(width) {
                let mean = row.iter().sum::<f32>() / width as f32;
                row.iter_mut().for_each(|x| *x -= mean);
                let scale = 1.0 / (dot(row, row) / width as f32 + eps).sqrt();
                row.iter_mut().zip(w).zip(b).for_each(|((x, w), b)| *x = *x * scale * w + b);
            }
        },
    );
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    // 0.5 (1 + tanh u) = sigmoid(2u)
    let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    x / (1.0 + exp(-2.0 * u))
}

/// `act(x) · up` in place of `x`.
pub(crate) fn gate_rows(act: Activation, x: &mut [f32], up: &[f32], width: usize) {
    for_rows(
        x,
        width,
        #[inline(always)]
        |first, rows| {
            let up = &up[first * width..];
            match act {
                Activation::Silu => rows.iter_mut().zip(up).for_each(|(x, u)| *x = silu(*x) * u),
                Activation::GeluTanh => rows.iter_mut().zip(up).for_each(|(x, u)| *x = gelu(*x) * u),
            }
        },
    );
}

/// GELU, tanh form, in place.
pub(crate) fn gelu_rows(x: &mut [f32], width: usize) {
    for_rows(
        x,
        width,
        #[inline(always)]
        |_, rows| rows.iter_mut().for_each(|x| *x = gelu(*x)),
    );
}

/// Rotates the heads of rows of `width` numbers; as many angles a row as the tables have.
pub(crate) fn turn(x: &mut [f32], width: usize, head_dim: usize, cos: &[f32], sin: &[f32]) {
    let half = cos.len() * width / x.len().max(1);
    for_rows(
        x,
        width,
        #[inline(always)]
        |first, rows| {
            for (i, row) in rows.chunks_exact_mut(width).enumerate() {
                let at = (first + i) * half..(first + i + 1) * half;
                let (cos, sin) = (&cos[at.clone()], &sin[at]);
                for head in row.chunks_exact_mut(head_dim) {
                    let (a, b) = head.split_at_mut(half);
                    for i in 0..half {
                        let (x, y) = (a[i], b[i]);
                        a[i] = x * cos[i] - y * sin[i];
                        b[i] = y * cos[i] + x * sin[i];
                    }
                }
            }
        },
    );
}
