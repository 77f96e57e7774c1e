//! AdamW (Loshchilov & Hutter 2019) over named parameters, with a cosine schedule and clipping of the whole gradient.

use super::recipe::Optimizer as Plan;
use crate::device::heard;
use crate::error::{Error, Result};
use crate::model::{Parameter, Parameters};
use crate::tensor::{Vector, simd};
use burn::Tensor;
use std::collections::BTreeMap;

/// Memory of the first moment.
const BETA_1: f32 = 0.9;
/// Added to the root of the second moment.
const EPSILON: f32 = 1e-8;

/// Moments of one parameter.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// Steps so far.
    pub(super) time: usize,
    /// Of the gradient.
    pub(super) first: Vector,
    /// Of its square.
    pub(super) second: Vector,
}

impl Moments {
    fn zeros_like(grad: &Vector) -> Self {
        let zeros = || match grad {
            Vector::Host(x) => Vector::Host(vec![0.0; x.len()]),
            Vector::Device(x) => Vector::Device(Box::new(x.zeros_like())),
        };
        Self { time: 0, first: zeros(), second: zeros() }
    }
}

/// The optimizer and its state.
pub(super) struct Optimize {
    plan: Plan,
    pub(super) moments: BTreeMap<String, Moments>,
}

/// The numbers of a step.
#[derive(Clone, Copy)]
struct Step {
    beta_2: f32,
    /// Factor on the gradient.
    shrink: f32,
    /// `1 - β^t` of both moments.
    corrections: [f32; 2],
    /// What a parameter loses of itself.
    decay: f32,
    rate: f32,
}

impl Optimize {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { plan: plan.clone(), moments: BTreeMap::new() }
    }

    /// Learning rate after this share of the run and this many steps: linear warm-up, then a cosine to a fiftieth.
    pub(super) fn rate(&self, done: f64, step: usize) -> f64 {
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos());
        let warm = ((step + 1) as f64 / self.plan.warmup_steps.max(1) as f64).min(1.0);
        self.plan.learning_rate * warm * (0.02 + 0.98 * cosine)
    }

    /// One step. Parameters that the step's blocks did not use have no gradient and stay. Gives the gradient's length.
    pub(super) async fn step(
        &mut self,
        parameters: &Parameters,
        grads: BTreeMap<String, Vector>,
        rate: f64,
    ) -> Result<f32> {
        let norm = length(grads.values()).await?;
        if !norm.is_finite() {
            return Err(Error::numeric("the gradient is not finite").hint("lower `learning_rate` in the recipe"));
        }
        let shrink = (self.plan.clip / norm.max(1e-12)).min(1.0);
        let (rate, on_host) = (rate as f32, parameters.device().is_none());
        parameters.update(|all| {
            let mut steps = Vec::new();
            for (name, parameter) in all {
                let Some(grad) = grads.get(name) else { continue };
                let moments = self.moments.remove(name).unwrap_or_else(|| Moments::zeros_like(grad));
                steps.push((name.clone(), parameter, moments, grad));
            }
            let plan = &self.plan;
            let one = |(name, Parameter { shape, values }, mut moments, grad): (String, &mut Parameter, Moments, _)| {
                moments.time += 1;
                let correction = |beta: f32| 1.0 - beta.powi(moments.time as i32);
                let step = Step {
                    beta_2: plan.beta_2,
                    shrink,
                    corrections: [correction(BETA_1), correction(plan.beta_2)],
                    // Matrices decay, vectors do not.
                    decay: if shape.len() > 1 { rate * plan.weight_decay } else { 0.0 },
                    rate,
                };
                step.apply(values, &mut moments, grad);
                (name, moments)
            };
            use rayon::prelude::*;
            // A device hears one thread only.
            let done: Vec<(String, Moments)> = match on_host {
                true => steps.into_par_iter().map(one).collect(),
                false => steps.into_iter().map(one).collect(),
            };
            self.moments.extend(done);
        });
        Ok(norm)
    }
}

/// The length of all gradients together.
async fn length(grads: impl Iterator<Item = &Vector>) -> Result<f32> {
    let (mut sum, mut squares) = (0.0f64, Vec::new());
    for grad in grads {
        match grad {
            Vector::Host(x) => {
                sum += f64::from(simd::vectorized(
                    #[inline(always)]
                    || simd::dot(x, x),
                ))
            }
            Vector::Device(x) => squares.push((**x).clone().square().sum()),
        }
    }
    if !squares.is_empty() {
        let data = heard(Tensor::cat(squares, 0).sum().into_data_async()).await?;
        sum += data.iter::<f64>().sum::<f64>();
    }
    Ok(sum.sqrt() as f32)
}

impl Step {
    fn apply(self, values: &mut Vector, moments: &mut Moments, grad: &Vector) {
        let Self { beta_2, shrink, corrections, decay, rate } = self;
        match (values, &mut moments.first, &mut moments.second, grad) {
            (Vector::Host(x), Vector::Host(first), Vector::Host(second), Vector::Host(grad)) => simd::vectorized(
                #[inline(always)]
                || {
                    for (((x, first), second), grad) in x.iter_mut().zip(first).zip(second).zip(grad) {
                        let g = grad * shrink;
                        *first = *first * BETA_1 + g * (1.0 - BETA_1);
                        *second = *second * beta_2 + g * g * (1.0 - beta_2);
                        let by = *first / corrections[0] / ((*second / corrections[1]).sqrt() + EPSILON);
                        *x = *x - *x * decay - by * rate;
                    }
                },
            ),
            (Vector::Device(x), Vector::Device(first), Vector::Device(second), Vector::Device(grad)) => {
                let g = (**grad).clone() * shrink;
                **first = (**first).clone() * BETA_1 + g.clone() * (1.0 - BETA_1);
                **second = (**second).clone() * beta_2 + g.square() * (1.0 - beta_2);
                let by = (**first).clone() / corrections[0];
                let by = by / (((**second).clone() / corrections[1]).sqrt() + EPSILON);
                **x = (**x).clone() * (1.0 - decay) - by * rate;
            }
            _ => panic!("{}", crate::tensor::MIXED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two steps by hand, with decay and a clipped gradient.
    #[test]
    fn steps_are_those_of_the_paper() {
        let plan = Plan { learning_rate: 0.1, warmup_steps: 1, weight_decay: 0.01, beta_2: 0.98, clip: 1.0 };
        let parameters = Parameters::new(None, Box::new(|_, _| Vec::new()));
        parameters.set("w", Parameter { shape: vec![1, 2], values: Vector::Host(vec![1.0, -2.0]) });
        parameters.set("b", Parameter { shape: vec![1], values: Vector::Host(vec![0.5]) });
        let mut optimize = Optimize::new(&plan);
        let mut want = [(1.0f64, 0.0, 0.0, 0.01), (-2.0, 0.0, 0.0, 0.01), (0.5, 0.0, 0.0, 0.0)];
        for (time, grads) in [[3.0f64, 0.0, 4.0], [0.1, -0.2, 0.2]].into_iter().enumerate() {
            let length = grads.iter().map(|g| g * g).sum::<f64>().sqrt();
            let given = [("w", vec![grads[0] as f32, grads[1] as f32]), ("b", vec![grads[2] as f32])];
            let given = given.map(|(name, values)| (name.to_owned(), Vector::Host(values)));
            let found = pollster::block_on(optimize.step(&parameters, given.into(), 0.1)).expect("a step");
            assert!((f64::from(found) - length).abs() < 1e-6);
            for ((x, first, second, decay), g) in want.iter_mut().zip(grads) {
                let g = g * (1.0 / length).min(1.0);
                *first = 0.9 * *first + 0.1 * g;
                *second = 0.98 * *second + 0.02 * g * g;
                let t = time as i32 + 1;
                let by = *first / (1.0 - 0.9f64.powi(t)) / ((*second / (1.0 - 0.98f64.powi(t))).sqrt() + 1e-8);
                *x -= 0.1 * (*decay * *x + by);
            }
            let all = parameters.all();
            let got = [all["w"].values.host()[0], all["w"].values.host()[1], all["b"].values.host()[0]];
            for (got, (want, ..)) in got.iter().zip(&want) {
                assert!((f64::from(*got) - want).abs() < 1e-5, "{got}, not {want}");
            }
        }
    }
}
