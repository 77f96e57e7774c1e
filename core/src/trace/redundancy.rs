//! Redundancy (eq. 3): the corrupted run without block l*, the clean state patched at every other layer. The run without
//! the block is captured once a fact; patches resume from it, so only what they change is computed.

use super::cells::positions;
use super::noise::{NoiseRows, corrupted};
use super::{CleanStates, TokenizedFact, mean_scores};
use crate::error::Result;
use crate::load::Model;
use crate::metrics::{Dominant, dominant};
use crate::model::Site;
use crate::record::{PatchPosition, RedundancyCurve, Settings, Traced};
use crate::run::{Change, Edited, Intervention, PatchedRun, Prompt, Request, Sites, Source, with_halving};
use crate::tensor::Matrix;
use std::ops::Range;

/// The second pass of a fact that is traced alone: at each patch position its own layer's block is removed. Where it has
/// none, there is no effect that other layers could restore.
pub fn own_blocks(traced: &Traced, positions: &[PatchPosition]) -> Vec<(PatchPosition, usize)> {
    let own = |&position: &PatchPosition| match dominant(traced, position, false) {
        Some(Dominant::Layer(layer)) => Some((position, layer)),
        _ => None,
    };
    positions.iter().filter_map(own).collect()
}

/// Curves of some facts, for each one as many as are `wanted`: a patch position, and the block that is removed. `clean` has
/// what is patched, fact by fact.
pub async fn redundancy(
    model: &Model,
    facts: &[&TokenizedFact],
    settings: &Settings,
    wanted: &[(PatchPosition, usize)],
    clean: &[CleanStates],
) -> Result<Vec<Vec<RedundancyCurve>>> {
    if wanted.is_empty() {
        return Ok(vec![Vec::new(); facts.len()]);
    }
    let (layers, width) = (model.layers(), model.net.shape.width);
    // Each fact's corrupted prompts, once for each block that is removed.
    let (mut prompts, mut noise) = (Vec::new(), NoiseRows::default());
    let mut places: Vec<Vec<(usize, Range<usize>)>> = Vec::with_capacity(facts.len());
    for fact in facts {
        let ids = fact.asked_corrupt(settings.answer).ids;
        let mut removed: Vec<(usize, Range<usize>)> = Vec::new();
        for &(_, block) in wanted {
            if removed.iter().all(|(known, _)| *known != block) {
                let first = prompts.len();
                prompts
                    .extend(corrupted(fact, &ids, settings, width, &mut noise).into_iter().map(|p| without(p, block)));
                removed.push((block, first..prompts.len()));
            }
        }
        places.push(removed);
    }
    let cache = &model.edited().capture(&prompts, &noise.matrix(width), &Sites::to_resume()).await?;

    let (mut runs, mut states) = (Vec::new(), Vec::new());
    for ((fact, removed), clean) in facts.iter().zip(&places).zip(clean) {
        let reads = fact.asked_corrupt(settings.answer).reads;
        for &(position, ablated) in wanted {
            let Some((_, to)) = positions(fact, position) else { continue };
            let (_, draws) = removed.iter().find(|(block, _)| *block == ablated).expect("captured above");
            for layer in (1..=layers).filter(|&layer| layer != ablated) {
                let put = Change::Replace(Source::Constant(states.len() / width));
                states.extend(clean.at(position, layer).expect("a state for each position that there is"));
                for prompt in draws.clone() {
                    // The block stays removed in the runs too: they keep the changes that their prompt was captured with.
                    let interventions = vec![Intervention::new(layer, Site::Residual, to..to + 1, put)];
                    runs.push(PatchedRun { prompt, interventions, overlay: None, reads: reads.clone() });
                }
            }
        }
    }
    let constants = Matrix::new(states, width);
    let request = &Request { constants: &constants, ..Request::of(&runs) };
    let work = |plan| async move { Edited { plan, ..model.edited() }.resume(cache, request).await };
    let readouts = with_halving(model.plan, work).await?.0;
    let mut rest = readouts.as_slice();
    let mut curve = |fact: &TokenizedFact, (position, ablated): (PatchPosition, usize)| {
        let mut patched = vec![None; layers];
        if positions(fact, position).is_some() {
            let (head, tail) = rest.split_at((layers - 1) * fact.draws);
            rest = tail;
            let others = (0..layers).filter(|&layer| layer + 1 != ablated);
            for (layer, p) in others.zip(mean_scores(head, fact.draws)) {
                patched[layer] = Some(p);
            }
        }
        RedundancyCurve { ablated, patched }
    };
    Ok(facts.iter().map(|fact| wanted.iter().map(|&one| curve(fact, one)).collect()).collect())
}

/// A prompt with nothing added by a block.
fn without(mut prompt: Prompt, block: usize) -> Prompt {
    let all = 0..prompt.ids.len();
    let zero = |site| Intervention::zero(block, site, all.clone());
    prompt.interventions.extend([Site::Attention, Site::Mlp].map(zero));
    prompt
}
