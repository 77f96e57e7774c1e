//! The main indices of a record, computed anew from its raw values under the default view.

use crate::metrics::{
    Concentration, Distribution, Mean, MetricConvention, Part, Redundancy, Share, dominant, mean_drop, mlp_ratio,
    no_peak, redundancy,
};
use crate::record::{PatchPosition, Record, Traced};
use serde::Serialize;

/// The main indices under one patch position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indices {
    /// The position.
    #[serde(rename = "reading")]
    pub position: PatchPosition,
    /// l*.
    pub l_star: Option<usize>,
    /// Facts at l*, out of the localized ones.
    pub at_l_star: Option<Share>,
    /// Facts that are not localized, out of all.
    pub not_localized: Option<Share>,
    /// Facts without a peak, out of the localized ones.
    pub no_peak: Option<Share>,
    /// C.
    pub concentration: Option<Concentration>,
    /// Mean Δ_nec at l*, in probability.
    pub necessity: Option<Mean>,
    /// r_MLP at l*.
    pub mlp_ratio: Option<Mean>,
    /// R.
    pub redundancy: Option<Redundancy>,
}

/// [`Indices`] of every patch position of a record's settings. As the tables have them, without the curves that these
/// do not need: a damaged record may claim many facts of many layers.
pub fn indices(record: &Record) -> Vec<Indices> {
    let facts: Vec<&Traced> = record.validated().map(|(_, traced)| traced).collect();
    let mut positions = Vec::new();
    for position in &record.settings.positions {
        if !positions.contains(position) {
            positions.push(*position);
        }
    }
    let of = |position: PatchPosition| {
        let view = MetricConvention::default().with_position(position);
        let dominants = facts.iter().filter_map(|traced| dominant(traced, position, view.argmax_always));
        let distribution = Distribution::of(record.model.layers, dominants);
        let l_star = distribution.l_star();
        Indices {
            position,
            l_star,
            at_l_star: l_star.and_then(|layer| distribution.share_at(layer)),
            not_localized: distribution.share_not_localized(),
            no_peak: no_peak(record, &view),
            concentration: distribution.concentration(),
            necessity: mean_drop(&facts, l_star, &view, Part::Block),
            mlp_ratio: mlp_ratio(&facts, l_star, &view),
            redundancy: redundancy(&facts, &view),
        }
    };
    positions.into_iter().map(of).collect()
}
