//! Straight-line arithmetic on slices, compiled for the CPU's widest vectors.

/// Lanes in which sums are kept apart until their end. The same on every CPU, so that a sum has the same bits on each.
pub(crate) const LANES: usize = 16;

/// Runs `f` compiled for the CPU's widest vectors; for those `f` must be `#[inline(always)]`, or it is compiled apart for
/// the oldest CPU.
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

/// `a · b + c`, in one rounding where every CPU of the platform has it: elsewhere it would be a call of a library.
#[inline(always)]
pub(crate) fn fma(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(target_family = "wasm") { a * b + c } else { a.mul_add(b, c) }
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

/// `tanh(x)` by way of [`exp`], so that it is the same on every platform.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    // Near zero the difference below would lose digits; the series is exact to f32 there.
    if x.abs() < 0.3 {
        let x2 = x * x;
        let series = 1.0 / 3.0 - x2 * (2.0 / 15.0 - x2 * (17.0 / 315.0 - x2 * (62.0 / 2835.0)));
        return x - x * x2 * series;
    }
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// Adds lanes up, half of them to the other half: one after the other, each addition would wait for the one before.
#[inline(always)]
fn folded(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// Sum.
#[inline(always)]
pub(crate) fn sum(x: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for i in 0..LANES {
            sums[i] += block[i];
        }
    }
    folded(sums) + rest.iter().sum::<f32>()
}

/// The sum of `exp(x - max)`, at most some thousand numbers: in lanes of f32, these in f64.
#[inline(always)]
pub(crate) fn sum_exp(x: &[f32], max: f32) -> f64 {
    let mut sums = [0.0f32; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for i in 0..LANES {
            sums[i] += exp(block[i] - max);
        }
    }
    for &x in rest {
        sums[0] += exp(x - max);
    }
    sums.iter().map(|&x| f64::from(x)).sum()
}

/// Dot product.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (x, y) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] = fma(x[i], y[i], sums[i]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    folded(sums) + rest
}

/// `y += a · x`.
#[inline(always)]
pub(crate) fn add_scaled(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = fma(a, *x, *y);
    }
}

/// `y += x`.
#[inline(always)]
pub(crate) fn add(y: &mut [f32], x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += *x;
    }
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

    #[test]
    fn tanh_is_close_everywhere() {
        for i in -4000..4000 {
            let x = i as f32 / 200.0;
            let (got, want) = (f64::from(tanh(x)), f64::from(x).tanh());
            assert!((got - want).abs() <= 5e-7 * want.abs().max(0.05), "tanh({x}): {got}, not {want}");
        }
        assert_eq!((tanh(200.0), tanh(-200.0)), (1.0, -1.0));
    }
}
