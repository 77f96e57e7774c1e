//! Rotary position embedding in the rotate-half layout of Hugging Face (Su et al. 2021).

use super::config::{RopeScaling, RopeSpec};
use super::ops;
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::f64::consts::PI;

/// Tables of a rotary embedding.
#[derive(Debug, Clone)]
pub struct Rope {
    /// `cos(p · f_i)`, `[positions, dims / 2]`.
    cos: Tensor<2>,
    /// `sin(p · f_i)`, `[positions, dims / 2]`.
    sin: Tensor<2>,
}

/// The rows of a [`Rope`] that belong to a batch: `[rows, dims / 2]` each.
#[derive(Debug, Clone)]
pub struct RopeRows {
    /// Cosines.
    pub cos: Tensor<2>,
    /// Sines.
    pub sin: Tensor<2>,
}

impl Rope {
    /// Tables for positions `0..positions`. Frequencies in f32, as transformers computes them.
    pub fn new(spec: &RopeSpec, divisors: Option<&[f32]>, positions: usize, device: &Device) -> Self {
        let half = spec.dims / 2;
        let frequencies: Vec<f32> = (0..half)
            .map(|i| {
                let exponent = (2 * i) as f32 / spec.dims as f32;
                let plain = 1.0 / (spec.theta as f32).powf(exponent);
                match divisors {
                    Some(divisors) => plain / divisors[i],
                    None => scaled(plain, &spec.scaling),
                }
            })
            .collect();
        let mut cos = Vec::with_capacity(positions * half);
        let mut sin = Vec::with_capacity(positions * half);
        for position in 0..positions {
            for frequency in &frequencies {
                let angle = position as f32 * frequency;
                cos.push(angle.cos());
                sin.push(angle.sin());
            }
        }
        let table = |values| Tensor::from_data(TensorData::new(values, [positions, half]), device);
        Self { cos: table(cos), sin: table(sin) }
    }

    /// The rows of these positions.
    pub fn rows(&self, positions: &Tensor<1, Int>) -> RopeRows {
        RopeRows {
            cos: self.cos.clone().select(0, positions.clone()),
            sin: self.sin.clone().select(0, positions.clone()),
        }
    }
}

fn scaled(frequency: f32, scaling: &RopeScaling) -> f32 {
    match *scaling {
        RopeScaling::Plain | RopeScaling::Stored => frequency,
        RopeScaling::Linear(factor) => frequency / factor as f32,
        RopeScaling::Llama3 { factor, low, high, original } => {
            let wavelength = 2.0 * PI / f64::from(frequency);
            if wavelength > original / low {
                frequency / factor as f32
            } else if wavelength < original / high {
                frequency
            } else {
                let smooth = ((original / wavelength - low) / (high - low)) as f32;
                (1.0 - smooth) * frequency / factor as f32 + smooth * frequency
            }
        }
    }
}

impl RopeRows {
    /// The first `rows` rows.
    pub fn narrow(&self, rows: usize) -> Self {
        if self.cos.dims()[0] == rows {
            return self.clone();
        }
        Self { cos: self.cos.clone().narrow(0, 0, rows), sin: self.sin.clone().narrow(0, 0, rows) }
    }

    /// Rotates the leading dimensions of every head of `x` `[rows, heads · head_dim]`.
    pub fn rotate(&self, x: Tensor<2>, head_dim: usize) -> Tensor<2> {
        ops::rotate(x, &self.cos, &self.sin, head_dim)
    }
}
