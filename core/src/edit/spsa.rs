//! v* by simultaneous perturbation (Spall 1992): minimise `logit(y_true) - logit(y_false)` at the last position with the
//! MLP's value at subject-last replaced by v. Only the blocks above the edited one and the positions from the subject
//! on are computed; all facts take their steps together, three lanes each: v + εΔ, v - εΔ and v itself.

use crate::error::{Error, Result};
use crate::model::Model;
use crate::record::Settings;
use crate::run::{Action, Lane, Op, Prompt, Read, Site, Source, capture, device_error, heard, resume, with_halving};
use crate::trace::{Prepared, generator};
use burn::tensor::{Tensor, TensorData};
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
    facts: &[(&Prepared, usize)],
    settings: &Settings,
    progress: &mut dyn FnMut(Step<'_>) -> Result<()>,
) -> Result<Vec<Target>> {
    let (decoder, device) = (model.decoder.as_ref(), &model.compute.device);
    let width = decoder.shape().width;
    let prompts: Vec<_> =
        facts.iter().map(|(fact, _)| Prompt { ids: fact.clean.clone(), ..Prompt::default() }).collect();
    let base = capture(decoder, device, &prompts, None, true).await?;
    let mut targets = Vec::with_capacity(facts.len());
    let mut directions = Vec::with_capacity(facts.len());
    for (at, &(fact, layer)) in facts.iter().enumerate() {
        let s = fact.span.end - 1;
        let row = async |site| -> Result<Vec<f32>> {
            let rows = base.activations(at, layer, site).ok_or_else(|| Error::input("no such layer"))?;
            let data = heard(rows.narrow(0, s, 1).into_data_async()).await?;
            data.try_to_vec::<f32>().map_err(device_error)
        };
        let value = row(Site::Value).await?;
        let target = Target {
            layer,
            seed: settings.seed,
            key: row(Site::Key).await?,
            target: value.clone(),
            value,
            loss: Vec::new(),
        };
        targets.push(target);
        directions.push(generator(settings.seed, "spsa", &fact.id));
    }
    let lanes: Vec<Lane> = facts
        .iter()
        .enumerate()
        .flat_map(|(prompt, &(fact, layer))| {
            let s = fact.span.end - 1;
            let tokens = vec![fact.answer[0], fact.answer_new[0]];
            let reads = vec![Read { position: fact.clean.len() - 1, tokens }];
            (0..3).map(move |i| {
                let op = Op::Replace(Source::Given(3 * prompt + i));
                let actions = vec![Action { layer, site: Site::Value, positions: s..s + 1, op }];
                Lane { prompt, from: None, actions, reads: reads.clone() }
            })
        })
        .collect();

    let (epsilon, eta, steps) = (settings.edit.epsilon, settings.edit.eta, settings.edit.steps);
    let mut limits = model.limits;
    for step in 0..=steps {
        // Rademacher directions; the last round only measures.
        let signs: Vec<Vec<f32>> = directions
            .iter_mut()
            .map(|generator| (0..width).map(|_| if generator.random::<bool>() { 1.0 } else { -1.0 }).collect())
            .collect();
        let mut rows = Vec::with_capacity(lanes.len() * width);
        for (target, signs) in targets.iter().zip(&signs) {
            for offset in [epsilon, -epsilon, 0.0] {
                rows.extend(target.target.iter().zip(signs).map(|(v, sign)| v + offset * sign));
            }
        }
        let given: Tensor<2> = Tensor::from_data(TensorData::new(rows, [lanes.len(), width]), device);
        let (base, lanes, given) = (&base, &lanes, &given);
        let work = |limits| async move { resume(decoder, device, base, lanes, Some(given), &limits).await };
        let (readouts, used) = with_halving(limits, work).await?;
        limits = used;
        let losses: Vec<f32> = readouts.iter().map(|lane| lane[0].logits[0] - lane[0].logits[1]).collect();
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
