//! Every index of METHODS, sections 2 to 4, as pure functions from a record's raw probabilities.
//!
//! Differences of probabilities are computed in f64 from the stored f32. An index that its facts do not define (no
//! facts, no editable ones) is `None`, never NaN.

mod ablation;
mod edits;
mod finding;
mod fluency;
mod localize;
mod mean;
mod predict;
mod redundancy;
mod reference;
mod retrace;
mod rewriting;
mod sequence;
mod shown;
mod summary;
mod verdict;

pub use ablation::{LayerMaps, Part, drop_at, drop_map, layer_maps, mean_drop, mlp_ratio, mlp_ratio_of};
pub use edits::{
    EditOutcome, EditSummary, Level, SideEffects, edit_outcome, edit_summaries, edit_summary, side_effects,
};
pub use finding::{Finding, OwnLayer, PEAK, SMALL, finding, layer_of, no_peak};
pub use fluency::ngram_entropy;
pub use localize::{
    Concentration, Distribution, Dominant, SNAP, dominant, dominant_layer, mean_sufficiency, sufficiency,
};
pub use mean::{Mean, Share};
pub use predict::{Choice, Editability, EditedLayer, Effect, EffectOf, Prediction, Relation, SHUFFLES, predictions};
pub use redundancy::{Redundancy, fact_redundancy, redundancy, redundancy_curve};
pub use reference::Tfidf;
pub use retrace::{Again, RetraceSummary, When, retrace_summaries};
pub use rewriting::{DISABLING, Dialect, Measure, Scores, interval, lines, scores};
pub use sequence::{BROKEN_FACTS, BROKEN_TEXT, SequencePoint, SequenceSummary, sequence_summaries};
use shown::own_edits;
pub use shown::{edited_layers, shown_edits};
pub use summary::{Summary, density, matched, reasons, restrict, summarize};
pub use verdict::{
    Answer, Check, HARM, Judgement, MOVED, Mark, RULES, Verdict, follows, gave_way, harms_neighbour, harms_unrelated,
    judge,
};

use crate::record::PatchPosition;
use serde::{Deserialize, Serialize};

/// ε of r_MLP (eq. 2) and R (eq. 3), in probability.
pub const EPSILON: f64 = 1e-8;

/// Which of the paper's possible conventions the indices follow. The default is METHODS' default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricConvention {
    /// Patch position.
    #[serde(rename = "reading")]
    pub position: PatchPosition,
    /// The paper's convention: a fact whose patches only hurt counts at the final layer instead of as not localized.
    pub argmax_always: bool,
    /// Where Δ_nec, Δ_attn, Δ_MLP and r_MLP are read.
    pub necessity_at: NecessityAt,
    /// Aggregate of r_MLP.
    pub mlp_ratio: MlpRatio,
    /// Aggregate of R.
    pub redundancy: RedundancyAggregate,
}

impl Default for MetricConvention {
    fn default() -> Self {
        Self {
            position: PatchPosition::SubjectLast,
            argmax_always: false,
            necessity_at: NecessityAt::LStar,
            mlp_ratio: MlpRatio::MeanOfRatios,
            redundancy: RedundancyAggregate::RatioOfMeans,
        }
    }
}

impl MetricConvention {
    /// The same view at another patch position.
    #[must_use]
    pub fn with_position(self, position: PatchPosition) -> Self {
        Self { position, ..self }
    }
}

/// The layer at which ablations are read (METHODS, "Necessity").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NecessityAt {
    /// The global dominant layer `l*`, over all validated facts.
    LStar,
    /// Each fact's own `l_f*`, over the localized facts.
    PerFact,
}

/// Aggregate of r_MLP over facts (METHODS, "Attention against MLP").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MlpRatio {
    /// Mean of the per-fact ratios.
    MeanOfRatios,
    /// Ratio of the mean drops.
    RatioOfMeans,
}

/// Aggregate of R over facts (METHODS, "Redundancy").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedundancyAggregate {
    /// Mean restored probability over mean Δ_nec, clipped to [0, 1].
    RatioOfMeans,
    /// Mean of the per-fact values, each clipped to [0, 1].
    MeanOfClipped,
}

#[cfg(test)]
mod tests;
