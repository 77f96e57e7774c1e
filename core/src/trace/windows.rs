//! What MLPs restore: the corrupted run with clean MLP outputs put back in a window of layers, at the patch positions. These are
//! cells of the MLP map ([`super::maps`]), for facts of which nobody asked for a whole map.

use super::cells::positions;
use super::maps::window;
use super::{Group, TokenizedFact, mean_scores, resume};
use crate::error::Result;
use crate::load::Model;
use crate::model::Site;
use crate::record::{PatchPosition, Settings};
use crate::run::{Intervention, PatchedRun};
use std::collections::BTreeMap;

/// `p_patch` per patch position and layer, for each fact of a group. Where a fact has no such position nothing is put back, and
/// p is `p_corrupt`, as in Stage 1.
///
/// # Errors
/// When the device fails.
pub async fn mlp_windows(
    model: &Model,
    facts: &[&TokenizedFact],
    p_corrupt: &[f32],
    settings: &Settings,
    group: &Group,
) -> Result<Vec<BTreeMap<PatchPosition, Vec<f32>>>> {
    let layers = model.layers();
    let width = settings.window_of(layers);
    let mut runs = Vec::new();
    for (fact, place) in facts.iter().zip(&group.places) {
        for (from, to) in settings.positions.iter().filter_map(|&position| positions(fact, position)) {
            for layer in 1..=layers {
                let patch = |layer| Intervention::patch(layer, Site::Mlp, to, place.clean, from);
                let interventions: Vec<Intervention> = window(layer, width, layers).map(patch).collect();
                runs.extend(place.corrupt.iter().map(|&prompt| PatchedRun {
                    prompt,
                    interventions: interventions.clone(),
                    overlay: None,
                    reads: place.asked_corrupt.reads.clone(),
                }));
            }
        }
    }
    let readouts = resume(model, group, &runs).await?;
    let mut rest = readouts.as_slice();
    let mut curves = |(fact, &p_corrupt): (&&TokenizedFact, &f32)| {
        let mut curve = |&position: &PatchPosition| {
            if positions(fact, position).is_none() {
                return (position, vec![p_corrupt; layers]);
            }
            let (head, tail) = rest.split_at(layers * fact.draws);
            rest = tail;
            (position, mean_scores(head, fact.draws))
        };
        settings.positions.iter().map(&mut curve).collect()
    };
    Ok(facts.iter().zip(p_corrupt).map(&mut curves).collect())
}
