//! Simultaneous perturbation (Spall 1992). Only the blocks above the edited one and the positions from the subject on are
//! computed; all targets take their steps together, three runs each: v + εΔ, v - εΔ and v itself.

use super::{Found, Problem, Solver};
use crate::edit::editor::{OnStep, Step};
use crate::error::{Error, Result};
use crate::generate::generator;
use crate::record::Spsa;
use crate::tensor::Matrix;
use rand::Rng;

impl Solver for Spsa {
    async fn minimise(&self, problem: &Problem<'_>, start: Vec<Vec<f32>>, told: OnStep<'_>) -> Result<Vec<Found>> {
        let &Self { steps, epsilon, eta } = self;
        let width = start.first().map_or(0, Vec::len);
        let objectives = &problem.objectives;
        let mut directions: Vec<_> =
            objectives.iter().map(|objective| generator(problem.seed, "spsa", &objective.id)).collect();
        let mut found: Vec<_> = start.into_iter().map(|value| Found { vector: value, ..Found::default() }).collect();
        let runs = problem.runs(3);
        let mut plan = problem.model.plan;
        for step in 0..=steps {
            // Rademacher directions; the last round only measures.
            let signs: Vec<Vec<f32>> = directions
                .iter_mut()
                .map(|generator| (0..width).map(|_| if generator.random::<bool>() { 1.0 } else { -1.0 }).collect())
                .collect();
            let mut rows = Vec::with_capacity(runs.len() * width);
            for (found, signs) in found.iter().zip(&signs) {
                for offset in [epsilon, -epsilon, 0.0] {
                    rows.extend(found.vector.iter().zip(signs).map(|(v, sign)| v + offset * sign));
                }
            }
            let (losses, used) = problem.losses(&runs, &Matrix::new(rows, width), plan).await?;
            plan = used;
            if let Some(at) = losses.iter().position(|loss| !loss.is_finite()) {
                return Err(Error::numeric(format!("SPSA diverged at step {step}, fact {}", objectives[at / 3].id))
                    .hint("use a smaller --eta")
                    .in_page("choose a smaller step size"));
            }
            let now: Vec<f32> = losses.iter().skip(2).step_by(3).copied().collect();
            told(Step { done: step, of: steps, losses: &now })?;
            for ((found, signs), losses) in found.iter_mut().zip(&signs).zip(losses.chunks(3)) {
                found.loss.push(losses[2]);
                if step < steps {
                    let slope = (losses[0] - losses[1]) / (2.0 * epsilon);
                    found.vector.iter_mut().zip(signs).for_each(|(v, sign)| *v -= eta * slope * sign);
                }
            }
        }
        Ok(found)
    }
}
