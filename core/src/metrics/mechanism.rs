//! Necessity, attention against MLP, redundancy (METHODS, "Necessity", "Attention against MLP", "Redundancy").

use super::{Dominant, EPSILON, Mean, MlpRatio, NecessityAt, RedundancyAggregate, View};
use crate::record::{Reading, Traced};
use serde::{Deserialize, Serialize};

/// What of a block is ablated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Both sublayers: the block becomes the identity.
    Block,
    /// The attention contribution.
    Attention,
    /// The MLP contribution.
    Mlp,
}

/// Drop of the true answer's probability on the clean prompt, `Δ = p_clean - p_ablated`, at a layer `1..=L`:
/// Δ_nec, Δ_attn or Δ_MLP. `None` where the record has no such ablation.
pub fn drop_at(traced: &Traced, part: Part, layer: usize) -> Option<f64> {
    let ablated = match part {
        Part::Block => &traced.without_block,
        Part::Attention => &traced.without_attention,
        Part::Mlp => &traced.without_mlp,
    };
    let p = *ablated.get(layer.checked_sub(1)?)?;
    Some(f64::from(traced.p_clean) - f64::from(p))
}

/// Mean drop per layer over facts; empty without facts.
pub fn drop_map(facts: &[&Traced], layers: usize, part: Part) -> Vec<Mean> {
    let layer = |layer: usize| Mean::of(facts.iter().filter_map(|traced| drop_at(traced, part, layer)));
    (1..=layers).map(layer).collect::<Option<_>>().unwrap_or_default()
}

/// Whole layer maps of the three ablations: mean drops per layer, in probability.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerMaps {
    /// Δ_nec.
    pub block: Vec<Mean>,
    /// Δ_attn.
    pub attention: Vec<Mean>,
    /// Δ_MLP.
    pub mlp: Vec<Mean>,
}

/// [`drop_map`] of all three parts.
pub fn layer_maps(facts: &[&Traced], layers: usize) -> LayerMaps {
    LayerMaps {
        block: drop_map(facts, layers, Part::Block),
        attention: drop_map(facts, layers, Part::Attention),
        mlp: drop_map(facts, layers, Part::Mlp),
    }
}

/// The facts and the layer at which each one's ablations are read: every fact at `l*`, or every localized one at its
/// own `l_f*`.
fn places<'a>(
    facts: &'a [&'a Traced],
    l_star: Option<usize>,
    view: &'a View,
) -> impl Iterator<Item = (&'a Traced, usize)> + 'a {
    facts.iter().filter_map(move |traced| {
        let layer = match view.necessity_at {
            NecessityAt::LStar => l_star,
            NecessityAt::PerFact => super::dominant(traced, view.reading, view.argmax_always).and_then(Dominant::layer),
        }?;
        Some((*traced, layer))
    })
}

/// Mean Δ_nec, Δ_attn or Δ_MLP at `l*` or at each `l_f*`, as the view says.
pub fn mean_drop(facts: &[&Traced], l_star: Option<usize>, view: &View, part: Part) -> Option<Mean> {
    Mean::of(places(facts, l_star, view).filter_map(|(traced, layer)| drop_at(traced, part, layer)))
}

/// `r_MLP = |Δ_MLP| / (|Δ_attn| + |Δ_MLP| + ε)` (eq. 2), in [0, 1).
pub fn mlp_ratio_of(attention: f64, mlp: f64) -> f64 {
    mlp.abs() / (attention.abs() + mlp.abs() + EPSILON)
}

/// r_MLP over facts: the mean of [`mlp_ratio_of`] each fact's drops, or that of the mean drops (no standard error).
pub fn mlp_ratio(facts: &[&Traced], l_star: Option<usize>, view: &View) -> Option<Mean> {
    let drops: Vec<(f64, f64)> = places(facts, l_star, view)
        .filter_map(|(traced, layer)| {
            Some((drop_at(traced, Part::Attention, layer)?, drop_at(traced, Part::Mlp, layer)?))
        })
        .collect();
    match view.mlp_ratio {
        MlpRatio::MeanOfRatios => Mean::of(drops.iter().map(|(attention, mlp)| mlp_ratio_of(*attention, *mlp))),
        MlpRatio::RatioOfMeans => {
            let attention = Mean::of(drops.iter().map(|drop| drop.0))?;
            let mlp = Mean::of(drops.iter().map(|drop| drop.1))?;
            Some(Mean { mean: mlp_ratio_of(attention.mean, mlp.mean), sem: None, n: drops.len() })
        }
    }
}

/// R over facts (eq. 3), with what it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Redundancy {
    /// The removed block; the `l*` of the study, which another view's `l*` may differ from.
    pub ablated: usize,
    /// R, in [0, 1].
    pub r: Mean,
    /// Mean of `max_{l != l*} (p_{ablated+patch(l)} - p_corrupt)`.
    pub restored: Mean,
    /// Mean Δ_nec of the removed block over the same facts.
    pub necessity: Mean,
}

/// One fact's `max_{l != l*} (p_{ablated+patch(l)} - p_corrupt)` and Δ_nec of the removed block.
pub fn fact_redundancy(traced: &Traced, reading: Reading) -> Option<(f64, f64)> {
    let curve = traced.redundancy.get(&reading)?;
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

/// R over the facts that have a second pass under the view's reading. Should facts differ in the removed block (a
/// patched-together record), those with the most common one count.
pub fn redundancy(facts: &[&Traced], view: &View) -> Option<Redundancy> {
    let ablated = common_ablated(facts, view.reading)?;
    let (restored, necessity): (Vec<f64>, Vec<f64>) = facts
        .iter()
        .filter(|traced| traced.redundancy.get(&view.reading).is_some_and(|curve| curve.ablated == ablated))
        .filter_map(|traced| fact_redundancy(traced, view.reading))
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

fn common_ablated(facts: &[&Traced], reading: Reading) -> Option<usize> {
    let mut times = std::collections::BTreeMap::new();
    for curve in facts.iter().filter_map(|traced| traced.redundancy.get(&reading)) {
        *times.entry(curve.ablated).or_insert(0_usize) += 1;
    }
    let most = times.values().copied().max()?;
    times.into_iter().find(|(_, count)| *count == most).map(|(layer, _)| layer)
}

/// Mean of `p_{ablated+patch(l)} - p_corrupt` per layer, `None` at the removed block: the curve behind R, shown beside
/// it because a patch above `l*` overwrites what the ablation did. Empty without a second pass.
pub fn redundancy_curve(facts: &[&Traced], layers: usize, reading: Reading) -> Vec<Option<Mean>> {
    let Some(ablated) = common_ablated(facts, reading) else { return Vec::new() };
    let curves: Vec<_> = facts
        .iter()
        .filter_map(|traced| Some((traced.p_corrupt, traced.redundancy.get(&reading)?)))
        .filter(|(_, curve)| curve.ablated == ablated)
        .collect();
    let at = |at: usize| {
        Mean::of(curves.iter().filter_map(|(p_corrupt, curve)| {
            curve.patched.get(at).copied().flatten().map(|p| f64::from(p) - f64::from(*p_corrupt))
        }))
    };
    (0..layers).map(|layer| if layer + 1 == ablated { None } else { at(layer) }).collect()
}
