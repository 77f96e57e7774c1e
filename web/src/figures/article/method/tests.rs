//! The method text follows the settings.

use super::*;
use crate::figures::sample;
use engram_core::metrics::MetricConvention;
use engram_core::record::{Lens, Maps, Spsa};

fn of(records: &[Record], view: &MetricConvention) -> Vec<Section> {
    sections(&Article::new(records, view))
}

fn said(sections: &[Section], title: &str) -> String {
    let found = sections.iter().filter(|section| section.title == title).flat_map(|section| &section.paragraphs);
    let texts = found.filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.as_str()),
        Piece::Formula { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn numbers_come_from_the_settings() {
    let mut records = [sample::record(), sample::record()];
    let found = of(&records, &MetricConvention::default());
    assert!(said(&found, "Facts and filters").contains("with seed 42 until 100 are validated"), "{found:?}");
    assert!(said(&found, "Facts and filters").contains("by at least 0.05."), "{found:?}");
    assert!(said(&found, "Corruption").contains("“Random Person”"), "{found:?}");
    let editing = said(&found, "Editing");
    assert!(editing.contains("ε = 0.005, η = 5 and 250 steps") && editing.contains("above 0.0005"), "{editing}");
    records[1].settings.n = 60;
    records[1].settings.min_effect = 0.1;
    records[1].settings.answer = Answer::Sequence;
    records[1].settings.corruption = Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.25 };
    records[1].settings.edit.methods = vec![Spsa { eta: 2.5, ..Spsa::default() }.into()];
    let found = of(&records, &MetricConvention::default());
    let facts = said(&found, "Facts and filters");
    assert!(facts.contains("until 100 or 60") && facts.contains("at least 0.05 or 0.1"), "{facts}");
    assert!(facts.contains("first token or the geometric mean"), "{facts}");
    assert!(said(&found, "Corruption").contains("noise of 3 σ"), "{found:?}");
    assert!(said(&found, "Editing").contains("η = 5 or 2.5"), "{found:?}");
}

#[test]
fn what_was_not_done_is_left_out() {
    let mut record = sample::record();
    let titles = |record: &Record| -> Vec<&'static str> {
        of(std::slice::from_ref(record), &MetricConvention::default()).iter().map(|section| section.title).collect()
    };
    let with = titles(&record);
    assert!(with.contains(&"Editing") && with.contains(&"Side effects"), "{with:?}");
    for missing in ["Token × layer maps", "Logit lens", "Redundancy", "Compression"] {
        assert!(!with.contains(&missing), "{missing}");
    }
    record.edits = None;
    sample::each(&mut record, |traced| {
        traced.maps = Some(Maps { window: 3, ..Maps::default() });
        traced.lens = Some(Lens::default());
        traced.redundancy.insert(PatchPosition::SubjectLast, engram_core::record::RedundancyCurve::default());
    });
    let with = titles(&record);
    assert!(!with.contains(&"Editing") && with.contains(&"Logit lens") && with.contains(&"Redundancy"), "{with:?}");
    let maps = of(std::slice::from_ref(&record), &MetricConvention::default());
    assert!(said(&maps, "Token × layer maps").contains("window of 3 layers"), "{maps:?}");
    let used = references(&Article::new(&[record], &MetricConvention::default()));
    assert!(used.contains(&LENS) && !used.contains(&SPALL), "{used:?}");
}

#[test]
fn positions_and_views_are_told() {
    let mut record = sample::record();
    record.settings.positions = vec![PatchPosition::LastToken];
    let late = of(std::slice::from_ref(&record), &MetricConvention::default().with_position(PatchPosition::LastToken));
    let told = said(&late, "Sufficiency and dominant layers");
    assert!(!told.contains("subject-last") && told.contains("s_L = p_clean − p_corrupt"), "{told}");
    let always = of(&[sample::record()], &MetricConvention { argmax_always: true, ..MetricConvention::default() });
    assert!(said(&always, "Sufficiency and dominant layers").contains("argmax-always"), "{always:?}");
    let per_fact = MetricConvention {
        necessity_at: NecessityAt::PerFact,
        mlp_ratio: MlpRatio::RatioOfMeans,
        ..MetricConvention::default()
    };
    let other = of(&[sample::record()], &per_fact);
    assert!(said(&other, "Necessity").contains("at each fact's own dominant layer"), "{other:?}");
    assert!(said(&other, "Attention against MLP").contains("the ratio of the mean drops"), "{other:?}");
}

#[test]
fn edits_at_several_layers_are_explained_with_their_source() {
    let view = MetricConvention::default();
    let found = of(&[sample::swept("a")], &view);
    assert!(said(&found, "Tracing and edits").contains("the share of 999 shuffles"), "{found:?}");
    assert!(said(&found, "Editing").contains("each at each of the blocks 1-3"), "{found:?}");
    assert!(of(&[sample::record()], &view).iter().all(|section| section.title != "Tracing and edits"));
    let sources = |records: &[Record]| {
        let all = references(&Article::new(records, &view));
        all.iter().any(|source| source.text.starts_with("Hase"))
    };
    assert_eq!([sources(&[sample::swept("a")]), sources(&[sample::record()])], [true, false]);
}
