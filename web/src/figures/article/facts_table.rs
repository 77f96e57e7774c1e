//! The table of all facts of one study: its rows. [`filter`] finds and sorts them.

pub mod filter;

use crate::figures::facts;
use crate::words;
use engram_core::facts::{RelationKind, kind};
use engram_core::metrics::{Dominant, Finding, MetricConvention, dominant, finding, judge, shown_edits, sufficiency};
use engram_core::record::{FactRecord, Outcome, Record};
use std::collections::HashMap;

/// One fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `order` of the fact.
    pub order: usize,
    /// Prompt.
    pub prompt: String,
    /// True answer.
    pub answer: String,
    /// Relation id; empty when unknown.
    pub relation: String,
    /// Its kind.
    pub kind: RelationKind,
    /// What became of it.
    pub state: State,
    /// The same in words.
    pub outcome: String,
    /// `p_clean`, where it was computed.
    pub p_clean: Option<f64>,
    /// `p_corrupt`, where it was computed.
    pub p_corrupt: Option<f64>,
    /// `p_clean - p_corrupt`.
    pub effect: Option<f64>,
    /// The paper's argmax layer; none of a fact that is not localized. Only the outcome says whether it is a finding.
    pub layer: Option<usize>,
    /// Largest sufficiency over the layers.
    pub largest: Option<f64>,
    /// How its edit ended; `None` without one.
    pub edited: Option<String>,
    /// What a search looks in, in small letters.
    text: String,
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Traced, with a dominant layer that is a peak.
    Peak,
    /// Traced; no layer recovers much.
    NoPeak,
    /// Traced; every patch only hurts.
    NotLocalized,
    /// Validated, but not traced at the patch position.
    Untraced,
    /// Traced, although a filter drops it.
    NotValidated,
    /// Excluded.
    Dropped,
}

impl State {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::Peak, Self::NoPeak, Self::NotLocalized, Self::Untraced, Self::NotValidated, Self::Dropped];

    /// Its name on the page and in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::NoPeak => "no-peak",
            Self::NotLocalized => "not-localized",
            Self::Untraced => "not-traced",
            Self::NotValidated => "not-validated",
            Self::Dropped => "dropped",
        }
    }
}

/// The rows of a record under a view, in study order.
pub fn rows(record: &Record, view: &MetricConvention) -> Vec<Row> {
    let edits = shown_edits(record).into_iter();
    let edits: HashMap<usize, String> = edits.map(|edit| (edit.fact, judge(edit).verdict.name().to_owned())).collect();
    record.facts.iter().map(|fact| row(fact, view, edits.get(&fact.order))).collect()
}

fn row(fact: &FactRecord, view: &MetricConvention, edited: Option<&String>) -> Row {
    let (p_clean, p_corrupt) = match &fact.outcome {
        Outcome::Dropped(dropped) => (dropped.p_clean, dropped.p_corrupt),
        _ => (fact.traced().map(|traced| traced.p_clean), fact.traced().map(|traced| traced.p_corrupt)),
    };
    let [p_clean, p_corrupt] = [p_clean, p_corrupt].map(|p| p.map(f64::from));
    let argmax = fact.validated().and_then(|traced| dominant(traced, view.position, view.argmax_always));
    let outcome = facts::outcome(fact, view);
    let curve = fact.traced().and_then(|traced| sufficiency(traced, view.position));
    let [prompt, answer, relation] =
        [&fact.prompt, &fact.target_true, &fact.relation].map(|text| words::visible(text.trim()));
    let text = format!("{prompt} {answer} {relation} {outcome} {}", edited.map_or("", String::as_str)).to_lowercase();
    Row {
        order: fact.order,
        prompt,
        answer,
        relation,
        kind: kind(&fact.relation),
        state: state(fact, view),
        outcome,
        p_clean,
        p_corrupt,
        effect: p_clean.zip(p_corrupt).map(|(clean, corrupt)| clean - corrupt),
        layer: argmax.and_then(Dominant::layer),
        largest: curve.and_then(|curve| curve.into_iter().reduce(f64::max)),
        edited: edited.cloned(),
        text,
    }
}

fn state(fact: &FactRecord, view: &MetricConvention) -> State {
    match (&fact.outcome, finding(fact, view)) {
        (Outcome::Dropped(_), _) => State::Dropped,
        (Outcome::NotValidated(_), _) => State::NotValidated,
        (Outcome::Validated(_), None) => State::Untraced,
        (_, Some(Finding::NotLocalized)) => State::NotLocalized,
        (_, Some(Finding::Layer(_))) => State::Peak,
        (_, Some(Finding::NoPeak(_) | Finding::NotKnown(_) | Finding::NotSensitive(_))) => State::NoPeak,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::record::Reason;

    #[test]
    fn rows_hold_the_numbers() {
        let rows = rows(&sample::record(), &MetricConvention::default());
        assert_eq!(
            (rows[0].layer, rows[0].state, rows[0].edited.as_deref()),
            (Some(2), State::Peak, Some("rewritten, not all checked"))
        );
        assert!(rows[0].effect.is_some_and(|effect| (effect - 0.8).abs() < 1e-6));
        assert!(rows[0].largest.is_some_and(|largest| (largest - 0.5).abs() < 1e-6));
        assert_eq!((rows[1].state, rows[1].p_clean, rows[1].kind), (State::Dropped, None, RelationKind::Relation));
        assert_eq!((rows[2].state, rows[2].layer), (State::NotLocalized, None));
    }

    #[test]
    fn a_flat_curve_keeps_its_argmax_under_the_papers_name_only() {
        let mut record = sample::record();
        let traced = record.facts[0].traced_mut().expect("the sample's first fact is traced");
        let (low, effect) = (traced.p_corrupt, traced.p_clean - traced.p_corrupt);
        let flat = |at| if at == 2 { low + 0.05 * effect } else { low };
        traced.patched.values_mut().for_each(|curve| *curve = (0..curve.len()).map(flat).collect());
        let unknown = sample::not_validated(&record.facts[0], Reason::NotKnown);
        record.facts.push(FactRecord { order: 3, ..unknown });
        let seen =
            |view: &MetricConvention| rows(&record, view).into_iter().map(|row| (row.state, row.outcome, row.layer));
        let found: Vec<_> = seen(&MetricConvention::default()).collect();
        assert_eq!(found[0], (State::NoPeak, "no peak".into(), Some(3)));
        assert_eq!(found[3], (State::NotValidated, "not known".into(), None));
        let paper = MetricConvention { argmax_always: true, ..MetricConvention::default() };
        assert_eq!(seen(&paper).next(), Some((State::Peak, "layer 3".into(), Some(3))), "the paper's convention");
        assert_eq!(filter::SortBy::Layer.title(), "argmax layer (paper)");
    }
}
