//! Panels on records of known numbers.

use super::*;
use crate::figures::sample;
use engram_core::metrics::MetricConvention;
use engram_core::record::Record;

const EARLY: &[&[f32]] = &[&[0.5, 0.2, 0.1, 0.1], &[0.5, 0.2, 0.1, 0.1]];

fn subject(name: &str) -> Record {
    sample::study(name, PatchPosition::SubjectLast, EARLY)
}

fn said(of: fn(&Article<'_>) -> String, records: &[Record]) -> String {
    of(&Article::new(records, &MetricConvention::default()))
}

#[test]
fn concentration_counts_layers() {
    let one = said(concentration, &[subject("a")]);
    assert_eq!(
        one,
        "1 of 4 layers holds more than 80 % of the 2 localized facts (C = 0.250). With fewer facts than layers C says \
         little."
    );
    let wide: &[&[f32]] = &[&[0.5, 0.2, 0.1, 0.1], &[0.2, 0.5, 0.1, 0.1], &[0.2, 0.1, 0.5, 0.1]];
    let two = said(concentration, &[subject("a"), sample::study("b", PatchPosition::SubjectLast, wide)]);
    assert!(two.contains("a third of the layers or fewer in a; more than half of the layers in b"), "{two}");
    assert!(said(concentration, &[]).contains("not defined"));
}

#[test]
fn the_mlp_is_held_against_one_half() {
    let mut record = subject("a");
    let mut with = |attention: f32, mlp: f32| {
        sample::each(&mut record, |traced| {
            traced.without_attention[0] = attention;
            traced.without_mlp[0] = mlp;
        });
        said(mlp_ratio, std::slice::from_ref(&record))
    };
    assert!(with(0.8, 0.6).starts_with("The MLP's part is the larger one (r_MLP above 0.5)."));
    let below = with(0.7, 0.85);
    assert!(below.starts_with("Attention's part is the larger one (r_MLP below 0.5)."), "{below}");
    assert!(!below.contains("one sublayer"), "{below}");
    assert!(with(0.2, 0.3).contains("In a ablating one sublayer costs more"));
    let mut at = 0.0;
    sample::each(&mut record, |traced| {
        traced.without_attention[0] = 0.7 + at;
        traced.without_mlp[0] = 0.8 - at;
        at += 0.1;
    });
    let even = said(mlp_ratio, &[record]);
    assert!(even.starts_with("Neither part is larger beyond the standard error."), "{even}");
}

#[test]
fn necessity_may_be_negative() {
    let mut record = subject("a");
    assert!(said(necessity, std::slice::from_ref(&record)).starts_with("Ablating block l* costs probability."));
    sample::each(&mut record, |traced| traced.without_block[0] = 0.95);
    let raised = said(necessity, std::slice::from_ref(&record));
    assert!(raised.contains("raises the answer's probability") && raised.contains("−0.050"), "{raised}");
    let mut sign = 0.1;
    sample::each(&mut record, |traced| {
        traced.without_block[0] = 0.9 + sign;
        sign = -sign;
    });
    assert!(said(necessity, &[record]).contains("makes no difference beyond the standard error."));
}

#[test]
fn the_last_layer_is_explained() {
    assert!(said(last_layer, &[subject("a")]).ends_with("by definition, so this is no finding."));
    let last = MetricConvention::default().with_position(PatchPosition::LastToken);
    let late = sample::study("a", PatchPosition::LastToken, &[&[0.1, 0.9], &[0.95, 0.9]]);
    let told = last_layer(&Article::new(&[late], &last));
    assert!(told.starts_with("1 of 2 (50.0 %) localized facts") && told.contains("by definition"), "{told}");
    let hurt = sample::study("a", PatchPosition::SubjectLast, &[&[0.05, 0.1]]);
    let told =
        last_layer(&Article::new(&[hurt], &MetricConvention { argmax_always: true, ..MetricConvention::default() }));
    assert!(told.contains("the paper's convention counts facts there that are not localized"), "{told}");
}
