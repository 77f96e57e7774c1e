//! What stands between the projections of an MLP.

use super::{MIXED, Rows, simd};
#[cfg(feature = "train")]
use crate::model::grad;
use burn::tensor::{Tensor, activation};

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

impl Activation {
    /// `act(gate) · up`, both `[rows, ff]`.
    pub(crate) fn gated(self, gate: Rows, up: &Rows) -> Rows {
        gate.map(
            #[inline(always)]
            |x| match self {
                Self::Silu => x.iter_mut().zip(up.host()).for_each(|(x, u)| *x = silu(*x) * u),
                Self::GeluTanh => x.iter_mut().zip(up.host()).for_each(|(x, u)| *x = gelu(*x) * u),
            },
            |x| gated(self, x, up.device().expect(MIXED).clone()),
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
            |x| plain(self, x),
        )
    }
}

fn gated(act: Activation, gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    #[cfg(feature = "train")]
    if grad::on_cpu(&gate) {
        return grad::gated(act, gate, up);
    }
    plain(act, gate) * up
}

fn plain(act: Activation, x: Tensor<2>) -> Tensor<2> {
    match act {
        Activation::Silu => activation::silu(x),
        #[cfg(feature = "train")]
        Activation::GeluTanh if grad::on_cpu(&x) => grad::gelu_tanh(x),
        Activation::GeluTanh => activation::gelu_approximate(x),
    }
}
