//! RMSNorm and LayerNorm.

use super::{ROWS, Slope, floats, for_chunks, parts, record};
use crate::model::cpu;
use burn::tensor::{Tensor, TensorData};

pub(crate) fn rms_norm(x: Tensor<2>, weight: &Tensor<1>, eps: f32) -> Tensor<2> {
    let shape = x.dims();
    let ((x, x_node), (weight, weight_node)) = (parts(x), parts(weight.clone()));
    let mut output = floats(&x).to_vec();
    cpu::rms_rows(&mut output, floats(&weight), eps);
    record(Rms { eps }, [x_node, weight_node], [x, weight], TensorData::new(output, shape))
}

pub(crate) fn layer_norm(x: Tensor<2>, weight: &Tensor<1>, bias: &Tensor<1>, eps: f32) -> Tensor<2> {
    let shape = x.dims();
    let ((x, x_node), (weight, weight_node), (bias, bias_node)) =
        (parts(x), parts(weight.clone()), parts(bias.clone()));
    let mut output = floats(&x).to_vec();
    cpu::layer_rows(&mut output, floats(&weight), floats(&bias), eps);
    record(Layer { eps }, [x_node, weight_node, bias_node], [x, weight], TensorData::new(output, shape))
}

/// The sum of rows of `width` numbers, always in the same order: a restored training gives the same bits.
fn sum_rows(rows: &[f32], width: usize) -> TensorData {
    let mut sum = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    TensorData::new(sum, [width])
}

#[derive(Debug)]
struct Rms {
    eps: f32,
}

impl Slope<2, 2> for Rms {
    fn slope(self, [x, w]: [&[f32]; 2], grad: &mut [f32]) -> Vec<TensorData> {
        let n = w.len();
        let chunk = ROWS * n;
        let mut on_w = vec![0.0; x.len().div_ceil(chunk) * n];
        for_chunks(
            [(grad, chunk), (&mut on_w, n)],
            #[inline(always)]
            |at, [grad, on_w]| {
                for (grad, x) in grad.chunks_exact_mut(n).zip(x[at * chunk..].chunks_exact(n)) {
                    let scale = 1.0 / (cpu::dot(x, x) / n as f32 + self.eps).sqrt();
                    for (((grad, x), w), on_w) in grad.iter_mut().zip(x).zip(w).zip(&mut *on_w) {
                        *on_w += *grad * x * scale;
                        *grad *= w;
                    }
                    // The part along x is what the norm takes out.
                    let along = scale * scale * cpu::dot(grad, x) / n as f32;
                    grad.iter_mut().zip(x).for_each(|(grad, x)| *grad = scale * (*grad - along * x));
                }
            },
        );
        vec![sum_rows(&on_w, n)]
    }
}

#[derive(Debug)]
struct Layer {
    eps: f32,
}

impl Slope<3, 2> for Layer {
    fn slope(self, [x, w]: [&[f32]; 2], grad: &mut [f32]) -> Vec<TensorData> {
        let n = w.len();
        let chunk = ROWS * n;
        let chunks = x.len().div_ceil(chunk);
        let (mut on_w, mut on_b) = (vec![0.0; chunks * n], vec![0.0; chunks * n]);
        for_chunks(
            [(grad, chunk), (&mut on_w, n), (&mut on_b, n)],
            #[inline(always)]
            |at, [grad, on_w, on_b]| {
                let mut normed = vec![0.0; n];
                for (grad, x) in grad.chunks_exact_mut(n).zip(x[at * chunk..].chunks_exact(n)) {
                    let mean = cpu::sum(x) / n as f32;
                    normed.iter_mut().zip(x).for_each(|(normed, x)| *normed = x - mean);
                    let scale = 1.0 / (cpu::dot(&normed, &normed) / n as f32 + self.eps).sqrt();
                    for ((((grad, normed), w), on_w), on_b) in
                        grad.iter_mut().zip(&mut normed).zip(w).zip(&mut *on_w).zip(&mut *on_b)
                    {
                        *normed *= scale;
                        *on_w += *grad * *normed;
                        *on_b += *grad;
                        *grad *= w;
                    }
                    // Mean and length are what the norm takes out.
                    let (level, along) = (cpu::sum(grad) / n as f32, cpu::dot(grad, &normed) / n as f32);
                    grad.iter_mut().zip(&normed).for_each(|(grad, x)| *grad = scale * (*grad - level - along * x));
                }
            },
        );
        vec![sum_rows(&on_w, n), sum_rows(&on_b, n)]
    }
}
