//! Adam on weights, in f32 as PyTorch has it: there are as many of them as in the matrix.

use super::adam::{BETA1, BETA2, EPSILON};
use crate::tensor::simd;

/// Weights in training.
pub(in crate::edit) struct Adam {
    pub(in crate::edit) values: Vec<f32>,
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl Adam {
    /// From these values.
    pub(in crate::edit) fn new(values: Vec<f32>) -> Self {
        let zeros = || vec![0.0; values.len()];
        Self { mean: zeros(), square: zeros(), steps: 0, values }
    }

    /// One step down.
    pub(in crate::edit) fn step(&mut self, gradient: &[f32], lr: f32) {
        self.steps += 1;
        let (bias1, bias2) = (1.0 - BETA1.powi(self.steps), 1.0 - BETA2.powi(self.steps));
        let (rate, root, tiny) = ((f64::from(lr) / bias1) as f32, bias2.sqrt() as f32, EPSILON as f32);
        let (beta1, beta2) = (BETA1 as f32, BETA2 as f32);
        let (rest1, rest2) = ((1.0 - BETA1) as f32, (1.0 - BETA2) as f32);
        let all = self.values.iter_mut().zip(&mut self.mean).zip(&mut self.square).zip(gradient);
        simd::vectorized(
            #[inline(always)]
            || {
                for (((x, mean), square), g) in all {
                    *mean = beta1 * *mean + rest1 * g;
                    *square = beta2 * *square + rest2 * g * g;
                    *x -= rate * *mean / (square.sqrt() / root + tiny);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three steps of torch.optim.Adam(lr=0.5) on x² from 1.
    #[test]
    fn steps_are_pytorchs() {
        let mut adam = Adam::new(vec![1.0]);
        for want in [0.5, 0.033_910_186, -0.335_904_62] {
            let slope = 2.0 * adam.values[0];
            adam.step(&[slope], 0.5);
            assert!((adam.values[0] - want).abs() < 1e-5, "{} {want}", adam.values[0]);
        }
    }
}
