//! Token × layer maps (Meng et al. 2022, Figure 1): the residual after each block, MLP and attention in windows.

use super::cells::{Group, Place};
use super::{TokenizedFact, mean_scores, resume};
use crate::error::Result;
use crate::load::Model;
use crate::model::Site;
use crate::record::{Maps, Settings};
use crate::run::{Intervention, PatchedRun};
use std::ops::Range;

/// The clean position that belongs to a corrupted one: outside the subject from the nearer end, inside it from its end.
pub(super) fn aligned(fact: &TokenizedFact, position: usize) -> Option<usize> {
    let (clean, corrupt) = (fact.clean.len(), fact.corrupt.len());
    if position >= fact.corrupt_span.end {
        let from_end = corrupt - position;
        (clean - fact.span.end >= from_end).then(|| clean - from_end)
    } else if position >= fact.corrupt_span.start {
        let from_end = fact.corrupt_span.end - position;
        (fact.span.len() >= from_end).then(|| fact.span.end - from_end)
    } else {
        (position < fact.span.start).then_some(position)
    }
}

/// Layers of a window centred on `layer`: `[layer - w/2, layer + (w+1)/2)`, as rome has it.
pub(super) fn window(layer: usize, width: usize, layers: usize) -> Range<usize> {
    let first = layer.saturating_sub(width / 2).max(1);
    let end = (layer + width.div_ceil(2)).min(layers + 1);
    first..end
}

/// One finished row of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct MapRow {
    /// Residual stream, MLP or attention.
    pub site: Site,
    /// Position in the corrupted prompt.
    pub position: usize,
    /// `p_patch` per layer.
    pub values: Vec<f32>,
}

/// Maps of the fact that is number `at` of a group. A position without a clean counterpart, and one that the corruption left
/// alone, keeps `p_corrupt`. With `live` a batch is one position, and each row is told as soon as it is there.
pub async fn maps(
    model: &Model,
    fact: &TokenizedFact,
    settings: &Settings,
    p_corrupt: f32,
    (group, at): (&Group, usize),
    mut live: Option<&mut dyn FnMut(MapRow)>,
) -> Result<Maps> {
    let layers = model.layers();
    let unchanged = || vec![vec![p_corrupt; layers]; fact.corrupt.len()];
    let mut all = SITES.map(|_| unchanged());
    let positions: Vec<usize> = (0..fact.corrupt.len()).collect();
    let per_batch = if live.is_some() { 1 } else { positions.len() };
    for batch in positions.chunks(per_batch.max(1)) {
        let (cells, runs) = cells(fact, settings, &group.places[at], layers, batch);
        if !runs.is_empty() {
            let readouts = resume(model, group, &runs).await?;
            for ((kind, position, layer), p) in cells.into_iter().zip(mean_scores(&readouts, fact.draws)) {
                all[kind][position][layer - 1] = p;
            }
        }
        if let Some(live) = &mut live {
            for &position in batch {
                for (kind, &site) in SITES.iter().enumerate() {
                    live(MapRow { site, position, values: all[kind][position].clone() });
                }
            }
        }
    }
    let [residual, mlp, attention] = all;
    Ok(Maps { window: settings.window_of(model.layers()), residual, mlp, attention })
}

/// The maps' sites, in the order of [`Maps`].
const SITES: [Site; 3] = [Site::Residual, Site::Mlp, Site::Attention];

/// A cell: which map, position, layer.
type Cell = (usize, usize, usize);

/// Cells of these positions, and the runs that compute them, as many for each cell as there are draws.
fn cells(
    fact: &TokenizedFact,
    settings: &Settings,
    place: &Place,
    layers: usize,
    positions: &[usize],
) -> (Vec<Cell>, Vec<PatchedRun>) {
    let (mut cells, mut runs) = (Vec::new(), Vec::new());
    for (kind, site) in SITES.into_iter().enumerate() {
        for &position in positions.iter().filter(|&&position| position >= fact.shared) {
            let Some(source) = aligned(fact, position) else { continue };
            for layer in 1..=layers {
                let at = match site {
                    Site::Residual => layer..layer + 1,
                    _ => window(layer, settings.window_of(layers), layers),
                };
                cells.push((kind, position, layer));
                for &prompt in &place.corrupt {
                    let patch = |layer| Intervention::patch(layer, site, position, place.clean, source);
                    let interventions = at.clone().map(patch).collect();
                    let reads = place.asked_corrupt.reads.clone();
                    runs.push(PatchedRun { prompt, interventions, overlay: None, reads });
                }
            }
        }
    }
    (cells, runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(clean: usize, span: Range<usize>, corrupt: usize, corrupt_span: Range<usize>) -> TokenizedFact {
        TokenizedFact {
            clean: vec![0; clean],
            shared: span.start,
            span,
            corrupt: vec![0; corrupt],
            corrupt_span,
            answer: vec![0],
            answer_new: vec![1],
            draws: 1,
            id: String::new(),
        }
    }

    #[test]
    fn positions_are_aligned_from_the_nearer_end() {
        // x x [S S S] y y   against   x x [R P] y y
        let shorter = fact(7, 2..5, 6, 2..4);
        let want = [Some(0), Some(1), Some(3), Some(4), Some(5), Some(6)];
        assert_eq!((0..6).map(|p| aligned(&shorter, p)).collect::<Vec<_>>(), want);
        // [S] y y   against   [R P Q] y y: the first two replacement tokens have no counterpart.
        let longer = fact(3, 0..1, 5, 0..3);
        let want = [None, None, Some(0), Some(1), Some(2)];
        assert_eq!((0..5).map(|p| aligned(&longer, p)).collect::<Vec<_>>(), want);
    }

    #[test]
    fn windows_are_romes() {
        // Rome, counting from 0: range(max(0, l - w // 2), min(L, l - (-w // 2))).
        assert_eq!(window(1, 10, 30), 1..6);
        assert_eq!(window(15, 10, 30), 10..20);
        assert_eq!(window(30, 10, 30), 25..31);
        assert_eq!(window(7, 1, 30), 7..8);
        assert_eq!(window(7, 3, 30), 6..9);
    }
}
