//! Redundancy R (eq. 3; METHODS, "Redundancy"): how much other layers restore of what the removed one costs.

use super::{EPSILON, Mean, MetricConvention, Part, RedundancyAggregate, drop_at};
use crate::record::{PatchPosition, Traced};
use serde::{Deserialize, Serialize};

/// R over facts (eq. 3), with what it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Redundancy {
    /// The removed block; the `l*` of the study, which another convention's `l*` may differ from.
    pub ablated: usize,
    /// R, in [0, 1].
    pub r: Mean,
    /// Mean of `max_{l != l*} (p_{ablated+patch(l)} - p_corrupt)`.
    pub restored: Mean,
    /// Mean Δ_nec of the removed block over the same facts.
    pub necessity: Mean,
}

/// One fact's `max_{l != l*} (p_{ablated+patch(l)} - p_corrupt)` and Δ_nec of the removed block.
pub fn fact_redundancy(traced: &Traced, position: PatchPosition) -> Option<(f64, f64)> {
    let curve = traced.redundancy.get(&position)?;
    let necessity = drop_at(traced, Part::Block, curve.ablated)?;
    let others = curve.patched.iter().enumerate().filter(|(at, _)| at + 1 != curve.ablated);
    let best = others.filter_map(|(_, p)| p.map(f64::from)).reduce(f64::max)?;
    Some((best - f64::from(traced.p_corrupt), necessity))
}

/// `restored / (Δ_nec + ε)` clipped to [0, 1].
fn clipped(restored: f64, necessity: f64) -> f64 {
    let ratio = restored / (necessity + EPSILON);
    if ratio.is_finite() { ratio.clamp(0.0, 1.0) } else { 0.0 }
}

/// R over the facts that have a second pass under the convention's patch position. Should facts differ in the removed block (a
/// patched-together record), those with the most common one count.
pub fn redundancy(facts: &[&Traced], view: &MetricConvention) -> Option<Redundancy> {
    let ablated = common_ablated(facts, view.position)?;
    let (restored, necessity): (Vec<f64>, Vec<f64>) = facts
        .iter()
        .filter(|traced| traced.redundancy.get(&view.position).is_some_and(|curve| curve.ablated == ablated))
        .filter_map(|traced| fact_redundancy(traced, view.position))
        .unzip();
    let mean_restored = Mean::of(restored.iter().copied())?;
    let mean_necessity = Mean::of(necessity.iter().copied())?;
    let r = match view.redundancy {
        RedundancyAggregate::RatioOfMeans => {
            Mean { mean: clipped(mean_restored.mean, mean_necessity.mean), sem: None, n: restored.len() }
        }
        RedundancyAggregate::MeanOfClipped => Mean::of(restored.iter().zip(&necessity).map(|(r, n)| clipped(*r, *n)))?,
    };
    Some(Redundancy { ablated, r, restored: mean_restored, necessity: mean_necessity })
}

fn common_ablated(facts: &[&Traced], position: PatchPosition) -> Option<usize> {
    let mut times = std::collections::BTreeMap::new();
    for curve in facts.iter().filter_map(|traced| traced.redundancy.get(&position)) {
        *times.entry(curve.ablated).or_insert(0_usize) += 1;
    }
    let most = times.values().copied().max()?;
    times.into_iter().find(|(_, count)| *count == most).map(|(layer, _)| layer)
}

/// Mean of `p_{ablated+patch(l)} - p_corrupt` per layer, `None` at the removed block: the curve behind R, shown beside
/// it because a patch above `l*` overwrites what the ablation did. Empty without a second pass.
pub fn redundancy_curve(facts: &[&Traced], layers: usize, position: PatchPosition) -> Vec<Option<Mean>> {
    let Some(ablated) = common_ablated(facts, position) else { return Vec::new() };
    let curves: Vec<_> = facts
        .iter()
        .filter_map(|traced| Some((traced.p_corrupt, traced.redundancy.get(&position)?)))
        .filter(|(_, curve)| curve.ablated == ablated)
        .collect();
    let at = |at: usize| {
        Mean::of(curves.iter().filter_map(|(p_corrupt, curve)| {
            curve.patched.get(at).copied().flatten().map(|p| f64::from(p) - f64::from(*p_corrupt))
        }))
    };
    (0..layers).map(|layer| if layer + 1 == ablated { None } else { at(layer) }).collect()
}
