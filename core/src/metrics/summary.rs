//! Everything about one record under one view, and facts shared by several records.

use super::{
    Concentration, Distribution, EditSummary, LayerMaps, Mean, MetricConvention, Part, Redundancy, Share, dominant,
    edit_summary, layer_maps, mean_drop, mean_sufficiency, mlp_ratio, no_peak, redundancy, redundancy_curve,
};
use crate::facts::{RelationKind, kind};
use crate::record::{FactRecord, Reason, Record, Traced};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// All indices of one record under one view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Model name.
    pub model: String,
    /// L.
    pub layers: usize,
    /// Parameters.
    pub parameters: u64,
    /// The view that these indices follow.
    pub view: MetricConvention,
    /// Facts looked at.
    pub screened: usize,
    /// Facts that passed both filters.
    pub validated: usize,
    /// Excluded facts, by reason.
    pub dropped: BTreeMap<Reason, usize>,
    /// Validated facts by kind of relation; every kind has an entry.
    pub kinds: BTreeMap<RelationKind, usize>,
    /// Validated facts per 10⁹ parameters.
    pub density: Option<f64>,
    /// Mean `p_clean`.
    pub p_clean: Option<Mean>,
    /// Mean `p_corrupt`.
    pub p_corrupt: Option<Mean>,
    /// Mean `s_l` per layer.
    pub sufficiency: Vec<Mean>,
    /// Dominant layers.
    pub distribution: Distribution,
    /// Dominant layers by kind of relation; every kind has an entry.
    pub by_kind: BTreeMap<RelationKind, Distribution>,
    /// Global dominant layer.
    pub l_star: Option<usize>,
    /// Facts at `l*`, out of the localized ones.
    pub at_l_star: Option<Share>,
    /// Facts that are not localized, out of those traced at the patch position.
    pub not_localized: Option<Share>,
    /// Facts without a peak ([`Finding::NoPeak`]), out of the localized ones; `None` where a patch position or the
    /// paper's convention always has one.
    pub no_peak: Option<Share>,
    /// Facts at the final layer, out of the localized ones.
    pub at_last: Option<Share>,
    /// C.
    pub concentration: Option<Concentration>,
    /// Mean Δ_nec where the view reads it.
    pub necessity: Option<Mean>,
    /// Mean Δ_attn there.
    pub attention: Option<Mean>,
    /// Mean Δ_MLP there.
    pub mlp: Option<Mean>,
    /// r_MLP there.
    pub mlp_ratio: Option<Mean>,
    /// Mean drops per layer.
    pub maps: LayerMaps,
    /// R.
    pub redundancy: Option<Redundancy>,
    /// The curve behind R.
    pub redundancy_curve: Vec<Option<Mean>>,
    /// Stage 3: one edit a fact, at its dominant layer where it is edited at several.
    pub edits: Option<EditSummary>,
}

/// Computes every index of a record under a view.
pub fn summarize(record: &Record, view: &MetricConvention) -> Summary {
    let layers = record.model.layers;
    let facts: Vec<&Traced> = record.validated().map(|(_, traced)| traced).collect();
    let localize = |wanted: Option<RelationKind>| {
        let of_kind = record.validated().filter(|(fact, _)| wanted.is_none_or(|want| kind(&fact.relation) == want));
        let dominant = of_kind.filter_map(|(_, traced)| dominant(traced, view.position, view.argmax_always));
        Distribution::of(layers, dominant)
    };
    let distribution = localize(None);
    let l_star = distribution.l_star();
    let count = |want: RelationKind| record.validated().filter(|(fact, _)| kind(&fact.relation) == want).count();
    Summary {
        model: record.model.name.clone(),
        layers,
        parameters: record.model.parameters,
        view: *view,
        screened: record.facts.len(),
        validated: facts.len(),
        dropped: reasons(record),
        kinds: RelationKind::ALL.into_iter().map(|kind| (kind, count(kind))).collect(),
        density: density(record),
        p_clean: Mean::of(facts.iter().map(|traced| f64::from(traced.p_clean))),
        p_corrupt: Mean::of(facts.iter().map(|traced| f64::from(traced.p_corrupt))),
        sufficiency: mean_sufficiency(&facts, layers, view.position),
        by_kind: RelationKind::ALL.into_iter().map(|kind| (kind, localize(Some(kind)))).collect(),
        l_star,
        at_l_star: l_star.and_then(|layer| distribution.share_at(layer)),
        not_localized: distribution.share_not_localized(),
        no_peak: no_peak(record, view),
        at_last: distribution.share_at_last(),
        concentration: distribution.concentration(),
        distribution,
        necessity: mean_drop(&facts, l_star, view, Part::Block),
        attention: mean_drop(&facts, l_star, view, Part::Attention),
        mlp: mean_drop(&facts, l_star, view, Part::Mlp),
        mlp_ratio: mlp_ratio(&facts, l_star, view),
        maps: layer_maps(&facts, layers),
        redundancy: redundancy(&facts, view),
        redundancy_curve: redundancy_curve(&facts, layers, view.position),
        edits: edit_summary(record),
    }
}

/// Knowledge density (METHODS, section 3): validated facts per 10⁹ parameters. `None` when the parameters are unknown.
pub fn density(record: &Record) -> Option<f64> {
    let parameters = record.model.parameters;
    (parameters > 0).then(|| record.validated().count() as f64 / (parameters as f64 / 1e9))
}

/// How many facts are not validated, for each reason.
pub fn reasons(record: &Record) -> BTreeMap<Reason, usize> {
    let mut counts = BTreeMap::new();
    for fact in &record.facts {
        if let Some((reason, _)) = fact.outcome.why() {
            *counts.entry(reason).or_insert(0) += 1;
        }
    }
    counts
}

/// Ids of the facts that every record validated (METHODS, section 3). Equal ids of different fact files are told apart
/// by their prompt and true answer.
pub fn matched(records: &[Record]) -> BTreeSet<String> {
    fn key(fact: &FactRecord) -> (&str, &str, &str) {
        (&fact.id, &fact.prompt, &fact.target_true)
    }
    let mut sets = records.iter().map(|record| record.validated().map(|(fact, _)| key(fact)).collect::<BTreeSet<_>>());
    let first = sets.next().unwrap_or_default();
    let common = sets.fold(first, |common, set| common.intersection(&set).copied().collect());
    common.into_iter().map(|(id, _, _)| id.to_owned()).collect()
}

/// A record of these validated facts only, with their edits: what a matched subset is summarised from.
#[must_use]
pub fn restrict(record: &Record, ids: &BTreeSet<String>) -> Record {
    let keep = |fact: &&FactRecord| fact.traced().is_some() && ids.contains(&fact.id);
    let facts: Vec<FactRecord> = record.facts.iter().filter(keep).cloned().collect();
    let orders: BTreeSet<usize> = facts.iter().map(|fact| fact.order).collect();
    let edits =
        record.edits.as_ref().map(|edits| edits.iter().filter(|edit| orders.contains(&edit.fact)).cloned().collect());
    Record {
        engram: record.engram,
        program: record.program.clone(),
        settings: record.settings.clone(),
        model: record.model.clone(),
        device: record.device.clone(),
        source: record.source.clone(),
        facts,
        edits,
        // What a sequence did to a model cannot be taken apart by facts.
        sequences: Vec::new(),
        runs: Vec::new(),
    }
}
