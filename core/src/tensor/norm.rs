//! RMSNorm and LayerNorm over the width of rows.

use super::{Buffer, MIXED, Rows, Vector, simd};
#[cfg(feature = "train")]
use crate::model::grad;
use burn::tensor::Tensor;

/// A norm with its weights.
#[derive(Debug, Clone)]
pub struct Norm {
    weight: Vector,
    bias: Option<Vector>,
    eps: f64,
}

impl Norm {
    /// `x / sqrt(mean(x²) + ε) · w` (Zhang & Sennrich 2019).
    pub(crate) fn rms(weight: Vector, eps: f64) -> Self {
        Self { weight, bias: None, eps }
    }

    /// `(x - mean) / sqrt(var + ε) · w + b` (Ba et al. 2016).
    pub(crate) fn layer(weight: Vector, bias: Vector, eps: f64) -> Self {
        Self { weight, bias: Some(bias), eps }
    }

    /// Weight, bias and ε, on the host.
    pub fn parts(&self) -> (&[f32], Option<&[f32]>, f64) {
        (self.weight.host(), self.bias.as_ref().map(Vector::host), self.eps)
    }

    /// `[rows, n]` to the same.
    pub(crate) fn forward(&self, x: &Rows) -> Rows {
        if x.count() == 0 {
            return Rows::empty(x.width());
        }
        if let Some(x) = x.device() {
            return Rows::on_device(match &self.bias {
                None => rms(x.clone(), &self.weight.device(), self.eps),
                Some(bias) => layer(x.clone(), &self.weight.device(), &bias.device(), self.eps),
            });
        }
        let mut out = Buffer::scratch(x.count() * x.width());
        self.rows(x.host(), &mut out);
        Rows::on_host(out, x.width())
    }

    /// Norms each head of rows by itself: `[rows, heads · dim]` to the same (Gemma-3).
    pub(crate) fn heads(&self, x: &Rows, dim: usize) -> Rows {
        if x.count() == 0 {
            return Rows::empty(x.width());
        }
        let [rows, width] = [x.count(), x.width()];
        if let Some(x) = x.device() {
            let heads = x.clone().reshape([rows * width / dim, dim]);
            let normed = self.forward(&Rows::on_device(heads));
            return Rows::on_device(normed.device().expect(MIXED).clone().reshape([rows, width]));
        }
        let mut out = Buffer::scratch(rows * width);
        self.rows(x.host(), &mut out);
        Rows::on_host(out, width)
    }

    /// On the host, rows as wide as the weight.
    fn rows(&self, x: &[f32], out: &mut [f32]) {
        let (w, eps) = (self.weight.host(), self.eps as f32);
        let n = w.len();
        simd::vectorized(
            #[inline(always)]
            || match self.bias.as_ref().map(Vector::host) {
                None => {
                    for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
                        let scale = 1.0 / (simd::dot(x, x) / n as f32 + eps).sqrt();
                        for ((out, x), w) in out.iter_mut().zip(x).zip(w) {
                            *out = x * scale * w;
                        }
                    }
                }
                Some(b) => {
                    for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
                        let mean = simd::sum(x) / n as f32;
                        out.iter_mut().zip(x).for_each(|(out, x)| *out = x - mean);
                        let scale = 1.0 / (simd::dot(out, out) / n as f32 + eps).sqrt();
                        for ((out, w), b) in out.iter_mut().zip(w).zip(b) {
                            *out = *out * scale * w + b;
                        }
                    }
                }
            },
        );
    }
}

fn rms(x: Tensor<2>, weight: &Tensor<1>, eps: f64) -> Tensor<2> {
    #[cfg(feature = "train")]
    if grad::on_cpu(&x) {
        return grad::rms_norm(x, weight, eps as f32);
    }
    let scale = (x.clone().square().mean_dim(1) + eps).sqrt().recip();
    x * scale * weight.clone().unsqueeze::<2>()
}

fn layer(x: Tensor<2>, weight: &Tensor<1>, bias: &Tensor<1>, eps: f64) -> Tensor<2> {
    #[cfg(feature = "train")]
    if grad::on_cpu(&x) {
        return grad::layer_norm(x, weight, bias, eps as f32);
    }
    let centred = x.clone() - x.mean_dim(1);
    let scale = (centred.clone().square().mean_dim(1) + eps).sqrt().recip();
    centred * scale * weight.clone().unsqueeze::<2>() + bias.clone().unsqueeze::<2>()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{numbers, worst};
    use super::*;

    #[test]
    fn norms_agree_with_f64() {
        for [rows, n] in [[1, 3], [5, 33], [7, 128]] {
            let (x, w, b) = (numbers(rows * n, 1), numbers(n, 2), numbers(n, 3));
            let wanted = |centre: bool| -> Vec<f64> {
                let row = |x: &[f32]| {
                    let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
                    let mean = if centre { x.iter().sum::<f64>() / n as f64 } else { 0.0 };
                    let squares = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
                    let scale = 1.0 / (squares + 1e-5).sqrt();
                    let bias = |i: usize| if centre { f64::from(b[i]) } else { 0.0 };
                    (0..n).map(|i| (x[i] - mean) * scale * f64::from(w[i]) + bias(i)).collect::<Vec<f64>>()
                };
                x.chunks(n).flat_map(row).collect()
            };
            let rows = Rows::on_host(x.clone(), n);
            let rms = Norm::rms(Vector::Host(w.clone()), 1e-5).forward(&rows);
            assert!(worst(rms.host(), &wanted(false)) < 1e-6);
            let layer = Norm::layer(Vector::Host(w.clone()), Vector::Host(b.clone()), 1e-5).forward(&rows);
            assert!(worst(layer.host(), &wanted(true)) < 1e-6);
        }
    }
}
