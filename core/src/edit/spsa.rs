//! v* by simultaneous perturbation (Spall 1992): minimise `logit(y_true) - logit(y_false)` at the last position with the
//! MLP's value at subject-last replaced by v. Only the blocks above the edited one and the positions from the subject
//! on are computed; all facts take their steps together, three runs each: v + εΔ, v - εΔ and v itself.

use crate::error::{Error, Result};
use crate::model::{Model, Site};
use crate::record::Settings;
use crate::run::{Change, Edited, Intervention, PatchedRun, Prompt, Read, Request, Sites, Source, with_halving};
use crate::tensor::Matrix;
use crate::trace::{TokenizedFact, generator};
use rand::Rng;

/// What SPSA found for one fact.
#[derive(Debug, Clone)]
pub struct Target {
    /// Edited block.
    pub layer: usize,
    /// Seed of the directions.
    pub seed: u64,
    /// Key `k` at subject-last, `[ff]`.
    pub key: Vec<f32>,
    /// Value `v = W k (+ bias)`, `[d]`.
    pub value: Vec<f32>,
    /// The value to store, `[d]`.
    pub target: Vec<f32>,
    /// `logit(y_true) - logit(y_false)` before each step and after the last.
    pub loss: Vec<f32>,
}

/// How far SPSA is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<'a> {
    /// Steps done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// Per fact: `logit(y_true) - logit(y_false)` after them.
    pub losses: &'a [f32],
}

/// Runs SPSA for facts at layers; `progress` may stop it with an error.
pub async fn optimize(
    model: &Model,
    facts: &[(&TokenizedFact, usize)],
    settings: &Settings,
    progress: &mut dyn FnMut(Step<'_>) -> Result<()>,
) -> Result<Vec<Target>> {
    let width = model.net.shape.width;
    let prompts: Vec<_> = facts.iter().map(|(fact, _)| Prompt::plain(&fact.clean)).collect();
    let mut keep = Sites::to_resume();
    for &(_, layer) in facts {
        keep = keep.with(Site::MlpKey, layer..=layer).with(Site::MlpValue, layer..=layer);
    }
    let cache = &model.edited().capture(&prompts, &Matrix::default(), &keep).await?;
    let mut targets = Vec::with_capacity(facts.len());
    let mut directions = Vec::with_capacity(facts.len());
    for (at, &(fact, layer)) in facts.iter().enumerate() {
        let s = fact.span.end - 1;
        let row = async |site| Ok::<_, Error>(cache.values(at, layer, site, s..s + 1).await?.values);
        let value = row(Site::MlpValue).await?;
        let target = Target {
            layer,
            seed: settings.seed,
            key: row(Site::MlpKey).await?,
            target: value.clone(),
            value,
            loss: Vec::new(),
        };
        targets.push(target);
        directions.push(generator(settings.seed, "spsa", &fact.id));
    }
    let runs: Vec<PatchedRun> = facts
        .iter()
        .enumerate()
        .flat_map(|(prompt, &(fact, layer))| {
            let s = fact.span.end - 1;
            let tokens = vec![fact.answer[0], fact.answer_new[0]];
            let reads = vec![Read { position: fact.clean.len() - 1, tokens }];
            (0..3).map(move |i| {
                let change = Change::Replace(Source::Constant(3 * prompt + i));
                let interventions = vec![Intervention::new(layer, Site::MlpValue, s..s + 1, change)];
                PatchedRun { prompt, interventions, overlay: None, reads: reads.clone() }
            })
        })
        .collect();

    let (epsilon, eta, steps) = (settings.edit.epsilon, settings.edit.eta, settings.edit.steps);
    let mut plan = model.plan;
    for step in 0..=steps {
        // Rademacher directions; the last round only measures.
        let signs: Vec<Vec<f32>> = directions
            .iter_mut()
            .map(|generator| (0..width).map(|_| if generator.random::<bool>() { 1.0 } else { -1.0 }).collect())
            .collect();
        let mut rows = Vec::with_capacity(runs.len() * width);
        for (target, signs) in targets.iter().zip(&signs) {
            for offset in [epsilon, -epsilon, 0.0] {
                rows.extend(target.target.iter().zip(signs).map(|(v, sign)| v + offset * sign));
            }
        }
        let constants = Matrix::new(rows, width);
        let request = &Request { constants: &constants, ..Request::of(&runs) };
        let work = |plan| async move { Edited { plan, ..model.edited() }.resume(cache, request).await };
        let (readouts, used) = with_halving(plan, work).await?;
        plan = used;
        let losses: Vec<f32> = readouts.iter().map(|run| run[0].logits[0] - run[0].logits[1]).collect();
        if let Some(at) = losses.iter().position(|loss| !loss.is_finite()) {
            return Err(Error::numeric(format!("SPSA diverged at step {step}, fact {}", facts[at / 3].0.id))
                .hint("use a smaller --eta")
                .in_page("choose a smaller step size"));
        }
        let now: Vec<f32> = losses.iter().skip(2).step_by(3).copied().collect();
        progress(Step { done: step, of: steps, losses: &now })?;
        for ((target, signs), losses) in targets.iter_mut().zip(&signs).zip(losses.chunks(3)) {
            target.loss.push(losses[2]);
            if step < steps {
                let slope = (losses[0] - losses[1]) / (2.0 * epsilon);
                target.target.iter_mut().zip(signs).for_each(|(v, sign)| *v -= eta * slope * sign);
            }
        }
    }
    Ok(targets)
}
