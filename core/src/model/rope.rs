//! Rotary position embedding in the rotate-half layout of Hugging Face (Su et al. 2021).

use super::ops;
use super::rope_spec::RopeSpec;
use burn::tensor::{Device, Int, Tensor, TensorData};

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
    pub fn new(spec: &RopeSpec, positions: usize, device: &Device) -> Self {
        let frequencies = spec.frequencies();
        let half = frequencies.len();
        let factor = spec.attention_factor as f32;
        let mut cos = Vec::with_capacity(positions * half);
        let mut sin = Vec::with_capacity(positions * half);
        for position in 0..positions {
            for frequency in &frequencies {
                let angle = position as f32 * frequency;
                cos.push(angle.cos() * factor);
                sin.push(angle.sin() * factor);
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
