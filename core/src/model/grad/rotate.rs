//! Rotary position embedding: the gradient of a rotation is the rotation back.

use super::{Slope, parts, record, values};
use crate::model::cpu;
use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};

pub(in crate::model) fn rotate(x: Tensor<2>, cos: &Tensor<2>, sin: &Tensor<2>, head_dim: usize) -> Tensor<2> {
    let width = x.dims()[1];
    let ((x, node), (cos, _), (sin, _)) = (parts(x), parts(cos.clone()), parts(sin.clone()));
    // Nothing here holds on to `x`, so that it can be rotated in place.
    let output = cpu::rotate(Tensor::from_primitive::<Flex>(x), &values(&cos), &values(&sin), head_dim);
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
