//! AdamW (Loshchilov & Hutter 2019) over named parameters, with a cosine schedule and clipping of the whole gradient.

use super::recipe::Optimizer as Plan;
use crate::error::{Error, Result};
use crate::model::{Parameter, Parameters};
use burn::optim::{AdamW, AdamWConfig, AdamWState, Optimizer};
use burn::tensor::{Gradients, Tensor};
use std::collections::BTreeMap;

/// Moments of one parameter.
#[derive(Clone)]
pub(super) enum Moments {
    Vector(AdamWState<1>),
    Matrix(AdamWState<2>),
}

/// The optimizer and its state.
pub(super) struct Optimize {
    plan: Plan,
    decayed: AdamW,
    plain: AdamW,
    pub(super) moments: BTreeMap<String, Moments>,
}

impl Optimize {
    pub(super) fn new(plan: &Plan) -> Self {
        let config = AdamWConfig::new().with_beta_1(0.9).with_beta_2(plan.beta_2).with_epsilon(1e-8);
        Self {
            decayed: config.clone().with_weight_decay(plan.weight_decay).build(),
            plain: config.with_weight_decay(0.0).build(),
            plan: plan.clone(),
            moments: BTreeMap::new(),
        }
    }

    /// Learning rate after this share of the run and this many steps: linear warm-up, then a cosine to a fiftieth.
    pub(super) fn rate(&self, done: f64, step: usize) -> f64 {
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
        let warm = ((step + 1) as f64 / self.plan.warmup_steps.max(1) as f64).min(1.0);
        self.plan.learning_rate * warm * (0.02 + 0.98 * cosine)
    }

    /// One step. Parameters that the step's blocks did not use have no gradient and stay. Gives the gradient's length.
    pub(super) async fn step(&mut self, parameters: &Parameters, mut grads: Gradients, rate: f64) -> Result<f32> {
        let mut found = Vec::new();
        let mut squares = Vec::new();
        for (name, parameter) in parameters.all() {
            match parameter {
                Parameter::Vector(x) => {
                    let Some(grad) = x.grad_remove(&mut grads) else { continue };
                    squares.push(grad.clone().square().sum());
                    found.push((name, Pair::Vector(x, grad)));
                }
                Parameter::Matrix(x) => {
                    let Some(grad) = x.grad_remove(&mut grads) else { continue };
                    squares.push(grad.clone().square().sum());
                    found.push((name, Pair::Matrix(x, grad)));
                }
            }
        }
        let norm = Tensor::cat(squares, 0).sum().sqrt().into_scalar_async::<f32>().await;
        let norm = norm.map_err(|_| Error::device("cannot read the gradient back from the device"))?;
        if !norm.is_finite() {
            return Err(Error::numeric("the gradient is not finite").hint("lower `learning_rate` in the recipe"));
        }
        let shrink = (self.plan.clip / norm.max(1e-12)).min(1.0);
        for (name, pair) in found {
            let state = self.moments.remove(&name);
            let (parameter, state) = match (pair, state) {
                (Pair::Vector(x, grad), state) => {
                    let state = match state {
                        Some(Moments::Vector(state)) => Some(state),
                        _ => None,
                    };
                    let (x, state) = self.plain.step(rate, x.inner(), grad * shrink, state);
                    (Parameter::Vector(Tensor::from_inner(x).require_grad()), state.map(Moments::Vector))
                }
                (Pair::Matrix(x, grad), state) => {
                    let state = match state {
                        Some(Moments::Matrix(state)) => Some(state),
                        _ => None,
                    };
                    let (x, state) = self.decayed.step(rate, x.inner(), grad * shrink, state);
                    (Parameter::Matrix(Tensor::from_inner(x).require_grad()), state.map(Moments::Matrix))
                }
            };
            parameters.set(&name, parameter);
            self.moments.extend(state.map(|state| (name, state)));
        }
        Ok(norm)
    }
}

enum Pair {
    Vector(Tensor<1>, Tensor<1>),
    Matrix(Tensor<2>, Tensor<2>),
}
