//! Redundancy (eq. 3): the corrupted run without block l*, the clean state patched at every other layer. The run without
//! the block is captured once a fact; patches resume from it, so only what they change is computed.

use super::cells::{capture_group, positions};
use super::{TokenizedFact, mean_scores, resume};
use crate::error::Result;
use crate::metrics::{Dominant, dominant};
use crate::model::Model;
use crate::model::Site;
use crate::record::{Reading, RedundancyCurve, Settings, Traced};
use crate::run::{Intervention, PatchedRun, Sites};

/// The second pass of a fact that is traced alone: at each patch position its own layer's block is removed. Where it has
/// none, there is no effect that other layers could restore.
pub fn own_blocks(traced: &Traced, readings: &[Reading]) -> Vec<(Reading, usize)> {
    let own = |&reading: &Reading| match dominant(traced, reading, false) {
        Some(Dominant::Layer(layer)) => Some((reading, layer)),
        _ => None,
    };
    readings.iter().filter_map(own).collect()
}

/// Curves of a group of facts, for each one as many as are `wanted`: a patch position, and the block that is removed. The
/// clean prompt is captured once for all of them.
pub async fn redundancy(
    model: &Model,
    facts: &[&TokenizedFact],
    settings: &Settings,
    wanted: &[(Reading, usize)],
) -> Result<Vec<Vec<RedundancyCurve>>> {
    if wanted.is_empty() {
        return Ok(vec![Vec::new(); facts.len()]);
    }
    let layers = model.layers();
    let mut removed: Vec<usize> = wanted.iter().map(|(_, block)| *block).collect();
    removed.sort_unstable();
    removed.dedup();
    let group = capture_group(model, facts, settings, &Sites::to_resume(), &removed).await?;
    let mut runs = Vec::new();
    for (fact, place) in facts.iter().zip(&group.places) {
        for &(reading, ablated) in wanted {
            let Some((from, to)) = positions(fact, reading) else { continue };
            let without = removed.binary_search(&ablated).expect("it is one of them");
            for layer in (1..=layers).filter(|&layer| layer != ablated) {
                for &prompt in &place.corrupt[without * fact.draws..][..fact.draws] {
                    // The block stays removed in the runs too: they keep the changes that their prompt was captured with.
                    let interventions = vec![Intervention::patch(layer, Site::Residual, to, place.clean, from)];
                    let reads = place.asked_corrupt.reads.clone();
                    runs.push(PatchedRun { prompt, interventions, overlay: None, reads });
                }
            }
        }
    }
    let readouts = resume(model, &group, &runs).await?;
    let mut rest = readouts.as_slice();
    let mut curve = |fact: &TokenizedFact, (reading, ablated): (Reading, usize)| {
        let mut patched = vec![None; layers];
        if positions(fact, reading).is_some() {
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
