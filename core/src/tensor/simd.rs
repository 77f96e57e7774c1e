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

/// A CPU's registers, [`LANES`] numbers at a time. A step of a kernel is one instruction a register here; in loops over arrays
/// the compiler finds the vectors, but keeps no more than a few of them in registers.
pub(crate) trait Lines: Copy {
    /// A line.
    type Line: Copy;
    /// Sums that registers have room for, next to what is added to them.
    const SUMS: usize;
    /// Rows that these are of at most.
    const ROWS: usize;
    /// Steps of a kernel that are written out one after the other: 4, or 1. Otherwise older CPUs are busier with the loop than
    /// with its arithmetic; only browsers' compilers run out of registers.
    const STEPS: usize;
    /// Reads a line.
    fn load(self, from: &[f32; LANES]) -> Self::Line;
    /// Writes a line.
    fn store(self, line: Self::Line, into: &mut [f32; LANES]);
    /// The same number in all lanes.
    fn splat(self, x: f32) -> Self::Line;
    /// `a + b`.
    fn add(self, a: Self::Line, b: Self::Line) -> Self::Line;
    /// `a · b + c`, in one rounding as with [`fma`].
    fn fma(self, a: Self::Line, b: Self::Line, c: Self::Line) -> Self::Line;
}

/// Work in lines.
pub(crate) trait InLines {
    /// Does it. It must be `#[inline(always)]`, and so must all that it calls, or it is compiled for the oldest CPU.
    fn run<L: Lines>(self, lines: L);
}

/// Does work in the widest lines that the CPU has registers for.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn in_lines(work: impl InLines) {
    pulp::Arch::new().dispatch(wide::Work(work));
}

/// Does work in lines that the compiler finds vectors for.
#[cfg(target_family = "wasm")]
pub(crate) fn in_lines(work: impl InLines) {
    work.run(Plain);
}

/// Lines as arrays, for CPUs whose vectors [`pulp`] does not know.
#[derive(Clone, Copy)]
struct Plain;

impl Lines for Plain {
    type Line = [f32; LANES];
    // WebAssembly's 16 registers of 128 bits: four a line.
    const SUMS: usize = 2;
    const ROWS: usize = 2;
    const STEPS: usize = 1;
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::Line {
        *from
    }
    #[inline(always)]
    fn store(self, line: Self::Line, into: &mut [f32; LANES]) {
        *into = line;
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::Line {
        [x; LANES]
    }
    #[inline(always)]
    fn add(self, a: Self::Line, b: Self::Line) -> Self::Line {
        std::array::from_fn(|lane| a[lane] + b[lane])
    }
    #[inline(always)]
    fn fma(self, a: Self::Line, b: Self::Line, c: Self::Line) -> Self::Line {
        std::array::from_fn(|lane| fma(a[lane], b[lane], c[lane]))
    }
}

/// Does work in registers of so many lanes (1: no registers), if the CPU has such.
#[cfg(test)]
pub(crate) fn in_lines_of(lanes: usize, work: impl InLines) -> bool {
    if lanes == 1 {
        work.run(Plain);
        return true;
    }
    #[cfg(target_arch = "x86_64")]
    match (lanes, pulp::x86::V3::try_new(), pulp::x86::V4::try_new()) {
        (8, Some(cpu), _) => pulp::Simd::vectorize(cpu, wide::Work(work)),
        (16, _, Some(cpu)) => pulp::Simd::vectorize(cpu, wide::Work(work)),
        _ => return false,
    }
    #[cfg(target_arch = "aarch64")]
    match (lanes, pulp::aarch64::Neon::try_new()) {
        (4, Some(cpu)) => pulp::Simd::vectorize(cpu, wide::Work(work)),
        _ => return false,
    }
    cfg!(any(target_arch = "x86_64", target_arch = "aarch64"))
}

#[cfg(not(target_family = "wasm"))]
mod wide {
    use super::{InLines, LANES, Lines, Plain};
    use pulp::{Simd, WithSimd};

    /// A line in `N` of a CPU's registers.
    #[derive(Clone, Copy)]
    struct Registers<S, const N: usize>(S);

    impl<S: Simd, const N: usize> Lines for Registers<S, N> {
        type Line = [S::f32s; N];
        // In 24 of AVX-512's 32 registers, 12 of AVX2's 16, 24 of NEON's 32.
        const SUMS: usize = if N == 1 { 24 } else { 6 };
        const ROWS: usize = if N == 1 { 12 } else { 6 };
        const STEPS: usize = 4;
        #[inline(always)]
        fn load(self, from: &[f32; LANES]) -> Self::Line {
            let (registers, _) = S::as_simd_f32s(from);
            std::array::from_fn(|at| registers[at])
        }
        #[inline(always)]
        fn store(self, line: Self::Line, into: &mut [f32; LANES]) {
            let (registers, _) = S::as_mut_simd_f32s(into);
            registers.iter_mut().zip(line).for_each(|(register, part)| *register = part);
        }
        #[inline(always)]
        fn splat(self, x: f32) -> Self::Line {
            [self.0.splat_f32s(x); N]
        }
        #[inline(always)]
        fn add(self, a: Self::Line, b: Self::Line) -> Self::Line {
            std::array::from_fn(|at| self.0.add_f32s(a[at], b[at]))
        }
        #[inline(always)]
        fn fma(self, a: Self::Line, b: Self::Line, c: Self::Line) -> Self::Line {
            std::array::from_fn(|at| self.0.mul_add_e_f32s(a[at], b[at], c[at]))
        }
    }

    /// Work for [`pulp`].
    pub(super) struct Work<W>(pub(super) W);

    impl<W: InLines> WithSimd for Work<W> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            match LANES / S::F32_LANES {
                1 => self.0.run(Registers::<S, 1>(simd)),
                2 => self.0.run(Registers::<S, 2>(simd)),
                4 => self.0.run(Registers::<S, 4>(simd)),
                _ => self.0.run(Plain),
            }
        }
    }
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
