//! What stands between an MLP's projections.

use super::{Slope, floats, for_chunks, parts, record};
use crate::model::cpu;
use crate::tensor::activation::Activation;
use burn::tensor::{Tensor, TensorData};

/// Numbers that a thread takes at a time.
const CHUNK: usize = 8192;

pub(crate) fn gated(act: Activation, gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    let shape = gate.dims();
    let ((gate, gate_node), (up, up_node)) = (parts(gate), parts(up));
    let mut output = floats(&gate).to_vec();
    cpu::gate_rows(act, &mut output, floats(&up), shape[1]);
    record(Gated { act, shape }, [gate_node, up_node], [gate, up], TensorData::new(output, shape))
}

pub(crate) fn gelu_tanh(x: Tensor<2>) -> Tensor<2> {
    let shape = x.dims();
    let (x, node) = parts(x);
    let mut output = floats(&x).to_vec();
    cpu::gelu_rows(&mut output, shape[1]);
    record(GeluTanh, [node], [x], TensorData::new(output, shape))
}

/// `x · sigmoid(x)` and its derivative.
#[inline(always)]
fn silu(x: f32) -> (f32, f32) {
    let s = 1.0 / (1.0 + cpu::exp(-x));
    (x * s, s + x * s * (1.0 - s))
}

/// GELU, tanh form, and its derivative.
#[inline(always)]
fn gelu(x: f32) -> (f32, f32) {
    // 0.5 (1 + tanh u) = sigmoid(2u)
    let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    let s = 1.0 / (1.0 + cpu::exp(-2.0 * u));
    let du = 0.797_884_6 * (1.0 + 3.0 * 0.044_715 * x * x);
    (x * s, s + x * s * (1.0 - s) * 2.0 * du)
}

#[derive(Debug)]
struct Gated {
    act: Activation,
    shape: [usize; 2],
}

impl Slope<2, 2> for Gated {
    fn slope(self, [gate, up]: [&[f32]; 2], grad: &mut [f32]) -> Vec<TensorData> {
        #[inline(always)]
        fn pass(act: impl Fn(f32) -> (f32, f32), gate: &[f32], up: &[f32], grad: &mut [f32], on_up: &mut [f32]) {
            for (((gate, up), grad), on_up) in gate.iter().zip(up).zip(grad).zip(on_up) {
                let (value, slope) = act(*gate);
                *on_up = *grad * value;
                *grad *= up * slope;
            }
        }
        let mut on_up = vec![0.0; up.len()];
        for_chunks(
            [(grad, CHUNK), (&mut on_up, CHUNK)],
            #[inline(always)]
            |chunk, [grad, on_up]| {
                let (gate, up) = (&gate[chunk * CHUNK..], &up[chunk * CHUNK..]);
                match self.act {
                    Activation::Silu => pass(silu, gate, up, grad, on_up),
                    Activation::GeluTanh => pass(gelu, gate, up, grad, on_up),
                }
            },
        );
        vec![TensorData::new(on_up, self.shape)]
    }
}

#[derive(Debug)]
struct GeluTanh;

impl Slope<1, 1> for GeluTanh {
    fn slope(self, [x]: [&[f32]; 1], grad: &mut [f32]) -> Vec<TensorData> {
        for_chunks(
            [(grad, CHUNK)],
            #[inline(always)]
            |chunk, [grad]| {
                grad.iter_mut().zip(&x[chunk * CHUNK..]).for_each(|(grad, x)| *grad *= gelu(*x).1);
            },
        );
        Vec::new()
    }
}
