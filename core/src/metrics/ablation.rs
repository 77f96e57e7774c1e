//! What ablations cost: necessity, attention against MLP (METHODS, "Necessity", "Attention against MLP").

use super::{Dominant, EPSILON, Mean, MetricConvention, MlpRatio, NecessityAt};
use crate::record::Traced;
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
    view: &'a MetricConvention,
) -> impl Iterator<Item = (&'a Traced, usize)> + 'a {
    facts.iter().filter_map(move |traced| {
        let layer = match view.necessity_at {
            NecessityAt::LStar => l_star,
            NecessityAt::PerFact => {
                super::dominant(traced, view.position, view.argmax_always).and_then(Dominant::layer)
            }
        }?;
        Some((*traced, layer))
    })
}

/// Mean Δ_nec, Δ_attn or Δ_MLP at `l*` or at each `l_f*`, as the view says.
pub fn mean_drop(facts: &[&Traced], l_star: Option<usize>, view: &MetricConvention, part: Part) -> Option<Mean> {
    Mean::of(places(facts, l_star, view).filter_map(|(traced, layer)| drop_at(traced, part, layer)))
}

/// `r_MLP = |Δ_MLP| / (|Δ_attn| + |Δ_MLP| + ε)` (eq. 2), in [0, 1).
pub fn mlp_ratio_of(attention: f64, mlp: f64) -> f64 {
    mlp.abs() / (attention.abs() + mlp.abs() + EPSILON)
}

/// r_MLP over facts: the mean of [`mlp_ratio_of`] each fact's drops, or that of the mean drops (no standard error).
pub fn mlp_ratio(facts: &[&Traced], l_star: Option<usize>, view: &MetricConvention) -> Option<Mean> {
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
