//! What stands between the projections of an MLP.

use super::{MIXED, Rows, kernels, simd};
use burn::{Tensor, activation};

/// An MLP's nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)` (Llama, Qwen).
    Silu,
    /// GELU, tanh form (Gemma, GPT-2, Phi).
    GeluTanh,
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    x / (1.0 + simd::exp(-x))
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    // 0.5 (1 + tanh u) = sigmoid(2u)
    let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    x / (1.0 + simd::exp(-2.0 * u))
}

/// The value and its derivative.
#[inline(always)]
fn silu_slope(x: f32) -> [f32; 2] {
    let s = 1.0 / (1.0 + simd::exp(-x));
    [x * s, s + x * s * (1.0 - s)]
}

#[inline(always)]
fn gelu_slope(x: f32) -> [f32; 2] {
    let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    let s = 1.0 / (1.0 + simd::exp(-2.0 * u));
    let du = 0.797_884_6 * (1.0 + 3.0 * 0.044_715 * x * x);
    [x * s, s + x * s * (1.0 - s) * 2.0 * du]
}

impl Activation {
    /// `act(gate) · up`, both `[rows, ff]`.
    pub(crate) fn gated(self, gate: Rows, up: &Rows) -> Rows {
        gate.map(
            #[inline(always)]
            |x| match self {
                Self::Silu => x.iter_mut().zip(up.host()).for_each(|(x, u)| *x = silu(*x) * u),
                Self::GeluTanh => x.iter_mut().zip(up.host()).for_each(|(x, u)| *x = gelu(*x) * u),
            },
            |x| kernels::gated(self, x, up.device().expect(MIXED).clone()),
        )
    }

    /// `act(x)`.
    pub(crate) fn plain(self, x: Rows) -> Rows {
        x.map(
            #[inline(always)]
            |x| match self {
                Self::Silu => x.iter_mut().for_each(|x| *x = silu(*x)),
                Self::GeluTanh => x.iter_mut().for_each(|x| *x = gelu(*x)),
            },
            |x| kernels::plain(self, x),
        )
    }

    /// Gradients on gate and up from those on `act(gate) · up`.
    pub(crate) fn gated_backward(self, gate: &Rows, up: &Rows, g: Rows) -> [Rows; 2] {
        #[inline(always)]
        fn pass(slope: impl Fn(f32) -> [f32; 2], gate: &[f32], up: &[f32], on_gate: &mut [f32], on_up: &mut [f32]) {
            for (((gate, up), on_gate), on_up) in gate.iter().zip(up).zip(on_gate).zip(on_up) {
                let [value, slope] = slope(*gate);
                let g = *on_gate;
                *on_gate = g * up * slope;
                *on_up = g * value;
            }
        }
        if let (Some(x), Some(u), Some(g)) = (gate.device(), up.device(), g.device()) {
            let [value, slope] = slopes(self, x.clone());
            return [g.clone() * u.clone() * slope, g.clone() * value].map(Rows::on_device);
        }
        if g.count() == 0 {
            return [g.clone(), g];
        }
        let mut on_up = g.clone();
        let on_gate = g.map(
            #[inline(always)]
            |on_gate| match self {
                Self::Silu => pass(silu_slope, gate.host(), up.host(), on_gate, on_up.host_mut()),
                Self::GeluTanh => pass(gelu_slope, gate.host(), up.host(), on_gate, on_up.host_mut()),
            },
            |_| panic!("{MIXED}"),
        );
        [on_gate, on_up]
    }

    /// Gradients on `x` from those on `act(x)`.
    pub(crate) fn plain_backward(self, x: &Rows, g: Rows) -> Rows {
        g.map(
            #[inline(always)]
            |g| match self {
                Self::Silu => g.iter_mut().zip(x.host()).for_each(|(g, x)| *g *= silu_slope(*x)[1]),
                Self::GeluTanh => g.iter_mut().zip(x.host()).for_each(|(g, x)| *g *= gelu_slope(*x)[1]),
            },
            |g| {
                let [_, slope] = slopes(self, x.device().expect(MIXED).clone());
                g * slope
            },
        )
    }
}

/// Values and derivatives on a device.
fn slopes(act: Activation, x: Tensor<2>) -> [Tensor<2>; 2] {
    let (inner, slope) = match act {
        Activation::Silu => (x.clone(), None),
        Activation::GeluTanh => {
            let square = x.clone().square();
            let u = x.clone() * (square.clone() * 0.044_715 + 1.0) * (2.0 * 0.797_884_6);
            (u, Some((square * (3.0 * 0.044_715) + 1.0) * (2.0 * 0.797_884_6)))
        }
    };
    let s = activation::sigmoid(inner);
    let value = x * s.clone();
    let bend = value.clone() * (s.clone() * -1.0 + 1.0);
    [value, s + slope.map_or(bend.clone(), |slope| bend * slope)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{numbers, worst};
    use super::*;

    #[test]
    fn slopes_are_those_of_differences() {
        let n = 301;
        let x: Vec<f32> = numbers(n, 1).iter().map(|x| 12.0 * x).collect();
        let (up, g) = (numbers(n, 2), numbers(n, 3));
        for act in [Activation::Silu, Activation::GeluTanh] {
            let value = |x: f64| match act {
                Activation::Silu => x / (1.0 + (-x).exp()),
                Activation::GeluTanh => {
                    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
                }
            };
            let slope = |x: f32| (value(f64::from(x) + 1e-5) - value(f64::from(x) - 1e-5)) / 2e-5;
            let rows = |values: &[f32]| Rows::on_host(values.to_vec(), n);
            let all = |f: &dyn Fn(usize) -> f64| (0..n).map(f).collect::<Vec<f64>>();
            let plain = act.plain_backward(&rows(&x), rows(&g));
            assert!(worst(plain.host(), &all(&|i| f64::from(g[i]) * slope(x[i]))) < 3e-6);
            let [on_gate, on_up] = act.gated_backward(&rows(&x), &rows(&up), rows(&g));
            assert!(worst(on_gate.host(), &all(&|i| f64::from(g[i] * up[i]) * slope(x[i]))) < 3e-6);
            assert!(worst(on_up.host(), &all(&|i| f64::from(g[i]) * value(f64::from(x[i])))) < 3e-6);
        }
    }
}
