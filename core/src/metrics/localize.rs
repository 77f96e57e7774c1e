//! Sufficiency, dominant layers, their distribution and concentration (METHODS, "Sufficiency" and "Concentration").

use super::{Mean, Share};
use crate::record::{PatchPosition, Traced};
use serde::{Deserialize, Serialize};

/// Under `subject-last` and `same-index`, `|s_L|` up to this counts as the exact 0 that it is in real arithmetic.
pub const SNAP: f64 = 1e-6;

/// Sufficiency of each layer (eq. 1): `s_l = p_patch(l) - p_corrupt`, in probability. `None` when the fact was not
/// traced at this patch position.
pub fn sufficiency(traced: &Traced, position: PatchPosition) -> Option<Vec<f64>> {
    let patched = traced.patched.get(&position).filter(|curve| !curve.is_empty())?;
    let p_corrupt = f64::from(traced.p_corrupt);
    Some(patched.iter().map(|p| f64::from(*p) - p_corrupt).collect())
}

/// Where a fact sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dominant {
    /// `l_f*`, `1..=L`.
    Layer(usize),
    /// Its patches only hurt, so its argmax is the final layer with `s_L = 0`: an artefact.
    NotLocalized,
}

impl Dominant {
    /// `l_f*`, where the fact has one.
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Layer(layer) => Some(layer),
            Self::NotLocalized => None,
        }
    }
}

/// Dominant layer `l_f* = argmax_l s_l`, the lowest on a tie (METHODS, "Sufficiency").
///
/// Under `subject-last` and `same-index` a patch after the final block changes nothing (unless the subject ends the
/// prompt), so there `|s_L| <= 1e-6` is float noise and counts as 0. A fact whose argmax then is the final layer has
/// `s_l < 0` for all `l < L`: it is not localized, unless `argmax_always` asks for the paper's convention. A final
/// layer with a real effect, and every layer under `last-token`, is taken as it is. `None` for an empty curve.
pub fn dominant_layer(curve: &[f64], position: PatchPosition, argmax_always: bool) -> Option<Dominant> {
    let last = curve.len().checked_sub(1)?;
    let snapped = position != PatchPosition::LastToken && curve[last].abs() <= SNAP;
    let at = |layer: usize| if snapped && layer == last { 0.0 } else { curve[layer] };
    let best = (0..curve.len()).fold(0, |best, layer| if at(layer) > at(best) { layer } else { best });
    if snapped && best == last && !argmax_always {
        return Some(Dominant::NotLocalized);
    }
    Some(Dominant::Layer(best + 1))
}

/// [`dominant_layer`] of a traced fact; `None` when it was not traced at this patch position.
pub fn dominant(traced: &Traced, position: PatchPosition, argmax_always: bool) -> Option<Dominant> {
    dominant_layer(&sufficiency(traced, position)?, position, argmax_always)
}

/// Mean sufficiency per layer, over all validated facts traced at this patch position (those not localized included).
/// Empty without facts.
pub fn mean_sufficiency(facts: &[&Traced], layers: usize, position: PatchPosition) -> Vec<Mean> {
    let curves: Vec<Vec<f64>> = facts.iter().filter_map(|traced| sufficiency(traced, position)).collect();
    let layer = |at: usize| Mean::of(curves.iter().filter_map(|curve| curve.get(at).copied()));
    (0..layers).map(layer).collect::<Option<_>>().unwrap_or_default()
}

/// How many facts have each layer as their dominant one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Distribution {
    /// Facts per layer; layer `l` at `l - 1`.
    pub counts: Vec<usize>,
    /// Facts that are not localized; in no layer's count.
    pub not_localized: usize,
}

/// `C = K / L`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Concentration {
    /// K: the fewest layers whose facts together exceed 80 % of all localized facts.
    pub layers: usize,
    /// C, in (0, 1].
    pub c: f64,
}

impl Distribution {
    /// Counts dominant layers of a model with `layers` blocks.
    pub fn of(layers: usize, facts: impl IntoIterator<Item = Dominant>) -> Self {
        let mut counts = vec![0; layers];
        let mut not_localized = 0;
        for fact in facts {
            match fact {
                Dominant::NotLocalized => not_localized += 1,
                Dominant::Layer(layer) => {
                    if let Some(count) = layer.checked_sub(1).and_then(|at| counts.get_mut(at)) {
                        *count += 1;
                    }
                }
            }
        }
        Self { counts, not_localized }
    }

    /// Localized facts: the sum of the counts.
    pub fn localized(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Global dominant layer `l*`: the mode, the lowest on a tie. `None` without localized facts.
    pub fn l_star(&self) -> Option<usize> {
        let most = *self.counts.iter().max().filter(|most| **most > 0)?;
        self.counts.iter().position(|count| *count == most).map(|at| at + 1)
    }

    /// Facts at a layer, out of the localized ones.
    pub fn share_at(&self, layer: usize) -> Option<Share> {
        Share::new(*self.counts.get(layer.checked_sub(1)?)?, self.localized())
    }

    /// Facts at the final layer, out of the localized ones.
    pub fn share_at_last(&self) -> Option<Share> {
        self.share_at(self.counts.len())
    }

    /// Facts that are not localized, out of all.
    pub fn share_not_localized(&self) -> Option<Share> {
        Share::new(self.not_localized, self.localized() + self.not_localized)
    }

    /// Concentration `C = K / L` (METHODS, "Concentration"): "exceed" is strict. `None` without localized facts.
    pub fn concentration(&self) -> Option<Concentration> {
        let all = self.localized();
        let mut falling = self.counts.clone();
        falling.sort_unstable_by(|a, b| b.cmp(a));
        let mut together = 0;
        let layers = 1 + falling.iter().position(|count| {
            together += count;
            together * 5 > all * 4
        })?;
        Some(Concentration { layers, c: layers as f64 / self.counts.len() as f64 })
    }
}
