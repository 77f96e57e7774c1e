//! Rotary position embedding: the gradient of a rotation is the rotation back.

use super::{Slope, floats, parts, record};
use crate::model::cpu;
use burn::tensor::{Tensor, TensorData};

pub(crate) fn rotate(x: Tensor<2>, cos: &Tensor<2>, sin: &Tensor<2>, head_dim: usize) -> Tensor<2> {
    let [_, width] = x.dims();
    let ((x, node), (cos, _), (sin, _)) = (parts(x), parts(cos.clone()), parts(sin.clone()));
    // The backward pass does without `x`, so that it can be rotated in place.
    let mut output = x.into_data();
    cpu::turn(cpu::floats_mut(&mut output), width, head_dim, floats(&cos), floats(&sin));
    record(Rotate { width, head_dim }, [node], [cos, sin], output)
}

#[derive(Debug)]
struct Rotate {
    width: usize,
    head_dim: usize,
}

impl Slope<1, 2> for Rotate {
    fn slope(self, [cos, sin]: [&[f32]; 2], grad: &mut [f32]) -> Vec<TensorData> {
        let back: Vec<f32> = sin.iter().map(|sin| -sin).collect();
        cpu::turn(grad, self.width, self.head_dim, cos, &back);
        Vec::new()
    }
}
