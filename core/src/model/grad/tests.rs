//! Each operation against the same written in burn's own operations, in odd sizes.

use super::*;
use crate::model::Heads;
use crate::tensor::activation::Activation;
use burn::tensor::{Int, activation};

/// Numbers between -3 and 3 that repeat nowhere.
fn numbers<const D: usize>(shape: [usize; D], seed: usize) -> TensorData {
    let n: usize = shape.iter().product();
    let number = |i: usize| 3.0 * ((i * 7919 + seed * 104_729) as f32 * 0.618_034).sin();
    TensorData::new((0..n).map(number).collect(), shape)
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn floats<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().iter::<f32>().collect()
}

/// Largest difference, as a share of the largest number.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    difference / b.iter().map(|b| b.abs()).fold(1e-3, f32::max)
}

/// Both operations on the same numbers: outputs, and gradients of a sum weighted with other numbers.
fn agree<const N: usize>(
    inputs: [TensorData; N],
    fused: impl Fn([Tensor<2>; N]) -> Tensor<2>,
    plain: impl Fn([Tensor<2>; N]) -> Tensor<2>,
) {
    let run = |f: &dyn Fn([Tensor<2>; N]) -> Tensor<2>| {
        let inputs = inputs.clone().map(|x| Tensor::<2>::from_data(x, &device()).require_grad());
        // Not leaves, so that buffers in the middle of a graph are tried.
        let output = f(inputs.clone().map(|x| x * 1.0));
        let weights = Tensor::from_data(numbers(output.dims(), 9), &device());
        let grads = (output.clone() * weights).sum().backward();
        let grads = inputs.map(|x| floats(x.grad(&grads).expect("every input has a gradient")));
        (floats(output.inner()), grads)
    };
    let ((output, grads), (want, want_grads)) = (run(&fused), run(&plain));
    assert!(distance(&output, &want) < 1e-6, "output: {}", distance(&output, &want));
    for (at, (grad, want)) in grads.iter().zip(&want_grads).enumerate() {
        assert!(distance(grad, want) < 1e-5, "gradient {at}: {}", distance(grad, want));
    }
}

const ROWS_AND_WIDTHS: [[usize; 2]; 4] = [[1, 3], [17, 33], [50, 128], [33, 640]];

#[test]
fn gates_agree_with_burn() {
    for shape in ROWS_AND_WIDTHS {
        let inputs = [numbers(shape, 1), numbers(shape, 2)];
        agree(inputs.clone(), |[x, y]| gated(Activation::Silu, x, y), |[x, y]| activation::silu(x) * y);
        agree(inputs, |[x, y]| gated(Activation::GeluTanh, x, y), |[x, y]| activation::gelu_approximate(x) * y);
        agree([numbers(shape, 3)], |[x]| gelu_tanh(x), |[x]| activation::gelu_approximate(x));
    }
}

#[test]
fn norms_agree_with_burn() {
    for [rows, n] in ROWS_AND_WIDTHS {
        let inputs = [numbers([rows, n], 1), numbers([1, n], 2), numbers([1, n], 3)];
        let [x, w, _] = inputs.clone();
        agree(
            [x, w],
            |[x, w]| rms_norm(x, &w.flatten(0, 1), 1e-5),
            |[x, w]| x.clone() * (x.square().mean_dim(1) + 1e-5).sqrt().recip() * w,
        );
        agree(
            inputs,
            |[x, w, b]| layer_norm(x, &w.flatten(0, 1), &b.flatten(0, 1), 1e-5),
            |[x, w, b]| {
                let centred = x.clone() - x.mean_dim(1);
                let scale = (centred.clone().square().mean_dim(1) + 1e-5).sqrt().recip();
                centred * scale * w + b
            },
        );
    }
}

#[test]
fn rotation_agrees_with_burn() {
    for (rows, heads, dim, half) in [(1, 1, 4, 2), (37, 3, 10, 5), (37, 3, 10, 3)] {
        let table = |seed| Tensor::<2>::from_data(numbers([rows, half], seed), &device());
        let (cos, sin) = (table(4), table(5));
        let turned = |x: Tensor<2>| {
            let x: Tensor<3> = x.reshape([rows, heads, dim]);
            let (a, b) = (x.clone().narrow(2, 0, half), x.clone().narrow(2, half, half));
            let (cos, sin) = (cos.clone().unsqueeze_dim(1), sin.clone().unsqueeze_dim(1));
            let first = a.clone() * cos.clone() - b.clone() * sin.clone();
            let mut parts = vec![first, b * cos + a * sin];
            if dim > 2 * half {
                parts.push(x.narrow(2, 2 * half, dim - 2 * half));
            }
            Tensor::cat(parts, 2).reshape([rows, heads * dim])
        };
        agree([numbers([rows, heads * dim], 1)], |[x]| rotate(x, &cos, &sin, dim), |[x]| turned(x));
    }
}

#[test]
fn attention_agrees_with_burn() {
    let cases = [
        (3, 7, Heads { count: 4, kv: 2, dim: 16, scale: 0.03, soft_cap: None, window: None }),
        (1, 1, Heads { count: 1, kv: 1, dim: 5, scale: 0.1, soft_cap: None, window: None }),
        (2, 33, Heads { count: 6, kv: 2, dim: 20, scale: 0.02, soft_cap: None, window: Some(5) }),
        (2, 17, Heads { count: 3, kv: 1, dim: 32, scale: 0.05, soft_cap: Some(2.0), window: Some(16) }),
        (2, 16, Heads { count: 2, kv: 2, dim: 8, scale: 0.1, soft_cap: Some(5.0), window: Some(99) }),
    ];
    for (b, t, heads) in cases {
        let Heads { count, kv, dim, .. } = heads;
        let inputs = [numbers([b * t, count * dim], 1), numbers([b * t, kv * dim], 2), numbers([b * t, kv * dim], 3)];
        agree(inputs, |[q, k, v]| attend(&heads, t, q, k, v), |[q, k, v]| plain_attention(&heads, [b, t], q, k, v));
    }
}

fn plain_attention(heads: &Heads, [b, t]: [usize; 2], q: Tensor<2>, k: Tensor<2>, v: Tensor<2>) -> Tensor<2> {
    let &Heads { count, kv, dim, scale, soft_cap, window } = heads;
    let split = |x: Tensor<2>, heads: usize| x.reshape([b, t, heads, dim]).swap_dims(1, 2);
    let groups: Vec<i32> = (0..count).map(|head| (head / (count / kv)) as i32).collect();
    let groups = Tensor::<1, Int>::from_data(TensorData::new(groups, [count]), &device());
    let k: Tensor<4> = split(k, kv).select(1, groups.clone());
    let v: Tensor<4> = split(v, kv).select(1, groups);
    let mut scores: Tensor<4> = split(q, count).matmul(k.swap_dims(2, 3)) * scale;
    if let Some(cap) = soft_cap {
        scores = (scores / cap).tanh() * cap;
    }
    let hidden = (0..t * t).map(|at| at % t > at / t || at / t - at % t >= window.unwrap_or(t));
    let mask: Vec<f32> = hidden.map(|hidden| if hidden { -1e30 } else { 0.0 }).collect();
    let mask = Tensor::<4>::from_data(TensorData::new(mask, [1, 1, t, t]), &device());
    let mixed = activation::softmax(scores + mask, 3).matmul(v);
    mixed.swap_dims(1, 2).reshape([b * t, count * dim])
}

#[test]
fn constants_and_shared_inputs_are_fine() {
    let x = Tensor::<2>::from_data(numbers([5, 8], 1), &device()).require_grad();
    let weight = Tensor::<1>::from_data(numbers([8], 2), &Device::flex());
    let normed = rms_norm(x.clone(), &weight, 1e-6);
    // The same tensor on both sides, and again beside the operation.
    let output = gated(Activation::Silu, normed.clone(), normed.clone()) + normed + x.clone();
    let grads = output.sum().backward();
    let plain = Tensor::<2>::from_data(numbers([5, 8], 1), &device()).require_grad();
    let scale = (plain.clone().square().mean_dim(1) + 1e-6).sqrt().recip();
    let normed = plain.clone() * scale * Tensor::from_inner(weight).unsqueeze();
    let output = activation::silu(normed.clone()) * normed.clone() + normed + plain.clone();
    let want = floats(plain.grad(&output.sum().backward()).expect("tracked"));
    assert!(distance(&floats(x.grad(&grads).expect("tracked")), &want) < 1e-5);
}
