//! Row operations of the blocks on the CPU, with gradients: one pass over memory forward and one backward.
//!
//! Training runs the families' own code, so it is their row operations that must be fast. The forward passes are those
//! of inference ([`super::cpu`]); what is here are the backward passes, and [`record`], which hands them to autodiff.

mod attention;
mod gated;
mod norm;
mod rotate;
#[cfg(test)]
mod tests;

pub(crate) use attention::attend;
pub(crate) use gated::{gated, gelu_tanh};
pub(crate) use norm::{layer_norm, rms_norm};
pub(crate) use rotate::rotate;

use super::cpu;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::{Autodiff, Flex, GradientCheckpointingStrategy};
use burn::tensor::{Device, Tensor, TensorData};
use std::fmt::Debug;

/// Does this tensor live on the CPU backend, and does somebody ask for gradients? Not with gradient checkpointing:
/// these operations keep their inputs.
pub(crate) fn on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    device == Device::flex()
        && device.gradient_checkpointing_strategy() == Some(GradientCheckpointingStrategy::Disabled)
}

/// The backward pass of an operation on `N` tensors whose output has the shape of the first one.
trait Slope<const N: usize, const KEPT: usize>: Debug + Send + 'static {
    /// Turns the gradient on the output into the one on the first input, and gives those on the others.
    fn slope(self, kept: [&[f32]; KEPT], grad: &mut [f32]) -> Vec<TensorData>;
}

/// A tensor's numbers, row-major, and its place in the graph; a constant has one too.
fn parts<const D: usize>(x: Tensor<D>) -> (FlexTensor, NodeGuard) {
    let x = if x.device().is_autodiff() { x } else { Tensor::from_inner(x) };
    let (x, node) = x.try_into_primitive::<Autodiff<Flex>>().expect("on_cpu was asked before").into_parts();
    (x.to_contiguous(), node)
}

/// The numbers of such a tensor.
fn floats(x: &FlexTensor) -> &[f32] {
    x.as_slice().expect("contiguous since `parts`, and the engine computes in f32")
}

/// Puts `output`, which has the shape of the first input, into the graph. What is `kept` reaches the backward pass.
fn record<const N: usize, const KEPT: usize>(
    slope: impl Slope<N, KEPT>,
    inputs: [NodeGuard; N],
    kept: [FlexTensor; KEPT],
    output: TensorData,
) -> Tensor<2> {
    let output = FlexTensor::from_data(output);
    let recorded = match Step(slope).prepare::<NoCheckpointing>(inputs).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(kept, output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(recorded)
}

/// `x`, as if a number had been computed from it whose gradient `f` makes of the numbers of `x`. The gradient on what
/// this gives, a factor, is usually 1.
pub(crate) fn sloped(x: Tensor<2>, f: impl FnOnce(&mut [f32])) -> Tensor<2> {
    let shape = x.dims();
    let (x, node) = parts(x);
    let mut slope = floats(&x).to_vec();
    f(&mut slope);
    let slope = FlexTensor::from_data(TensorData::new(slope, shape));
    record(Given, [node], [slope], x.into_data())
}

#[derive(Debug)]
struct Given;

impl Slope<1, 1> for Given {
    fn slope(self, [slope]: [&[f32]; 1], grad: &mut [f32]) -> Vec<TensorData> {
        grad.iter_mut().zip(slope).for_each(|(grad, slope)| *grad *= slope);
        Vec::new()
    }
}

/// A [`Slope`] in burn's form.
#[derive(Debug)]
struct Step<S, const KEPT: usize>(S);

impl<S: Slope<N, KEPT>, const N: usize, const KEPT: usize> Backward<Flex, N> for Step<S, KEPT> {
    type State = [FlexTensor; KEPT];

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut grad = grads.consume::<Flex>(&ops.node).into_data();
        let others = self.0.slope(ops.state.each_ref().map(floats), cpu::floats_mut(&mut grad));
        for (parent, grad) in ops.parents.into_iter().zip(std::iter::once(grad).chain(others)) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, FlexTensor::from_data(grad));
            }
        }
    }
}

/// Cuts every buffer into chunks of its own length and calls `f(chunk, chunks)` for those that belong together, on all
/// cores and compiled for the CPU's widest vectors, as [`cpu::for_rows`] does.
fn for_chunks<const K: usize>(buffers: [(&mut [f32], usize); K], f: impl Fn(usize, [&mut [f32]; K]) + Sync) {
    let mut rest = buffers.map(|(buffer, length)| buffer.chunks_mut(length.max(1)));
    let together = std::iter::from_fn(|| {
        let next = rest.each_mut().map(Iterator::next);
        next.iter().all(Option::is_some).then(|| next.map(Option::unwrap_or_default))
    });
    let together: Vec<[&mut [f32]; K]> = together.collect();
    let run = |(chunk, buffers): (usize, [&mut [f32]; K])| {
        cpu::vectorized(
            #[inline(always)]
            || f(chunk, buffers),
        )
    };
    #[cfg(not(target_family = "wasm"))]
    {
        use rayon::prelude::*;
        together.into_par_iter().enumerate().for_each(run);
    }
    #[cfg(target_family = "wasm")]
    together.into_iter().enumerate().for_each(run);
}

/// Rows that a thread takes at a time.
const ROWS: usize = 16;
