//! Which facts' token × layer maps the article shows, and why these.

use super::{Article, Study};
use engram_core::metrics::{Finding, finding};
use engram_core::record::{FactRecord, Traced};

/// A fact whose maps are shown.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// Index of its study.
    pub study: usize,
    /// The fact.
    pub fact: &'a FactRecord,
    /// Its raw values.
    pub traced: &'a Traced,
    /// Why it is shown.
    pub why: Why,
}

/// Why a fact's maps are shown, the best reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its dominant layer is `l*`.
    AtLStar,
    /// Its dominant layer, the first number, lies near `l*`, the second.
    Near(usize, usize),
    /// It lies far from `l*` and has the largest effect of those that are left; its dominant layer.
    Effect(usize),
    /// No layer recovers much, so none is named.
    NoPeak,
    /// It is not localized.
    NotLocalized,
    /// It has maps and was not traced at this patch position.
    Untraced,
}

impl Why {
    /// In words, after the fact's prompt.
    pub fn words(self) -> String {
        match self {
            Self::AtLStar => "Dominant layer: l*.".into(),
            Self::Near(layer, l_star) => format!("Dominant layer: {layer}, near l* = {l_star}."),
            Self::Effect(layer) => format!("Dominant layer: {layer}, far from l*; large effect."),
            Self::NoPeak => "No peak: no layer is named.".into(),
            Self::NotLocalized => "Not localized: no layer's patch helps.".into(),
            Self::Untraced => "Not traced at this patch position.".into(),
        }
    }

    fn rank(self) -> usize {
        match self {
            Self::AtLStar => 0,
            Self::Near(..) => 1,
            Self::Effect(_) => 2,
            Self::NoPeak => 3,
            Self::NotLocalized => 4,
            Self::Untraced => 5,
        }
    }
}

/// Maps of a study that are shown at most, unless asked otherwise.
pub const MOST: usize = 3;

/// A dominant layer this far from `l*` is near it, as a share of the layers; at least one layer.
const NEAR: f64 = 0.1;

/// The facts whose maps are shown, study by study, at most `most` of each. Facts that every study with maps has maps of
/// come first, so that models are seen on the same ones where possible; among these the first at `l*`, then near it,
/// then those of the largest effect. One place goes to a fact that is not localized, where there is one.
pub fn chosen<'a>(article: &Article<'a>, most: usize) -> Vec<Chosen<'a>> {
    let shared = shared(article);
    let studies = article.studies.iter().enumerate();
    studies.flat_map(|(at, study)| of_study(at, study, &shared, most)).collect()
}

/// A fact over several studies, as `metrics::matched` tells facts apart.
type Key<'a> = (&'a str, &'a str, &'a str);

fn key(fact: &FactRecord) -> Key<'_> {
    (&fact.id, &fact.prompt, &fact.target_true)
}

fn mapped<'a>(study: &Study<'a>) -> impl Iterator<Item = (&'a FactRecord, &'a Traced)> + use<'a> {
    study.record.validated().filter(|(_, traced)| traced.maps.is_some())
}

/// Facts that every study with maps has maps of.
fn shared<'a>(article: &Article<'a>) -> Vec<Key<'a>> {
    let mut sets = article.studies.iter().map(|study| mapped(study).map(|(fact, _)| key(fact)).collect::<Vec<_>>());
    let sets: Vec<Vec<Key<'a>>> = sets.by_ref().filter(|set| !set.is_empty()).collect();
    let Some((first, rest)) = sets.split_first() else { return Vec::new() };
    first.iter().filter(|key| rest.iter().all(|set| set.contains(key))).copied().collect()
}

fn of_study<'a>(at: usize, study: &Study<'a>, shared: &[Key<'a>], most: usize) -> Vec<Chosen<'a>> {
    let near = (study.summary.layers as f64 * NEAR).ceil().max(1.0) as usize;
    let why = |fact: &FactRecord| match (finding(fact, &study.summary.view), study.summary.l_star) {
        (None, _) => Why::Untraced,
        (Some(Finding::NotLocalized), _) => Why::NotLocalized,
        (Some(Finding::NoPeak(_) | Finding::NotKnown(_) | Finding::NotSensitive(_)), _) => Why::NoPeak,
        (Some(Finding::Layer(layer)), Some(l_star)) if layer == l_star => Why::AtLStar,
        (Some(Finding::Layer(layer)), Some(l_star)) if layer.abs_diff(l_star) <= near => Why::Near(layer, l_star),
        (Some(Finding::Layer(layer)), _) => Why::Effect(layer),
    };
    let mut all: Vec<Chosen<'a>> =
        mapped(study).map(|(fact, traced)| Chosen { study: at, fact, traced, why: why(fact) }).collect();
    let effect = |one: &Chosen<'_>| f64::from(one.traced.p_clean) - f64::from(one.traced.p_corrupt);
    let alone = |one: &Chosen<'_>| !shared.contains(&key(one.fact));
    all.sort_by(|a, b| {
        let order = alone(a).cmp(&alone(b)).then(a.why.rank().cmp(&b.why.rank()));
        let by_effect = matches!((a.why, b.why), (Why::Effect(_), Why::Effect(_)));
        order.then_with(|| if by_effect { effect(b).total_cmp(&effect(a)) } else { a.fact.order.cmp(&b.fact.order) })
    });
    // One that is not localized has a place of its own, the last.
    let lost = all.iter().position(|one| one.why == Why::NotLocalized).map(|at| all[at]);
    let mut found = all;
    if let Some(lost) = lost.filter(|_| most > 1) {
        found.retain(|one| one.why != Why::NotLocalized);
        found.truncate(most - 1);
        found.push(lost);
    }
    found.truncate(most);
    found
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{Maps, PatchPosition, Record};

    const EARLY: &[f32] = &[0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
    const SECOND: &[f32] = &[0.2, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
    const LATE: &[f32] = &[0.1, 0.1, 0.1, 0.1, 0.1, 0.5, 0.1, 0.1];
    const LOST: &[f32] = &[0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1];

    fn record(curves: &[&[f32]], with_maps: &[usize]) -> Record {
        let mut record = sample::study("a", PatchPosition::SubjectLast, curves);
        for (at, fact) in record.facts.iter_mut().enumerate() {
            if let Some(traced) = fact.traced_mut().filter(|_| with_maps.contains(&at)) {
                traced.maps = Some(Maps::default());
                // Later facts have the larger effect.
                traced.p_clean = 0.5 + 0.01 * at as f32;
            }
        }
        record
    }

    fn said(records: &[Record]) -> Vec<(usize, usize, Why)> {
        let article = Article::new(records, &MetricConvention::default());
        chosen(&article, MOST).iter().map(|one| (one.study, one.fact.order, one.why)).collect()
    }

    #[test]
    fn those_at_l_star_come_first_and_one_is_not_localized() {
        let one = record(&[LATE, SECOND, LOST, EARLY, EARLY, LOST, LATE], &[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(
            said(std::slice::from_ref(&one)),
            [(0, 3, Why::AtLStar), (0, 4, Why::AtLStar), (0, 2, Why::NotLocalized)]
        );
        let one = record(&[LATE, SECOND, EARLY, EARLY, LATE], &[0, 1, 4]);
        assert_eq!(said(&[one]), [(0, 1, Why::Near(2, 1)), (0, 4, Why::Effect(6)), (0, 0, Why::Effect(6))]);
        assert!(said(&[sample::record()]).is_empty());
    }

    #[test]
    fn models_are_seen_on_the_same_facts() {
        let one = record(&[EARLY, EARLY, EARLY, EARLY, LATE], &[0, 1, 2, 4]);
        let two = record(&[EARLY, EARLY, EARLY, EARLY, LATE], &[3, 4]);
        assert_eq!(said(&[one, two, sample::record()])[..2], [(0, 4, Why::Effect(6)), (0, 0, Why::AtLStar)]);
        assert_eq!(Why::Near(2, 1).words(), "Dominant layer: 2, near l* = 1.");
    }
}
