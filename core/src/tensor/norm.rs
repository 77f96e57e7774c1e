//! RMSNorm and LayerNorm over the width of rows.

use super::gradients::{Gradients, bias_of};
use super::{Buffer, MIXED, Rows, Vector, kernels, simd};
use crate::error::Result;
use burn::Tensor;

/// A norm with its weights.
#[derive(Debug, Clone)]
pub struct Norm {
    /// The checkpoint's tensor that the weight is.
    pub tensor: String,
    weight: Vector,
    bias: Option<Vector>,
    eps: f64,
}

impl Norm {
    /// `x / sqrt(mean(x²) + ε) · w` (Zhang & Sennrich 2019).
    pub(crate) fn rms(tensor: &str, weight: Vector, eps: f64) -> Self {
        Self { tensor: tensor.to_owned(), weight, bias: None, eps }
    }

    /// `(x - mean) / sqrt(var + ε) · w + b` (Ba et al. 2016).
    pub(crate) fn layer(tensor: &str, weight: Vector, bias: Vector, eps: f64) -> Self {
        Self { tensor: tensor.to_owned(), weight, bias: Some(bias), eps }
    }

    /// Weight, bias and ε, on the host.
    pub fn parts(&self) -> (&[f32], Option<&[f32]>, f64) {
        (self.weight.host(), self.bias.as_ref().map(Vector::host), self.eps)
    }

    /// The first weight, read from wherever it is: what was under way to a device before it has then arrived.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn first(&self) -> Result<f32> {
        match &self.weight {
            Vector::Host(values) => Ok(values[0]),
            Vector::Device(x) => Ok(Rows::on_device((**x).clone().narrow(0, 0, 1).unsqueeze()).values().await?[0]),
        }
    }

    /// `[rows, n]` to the same.
    pub(crate) fn forward(&self, x: &Rows) -> Rows {
        if x.count() == 0 {
            return Rows::empty(x.width());
        }
        if let Some(x) = x.device() {
            let bias = self.bias.as_ref().map(Vector::device);
            return Rows::on_device(kernels::norm(x.clone(), self.weight.device(), bias, self.eps));
        }
        let mut out = Buffer::scratch(x.count() * x.width());
        self.rows(x.host(), &mut out);
        Rows::on_host(out, x.width())
    }

    /// `x + added`, and what the norm makes of it: both `[rows, n]`.
    pub(crate) fn of_sum(&self, x: Rows, added: &Rows) -> [Rows; 2] {
        if let (Some(x), Some(added)) = (x.device(), added.device()) {
            let bias = self.bias.as_ref().map(Vector::device);
            let both = [x.clone(), added.clone()];
            return kernels::norm_of_sum(both, self.weight.device(), bias, self.eps).map(Rows::on_device);
        }
        let sum = x.plus(added);
        let normed = self.forward(&sum);
        [sum, normed]
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

    /// Gradients on rows from those on what they become; of rows of heads, head by head.
    pub(crate) fn backward(&self, x: &Rows, g: Rows) -> Rows {
        if g.count() == 0 {
            return g;
        }
        let (centre, eps) = (self.bias.is_some(), self.eps as f32);
        g.map(
            #[inline(always)]
            |g| {
                let w = self.weight.host();
                let n = w.len();
                let mut normed = Buffer::scratch(n);
                for (g, x) in g.chunks_exact_mut(n).zip(x.host().chunks_exact(n)) {
                    let scale = unit(x, centre, eps, &mut normed);
                    g.iter_mut().zip(w).for_each(|(g, w)| *g *= w);
                    // Length, and with a bias the mean, are what the norm takes out.
                    let along = simd::dot(g, &normed) / n as f32;
                    let level = if centre { simd::sum(g) / n as f32 } else { 0.0 };
                    g.iter_mut().zip(&*normed).for_each(|(g, x)| *g = scale * (*g - level - along * x));
                }
            },
            |g| {
                let w = self.weight.device();
                let [rows, width] = g.dims();
                let [n] = w.dims();
                let shape = [rows * width / n, n];
                let x = x.device().expect(MIXED).clone().reshape(shape);
                let [normed, scale] = normed(x, centre, self.eps);
                let g = g.reshape(shape) * w.unsqueeze::<2>();
                let along = (g.clone() * normed.clone()).mean_dim(1);
                let g = if centre { g.clone() - g.mean_dim(1) } else { g };
                ((g - normed * along) * scale).reshape([rows, width])
            },
        )
    }

    /// Adds the gradients of its tensors to others.
    pub(crate) fn add_gradient(&self, x: &Rows, g: &Rows, to: &mut Gradients) {
        if g.count() == 0 {
            return;
        }
        let (weight, bias) = self.gradient(x, g);
        to.add(&self.tensor, 0, 0, weight);
        if let Some(bias) = bias {
            to.add(&bias_of(&self.tensor), 0, 0, bias);
        }
    }

    /// Gradients of weight and bias from those on what rows become.
    fn gradient(&self, x: &Rows, g: &Rows) -> (Vector, Option<Vector>) {
        let centre = self.bias.is_some();
        if let (Some(x), Some(g)) = (x.device(), g.device()) {
            let ([rows, width], [n]) = (g.dims(), self.weight.device().dims());
            let shape = [rows * width / n, n];
            let [normed, _] = normed(x.clone().reshape(shape), centre, self.eps);
            let g = g.clone().reshape(shape);
            let sum = |x: Tensor<2>| Vector::Device(Box::new(x.sum_dim(0).flatten(0, 1)));
            return (sum(g.clone() * normed), centre.then(|| sum(g)));
        }
        let n = self.weight.host().len();
        let (mut on_w, mut on_b) = (vec![0.0; n], vec![0.0; n]);
        let mut normed = Buffer::scratch(n);
        simd::vectorized(
            #[inline(always)]
            || {
                for (g, x) in g.host().chunks_exact(n).zip(x.host().chunks_exact(n)) {
                    unit(x, centre, self.eps as f32, &mut normed);
                    on_w.iter_mut().zip(g).zip(&*normed).for_each(|((sum, g), x)| *sum += g * x);
                    simd::add(&mut on_b, g);
                }
            },
        );
        (Vector::Host(on_w), centre.then_some(Vector::Host(on_b)))
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

/// A row as its norm weights it, and the factor of its length.
#[inline(always)]
fn unit(x: &[f32], centre: bool, eps: f32, out: &mut [f32]) -> f32 {
    let n = x.len() as f32;
    let mean = if centre { simd::sum(x) / n } else { 0.0 };
    out.iter_mut().zip(x).for_each(|(out, x)| *out = x - mean);
    let scale = 1.0 / (simd::dot(out, out) / n + eps).sqrt();
    out.iter_mut().for_each(|x| *x *= scale);
    scale
}

/// What a norm does to a row on a device: the row as it is weighted, and the factor of its length.
fn normed(x: Tensor<2>, centre: bool, eps: f64) -> [Tensor<2>; 2] {
    let x = if centre { x.clone() - x.mean_dim(1) } else { x };
    let scale = (x.clone().square().mean_dim(1) + eps).sqrt().recip();
    [x * scale.clone(), scale]
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
            let rms = Norm::rms("", Vector::Host(w.clone()), 1e-5).forward(&rows);
            assert!(worst(rms.host(), &wanted(false)) < 1e-6);
            let layer = Norm::layer("", Vector::Host(w.clone()), Vector::Host(b.clone()), 1e-5).forward(&rows);
            assert!(worst(layer.host(), &wanted(true)) < 1e-6);
        }
    }

    #[test]
    fn gradients_agree_with_differences_in_f64() {
        let (rows, n, h) = (5, 33, 1e-5);
        let (x, w, b, g) = (numbers(rows * n, 1), numbers(n, 2), numbers(n, 3), numbers(rows * n, 4));
        let wide = |x: &[f32]| -> Vec<f64> { x.iter().map(|&x| f64::from(x)).collect() };
        for centre in [false, true] {
            let loss = |x: &[f64], w: &[f64], b: &[f64]| -> f64 {
                let row = |(x, g): (&[f64], &[f32])| {
                    let mean = if centre { x.iter().sum::<f64>() / n as f64 } else { 0.0 };
                    let squares = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
                    let scale = 1.0 / (squares + 1e-5).sqrt();
                    let bias = |i: usize| if centre { b[i] } else { 0.0 };
                    (0..n).map(|i| ((x[i] - mean) * scale * w[i] + bias(i)) * f64::from(g[i])).sum::<f64>()
                };
                x.chunks(n).zip(g.chunks(n)).map(row).sum()
            };
            let slope = |f: &dyn Fn(f64) -> f64| (f(h) - f(-h)) / (2.0 * h);
            let moved = |x: &[f64], at: usize, by: f64| -> Vec<f64> {
                let mut x = x.to_vec();
                x[at] += by;
                x
            };
            let (x64, w64, b64) = (wide(&x), wide(&w), wide(&b));
            let on_x: Vec<f64> = (0..rows * n).map(|at| slope(&|by| loss(&moved(&x64, at, by), &w64, &b64))).collect();
            let on_w: Vec<f64> = (0..n).map(|at| slope(&|by| loss(&x64, &moved(&w64, at, by), &b64))).collect();
            let on_b: Vec<f64> = (0..n).map(|at| slope(&|by| loss(&x64, &w64, &moved(&b64, at, by)))).collect();
            let norm = match centre {
                false => Norm::rms("", Vector::Host(w.clone()), 1e-5),
                true => Norm::layer("", Vector::Host(w.clone()), Vector::Host(b.clone()), 1e-5),
            };
            let (x, g) = (Rows::on_host(x.clone(), n), Rows::on_host(g.clone(), n));
            assert!(worst(norm.backward(&x, g.clone()).host(), &on_x) < 1e-5);
            let (got_w, got_b) = norm.gradient(&x, &g);
            assert!(worst(got_w.host(), &on_w) < 1e-5);
            assert_eq!(got_b.is_some(), centre);
            assert!(got_b.is_none_or(|got| worst(got.host(), &on_b) < 1e-5));
        }
    }
}
