//! Fused row operations for the CPU backend: one pass over memory each, all cores, the CPU's widest vectors.
//! The flex backend hands its buffers over without a copy ([`take`] and [`give`]), so nothing is allocated either.

use super::ops::Gate;
use burn::tensor::{Device, Tensor, TensorData};

/// Rows that a thread takes at a time.
const CHUNK: usize = 16;

/// A tensor's buffer.
pub(crate) fn take<const D: usize>(x: Tensor<D>) -> TensorData {
    x.into_data()
}

/// The buffer as a tensor again.
pub(crate) fn give<const D: usize>(data: TensorData) -> Tensor<D> {
    Tensor::from_data(data, &Device::flex())
}

/// The numbers of a buffer. The CPU backend holds f32 only: weights are converted when they are loaded.
pub(crate) fn floats(data: &TensorData) -> &[f32] {
    data.as_slice::<f32>().expect("the engine computes in f32")
}

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

#[cfg(not(target_family = "wasm"))]
#[inline(always)]
pub(crate) fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    struct Op<F>(F);
    impl<R, F: FnOnce() -> R> pulp::NullaryFnOnce for Op<F> {
        type Output = R;
        #[inline(always)]
        fn call(self) -> R {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Op(f))
}

#[cfg(target_family = "wasm")]
#[inline(always)]
pub(crate) fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// `exp(x)` to 2 ulp in straight-line arithmetic that the compiler turns into vector code (Cephes' polynomial).
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.3, 88.3);
    // x / ln 2, rounded by adding and subtracting 1.5 · 2²³.
    let rounded = x * std::f32::consts::LOG2_E + 12_582_912.0;
    let n = rounded - 12_582_912.0;
    // ln 2 in two parts, so that x - n ln 2 keeps its digits.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5.000_000_3e-1;
    let y = p * r * r + r + 1.0;
    // The last bits of `rounded` are n, and the shift drops the others: 2ⁿ without a conversion.
    y * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

/// Sum in 16 partial sums.
#[cfg(feature = "train")]
#[inline(always)]
pub(crate) fn sum(x: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let chunks = x.chunks_exact(16);
    let tail: f32 = chunks.remainder().iter().sum();
    for x in chunks {
        for i in 0..16 {
            sums[i] += x[i];
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// Dot product in 16 partial sums.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for i in 0..16 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f32>() + tail
}

pub(crate) fn rms_norm(x: Tensor<2>, weight: &Tensor<1>, eps: f32) -> Tensor<2> {
    let mut data = take(x);
    rms_rows(floats_mut(&mut data), floats(&take(weight.clone())), eps);
    give(data)
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

pub(crate) fn layer_norm(x: Tensor<2>, weight: &Tensor<1>, bias: &Tensor<1>, eps: f32) -> Tensor<2> {
    let mut data = take(x);
    layer_rows(floats_mut(&mut data), floats(&take(weight.clone())), floats(&take(bias.clone())), eps);
    give(data)
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

pub(crate) fn gated(act: Gate, gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    let width = gate.dims()[1];
    let mut data = take(gate);
    gate_rows(act, floats_mut(&mut data), floats(&take(up)), width);
    give(data)
}

/// `act(x) · up` in place of `x`.
pub(crate) fn gate_rows(act: Gate, x: &mut [f32], up: &[f32], width: usize) {
    for_rows(
        x,
        width,
        #[inline(always)]
        |first, rows| {
            let up = &up[first * width..];
            match act {
                Gate::Silu => rows.iter_mut().zip(up).for_each(|(x, u)| *x = silu(*x) * u),
                Gate::GeluTanh => rows.iter_mut().zip(up).for_each(|(x, u)| *x = gelu(*x) * u),
            }
        },
    );
}

pub(crate) fn gelu_tanh(x: Tensor<2>) -> Tensor<2> {
    let width = x.dims()[1];
    let mut data = take(x);
    gelu_rows(floats_mut(&mut data), width);
    give(data)
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

pub(crate) fn rotate(x: Tensor<2>, cos: &Tensor<2>, sin: &Tensor<2>, head_dim: usize) -> Tensor<2> {
    let width = x.dims()[1];
    let mut data = take(x);
    turn(floats_mut(&mut data), width, head_dim, floats(&take(cos.clone())), floats(&take(sin.clone())));
    give(data)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_two_ulp() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let want = f64::from(x).exp();
            assert!((f64::from(exp(x)) / want - 1.0).abs() < 2.5e-7, "exp({x})");
        }
        assert!(exp(-1e30) < 1e-37 && exp(f32::NEG_INFINITY) < 1e-37);
    }
}
