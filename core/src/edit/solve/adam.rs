//! ROME's search (Meng et al. 2022, as their code has it): Adam on the loss' gradient, each vector within a ball. All targets
//! take their steps together; one whose loss is small enough rests.

use super::{Found, Problem, Solver};
use crate::edit::editor::{OnStep, Step};
use crate::error::Result;
use crate::record::ValueSearch;
use crate::tensor::Matrix;

pub(super) const BETA1: f64 = 0.9;
pub(super) const BETA2: f64 = 0.999;
pub(super) const EPSILON: f64 = 1e-8;

/// Adam's state of one vector.
struct State {
    at: Vec<f64>,
    mean: Vec<f64>,
    square: Vec<f64>,
    steps: i32,
}

impl State {
    fn new(start: &[f32]) -> Self {
        let zeros = || vec![0.0; start.len()];
        Self { at: start.iter().map(|&x| f64::from(x)).collect(), mean: zeros(), square: zeros(), steps: 0 }
    }

    fn norm(&self) -> f64 {
        self.at.iter().map(|x| x * x).sum::<f64>().sqrt()
    }

    fn step(&mut self, gradient: &[f64], lr: f64) {
        self.steps += 1;
        let (bias1, bias2) = (1.0 - BETA1.powi(self.steps), 1.0 - BETA2.powi(self.steps));
        let all = self.at.iter_mut().zip(&mut self.mean).zip(&mut self.square).zip(gradient);
        for (((x, mean), square), g) in all {
            *mean = BETA1 * *mean + (1.0 - BETA1) * g;
            *square = BETA2 * *square + (1.0 - BETA2) * g * g;
            *x -= lr / bias1 * *mean / ((*square / bias2).sqrt() + EPSILON);
        }
    }

    /// Cuts the vector back to a length; whether that changed it.
    fn clamp(&mut self, most: f64) -> bool {
        let norm = self.norm();
        let longer = norm > most;
        if longer {
            self.at.iter_mut().for_each(|x| *x *= most / norm);
        }
        longer
    }

    fn row(&self) -> impl Iterator<Item = f32> {
        self.at.iter().map(|&x| x as f32)
    }
}

impl Solver for ValueSearch {
    async fn minimise(&self, problem: &Problem<'_>, start: Vec<Vec<f32>>, told: OnStep<'_>) -> Result<Vec<Found>> {
        let &Self { steps, lr, decay, clamp, stop, .. } = self;
        let width = start.first().map_or(0, Vec::len);
        let mut states: Vec<State> = start.iter().map(|start| State::new(start)).collect();
        let mut found = vec![Found::default(); states.len()];
        let mut active: Vec<usize> = (0..states.len()).collect();
        let mut now = vec![0.0f32; states.len()];
        let mut plan = problem.model.plan;
        for step in 0..steps {
            let rows = active.iter().flat_map(|&target| states[target].row()).collect();
            let (values, used) = problem.gradients(&active, &Matrix::new(rows, width), plan).await?;
            plan = used;
            let mut next = Vec::with_capacity(active.len());
            for (&target, (values, gradient)) in active.iter().zip(values) {
                let (state, found, norm) = (&mut states[target], &mut found[target], problem.norms[target]);
                let (length, square) = (state.norm(), norm * norm);
                let (mut nll, mut kl, mut loss) = (0.0, 0.0, f64::from(decay) * length / square);
                for (term, value) in problem.objectives[target].terms.iter().zip(values) {
                    let part = f64::from(term.weight) * f64::from(value);
                    loss += part;
                    if term.kl { kl += f64::from(value) } else { nll += part }
                }
                found.loss.push(loss as f32);
                found.parts.push([nll as f32, kl as f32]);
                now[target] = loss as f32;
                if loss < f64::from(stop) || step + 1 == steps {
                    continue;
                }
                // The length has no slope at its minimum.
                let pull = if length > 0.0 { f64::from(decay) / (length * square) } else { 0.0 };
                let slope: Vec<f64> = gradient.iter().zip(&state.at).map(|(g, x)| f64::from(*g) + pull * x).collect();
                state.step(&slope, f64::from(lr));
                found.clamped += usize::from(state.clamp(f64::from(clamp) * norm));
                next.push(target);
            }
            told(Step { done: step + 1, of: steps, losses: &now })?;
            active = next;
            if active.is_empty() {
                break;
            }
        }
        for (found, state) in found.iter_mut().zip(&states) {
            found.vector = state.row().collect();
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_as_long_as_the_rate_in_each_coordinate() {
        let mut state = State::new(&[0.0; 3]);
        state.step(&[1e-3, -2.0, 50.0], 0.5);
        let want = [-0.5, 0.5, -0.5];
        assert!(state.at.iter().zip(want).all(|(x, want)| (x - want).abs() < 1e-4), "{:?}", state.at);
        assert!(state.clamp(0.1) && (state.norm() - 0.1).abs() < 1e-12);
        assert!(!state.clamp(0.2));
    }

    /// Three steps of torch.optim.Adam(lr=0.5) on x² from 1.
    #[test]
    fn steps_are_pytorchs() {
        let mut state = State::new(&[1.0]);
        for want in [0.5, 0.033_910_186, -0.335_904_622] {
            let slope = 2.0 * state.at[0];
            state.step(&[slope], 0.5);
            assert!((state.at[0] - want).abs() < 1e-6, "{} {want}", state.at[0]);
        }
    }
}
