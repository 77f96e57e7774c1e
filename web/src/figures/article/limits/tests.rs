//! Limits of records that have them, and of those that do not.

use super::*;
use crate::figures::sample;
use engram_core::metrics::MetricConvention;
use engram_core::record::RedundancyCurve;

fn of(records: &[Record]) -> Vec<Limit> {
    limits(&Article::new(records, &MetricConvention::default()))
}

fn text(records: &[Record], topic: &str) -> Option<String> {
    of(records).into_iter().find(|limit| limit.topic == topic).map(|limit| limit.text)
}

fn has(records: &[Record], topic: &str, part: &str) {
    let found = text(records, topic);
    assert!(found.as_ref().is_some_and(|text| text.contains(part)), "{topic}: {found:?}");
}

#[test]
fn only_what_applies() {
    let mut one = sample::record();
    let alone = std::slice::from_ref(&one);
    has(alone, "facts", "Over 2 facts a share has a standard error of up to 35.4 percentage points");
    has(alone, "not localized", "50.0 % of all.");
    has(alone, "redundancy", "R was not measured under subject-last");
    has(alone, "edits", "With 1 edit a rate of success has a standard error of up to 50.0 percentage points");
    for topic in ["models", "size", "weights", "comparison", "matched facts", "device", "patch positions"] {
        assert_eq!(text(alone, topic), None, "{topic}");
    }
    one.model.name = "engram-phi".into();
    one.model.parameters = 2_000_000;
    one.model.dtype = "q4_1".into();
    one.device.kind = "cpu".into();
    one.source.count = 100;
    one.settings.positions.pop();
    one.settings.corruption = Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.1 };
    one.settings.answer = Answer::Sequence;
    one.edits = None;
    let alone = std::slice::from_ref(&one);
    has(alone, "models", "engram-phi comes with the program and was trained for it");
    has(alone, "size", "With 2.0 M parameters");
    has(alone, "weights", "quantised");
    has(alone, "device", "on a CPU");
    has(alone, "patch positions", "last-token in engram-phi was not measured");
    has(alone, "corruption", "Noise of 3 σ");
    has(alone, "seed", "One seed, 42, decided which facts are looked at and the noise");
    has(alone, "edits", "No fact was edited");
    assert_eq!(text(alone, "answers"), None);
    assert!(of(&[]).is_empty());
}

#[test]
fn comparisons_have_limits_of_their_own() {
    let one = sample::record();
    let mut two = one.clone();
    two.model.name = "b".into();
    let pair = [one.clone(), two.clone()];
    assert_eq!(text(&pair, "comparison"), None);
    has(&pair, "matched facts", "Only 2 facts were validated by both models");
    two.settings.seed = 7;
    two.source.name = "other.json".into();
    two.device.kind = "gpu".into();
    two.facts.iter_mut().for_each(|fact| fact.prompt.push('x'));
    let mut first = one;
    first.device.kind = "cpu".into();
    let pair = [first, two];
    has(&pair, "comparison", "differ in device, facts and sample;");
    has(&pair, "matched facts", "No fact was validated by both models");
    has(&pair, "device", "different kinds of device (CPU and GPU)");
    assert!(text(&pair, "seed").is_none(), "two seeds are no single seed");
}

#[test]
fn a_clipped_r_is_a_limit() {
    let mut one = sample::study("a", PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1]]);
    sample::each(&mut one, |traced| {
        let patched = vec![None, Some(0.3), Some(0.1)];
        traced.redundancy.insert(PatchPosition::SubjectLast, RedundancyCurve { ablated: 1, patched });
    });
    assert_eq!(text(std::slice::from_ref(&one), "redundancy"), None);
    sample::each(&mut one, |traced| traced.without_block[0] = 0.89);
    has(&[one], "redundancy", "R was clipped in a and is not a measure there.");
}
