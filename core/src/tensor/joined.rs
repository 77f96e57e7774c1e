//! Maps that read the same rows. On a device their matrices lie one behind the other, so that one product computes all of
//! them; each map still has its own matrix, which is a view.

use super::kernels::{self, Parts};
use super::linear::Weight;
use super::{Activation, LinearMap, Rows, Vector};
use burn::Tensor;

/// Several maps as one.
#[derive(Debug, Clone)]
pub struct Joined {
    /// `[out of all, in]`.
    weight: Box<Tensor<2>>,
    /// Of all of them.
    bias: Option<Box<Tensor<1>>>,
}

impl Joined {
    /// Of a matrix `[out of all, in]`, whose parts the maps become views of. `None` where only some have a bias.
    pub(crate) fn new<const N: usize>(weight: Tensor<2>, maps: &mut [LinearMap; N]) -> Option<Self> {
        let mut first = 0;
        for map in maps.iter_mut() {
            map.weight = Weight::Device(Box::new(weight.clone().narrow(0, first, map.out())));
            first += map.out();
        }
        let biases: Vec<Tensor<1>> = maps.iter().filter_map(|map| map.bias.as_ref().map(Vector::device)).collect();
        let bias = match biases.len() {
            0 => None,
            n if n == N => Some(Box::new(Tensor::cat(biases, 0))),
            _ => return None,
        };
        Some(Self { weight: Box::new(weight), bias })
    }

    /// `act(gate x) · up x`, of a gate and an `up`: `[rows, in]` to `[rows, out]`.
    pub(crate) fn gated(&self, act: Activation, x: &Rows) -> Rows {
        let both = x.times(&self.weight, self.bias.as_deref().cloned());
        Rows::on_device(kernels::gated_halves(act, both))
    }

    /// Queries, keys and values; with `turns`, cosines and sines of at least as many rows, the first two are rotated.
    pub(crate) fn attention(&self, x: &Rows, turns: Option<[Tensor<2>; 2]>, parts: Parts) -> [Rows; 3] {
        let all = x.times(&self.weight, None);
        kernels::split(all, self.bias.as_deref().cloned(), turns, parts).map(Rows::on_device)
    }
}
