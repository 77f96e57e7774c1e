//! Filters and orders on the sample.

use super::*;
use crate::figures::article::facts_table::rows;
use crate::figures::sample;
use engram_core::metrics::MetricConvention;
use engram_core::record::FactRecord;

fn shown(filter: &Filter) -> Vec<usize> {
    let rows = rows(&sample::record(), &MetricConvention::default());
    apply(&rows, filter).into_iter().map(|at| rows[at].order).collect()
}

fn asked(pairs: &[(&str, &str)]) -> Filter {
    let mut filter = Filter::default();
    pairs.iter().for_each(|(name, value)| filter.read(name, value));
    filter
}

#[test]
fn filters_narrow() {
    assert_eq!(shown(&Filter::default()), [0, 1, 2]);
    assert_eq!(shown(&asked(&[("find", "CAPITAL lima")])), [2]);
    assert_eq!(shown(&asked(&[("state", "dropped")])), [1]);
    assert_eq!(shown(&asked(&[("state", "not-localized")])), [2]);
    assert_eq!(shown(&asked(&[("from", "2"), ("to", "2")])), [0]);
    assert!(shown(&asked(&[("from", "3")])).is_empty());
    assert_eq!(shown(&asked(&[("edited", "1")])), [0]);
    assert!(shown(&asked(&[("kind", "entity")])).is_empty());
}

#[test]
fn missing_numbers_are_last_both_ways() {
    let mut record = sample::record();
    if let Some(traced) = record.facts[2].traced_mut() {
        traced.p_clean = 0.5;
    }
    let rows = rows(&record, &MetricConvention::default());
    let by = |value: &str| apply(&rows, &asked(&[("sort", value)]));
    assert_eq!([by("clean"), by("-clean")], [[2, 0, 1], [0, 2, 1]]);
    assert_eq!([by("layer"), by("-layer")], [[0, 1, 2], [0, 1, 2]]);
    assert_eq!([by("answer"), by("-order")], [[2, 1, 0], [2, 1, 0]]);
    assert_eq!(by("outcome"), [0, 2, 1]);
    assert_eq!(by("-edited"), [0, 1, 2]);
}

#[test]
fn a_filter_survives_its_address() {
    let filter = Filter {
        text: "a b".into(),
        state: Some(State::NotLocalized),
        kind: Some(RelationKind::Other),
        from: Some(2),
        to: Some(9),
        edited: true,
        sort: SortBy::Effect,
        descending: true,
    };
    let mut read = Filter::default();
    filter.written().iter().for_each(|(name, value)| read.read(name, value));
    assert_eq!(read, filter);
    for (name, value) in [("sort", "moon"), ("state", "<b>"), ("from", "0"), ("to", "-1"), ("colour", "red")] {
        read.read(name, value);
    }
    read.read("find", &"x".repeat(LONGEST + 1));
    assert_eq!(read, filter);
    assert!(Filter::default().written().is_empty());
    let turned = Filter::default().sorted(SortBy::Layer);
    assert!(!turned.descending && turned.clone().sorted(SortBy::Layer).descending);
    assert_eq!(turned.sentence(1, 3), "1 of 3 facts, by argmax layer (paper), smallest first.");
    assert_eq!(Filter::default().sentence(3, 3), "3 facts, in study order.");
}

#[test]
fn many_facts_keep_their_order() {
    let mut record = sample::record();
    let one = record.facts[0].clone();
    record.facts = (0..20_000).map(|order| FactRecord { order, ..one.clone() }).collect();
    let rows = rows(&record, &MetricConvention::default());
    let found = apply(&rows, &asked(&[("sort", "-prompt"), ("find", "france")]));
    assert!(found.len() == 20_000 && found.is_sorted(), "equal rows stay in study order");
    assert_eq!(apply(&rows, &asked(&[("sort", "-order")]))[0], 19_999);
}
