//! Row operations of the blocks. On the CPU each is one fused pass over memory ([`super::cpu`]), in
//! training too (`super::grad`); on a GPU, burn's ops.

use super::cpu;
#[cfg(feature = "train")]
use super::grad;
use burn::tensor::{Device, Tensor, activation};

/// What stands between a gated MLP's projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `x · sigmoid(x)` (Llama, Qwen).
    Silu,
    /// GELU, tanh form (Gemma, and ungated in GPT-2 and Phi).
    GeluTanh,
}

/// Does this tensor live on the CPU backend, and nobody asks for its gradient? The passes of [`super::cpu`] have none.
pub fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    device == Device::flex() && !device.is_autodiff()
}

/// RMSNorm over the last dimension of `[rows, n]`.
pub fn rms_norm(x: Tensor<2>, weight: &Tensor<1>, eps: f64) -> Tensor<2> {
    if on_cpu(&x) {
        return cpu::rms_norm(x, weight, eps as f32);
    }
    #[cfg(feature = "train")]
    if grad::on_cpu(&x) {
        return grad::rms_norm(x, weight, eps as f32);
    }
    let scale = (x.clone().square().mean_dim(1) + eps).sqrt().recip();
    x * scale * weight.clone().unsqueeze::<2>()
}

/// LayerNorm over the last dimension of `[rows, n]`.
pub fn layer_norm(x: Tensor<2>, weight: &Tensor<1>, bias: &Tensor<1>, eps: f64) -> Tensor<2> {
    if on_cpu(&x) {
        return cpu::layer_norm(x, weight, bias, eps as f32);
    }
    #[cfg(feature = "train")]
    if grad::on_cpu(&x) {
        return grad::layer_norm(x, weight, bias, eps as f32);
    }
    let centred = x.clone() - x.mean_dim(1);
    let scale = (centred.clone().square().mean_dim(1) + eps).sqrt().recip();
    centred * scale * weight.clone().unsqueeze::<2>() + bias.clone().unsqueeze::<2>()
}

/// `act(gate) · up`, both `[rows, ff]`.
pub fn gated(act: Gate, gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    if on_cpu(&gate) {
        return cpu::gated(act, gate, up);
    }
    #[cfg(feature = "train")]
    if grad::on_cpu(&gate) {
        return grad::gated(act, gate, up);
    }
    match act {
        Gate::Silu => activation::silu(gate) * up,
        Gate::GeluTanh => gelu_tanh(gate) * up,
    }
}

/// GELU in its tanh form (`gelu_new`, `gelu_pytorch_tanh`).
pub fn gelu_tanh(x: Tensor<2>) -> Tensor<2> {
    if on_cpu(&x) {
        return cpu::gelu_tanh(x);
    }
    #[cfg(feature = "train")]
    if grad::on_cpu(&x) {
        return grad::gelu_tanh(x);
    }
    activation::gelu_approximate(x)
}

/// `cap · tanh(x / cap)`.
pub fn soft_cap(x: Tensor<2>, cap: f64) -> Tensor<2> {
    (x / cap).tanh() * cap
}

/// Rotates the first `2 · cos.dims()[1]` dimensions of each head of `x` `[rows, heads · head_dim]`, rotate-half layout.
pub fn rotate(x: Tensor<2>, cos: &Tensor<2>, sin: &Tensor<2>, head_dim: usize) -> Tensor<2> {
    if on_cpu(&x) {
        return cpu::rotate(x, cos, sin, head_dim);
    }
    #[cfg(feature = "train")]
    if grad::on_cpu(&x) {
        return grad::rotate(x, cos, sin, head_dim);
    }
    let [rows, width] = x.dims();
    let heads = width / head_dim;
    let half = cos.dims()[1];
    let x = x.reshape([rows, heads, head_dim]);
    let cos = cos.clone().unsqueeze_dim::<3>(1);
    let sin = sin.clone().unsqueeze_dim::<3>(1);
    let first = x.clone().narrow(2, 0, half);
    let second = x.clone().narrow(2, half, half);
    let mut parts = vec![first.clone() * cos.clone() - second.clone() * sin.clone(), second * cos + first * sin];
    if head_dim > 2 * half {
        parts.push(x.narrow(2, 2 * half, head_dim - 2 * half));
    }
    Tensor::cat(parts, 2).reshape([rows, width])
}
