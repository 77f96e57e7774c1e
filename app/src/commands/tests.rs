//! What the commands draw, from made-up numbers.

use super::{edit, trace};
use crate::engine::{Edited, Tracing};
use crate::render::style::{Ink, Screen, Tone};
use engram_core::metrics::judge;
use engram_core::record::{
    DeviceInfo, Dropped, EditRecord, EditSettings, FactRecord, FactSource, Lens, Maps, ModelInfo, Outcome,
    PatchPosition, Precision, Reason, Record, Settings, Traced, Unrelated, VERSION,
};

const SCREEN: Screen = Screen { width: 80, ink: Ink::None };

fn model() -> ModelInfo {
    ModelInfo { name: "owner/model".into(), family: "llama".into(), layers: 6, ..ModelInfo::default() }
}

fn device() -> DeviceInfo {
    DeviceInfo { kind: "cpu".into(), name: "2 threads".into(), backend: "flex".into(), precision: Precision::F32 }
}

fn tracing(patched: [f32; 6], maps: bool) -> Tracing {
    let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
    let map = |scale: f32| {
        let row = |position: usize| (0..6).map(|l| scale * (position + 1) as f32 * (l as f32 + 1.0) / 36.0).collect();
        (0..6).map(row).collect::<Vec<Vec<f32>>>()
    };
    let traced = Traced {
        tokens: words("The| capital| of| France| is"),
        subject_span: [3, 4],
        corrupt_tokens: words("The| capital| of| Random| Person| is"),
        corrupt_span: [3, 5],
        p_clean: 0.5,
        p_corrupt: 0.01,
        p_false: 0.002,
        patched: [
            (PatchPosition::SubjectLast, patched.to_vec()),
            (PatchPosition::LastToken, vec![0.01, 0.01, 0.02, 0.1, 0.4, 0.5]),
        ]
        .into(),
        without_block: vec![0.1, 0.45, 0.4, 0.3, 0.55, 0.2],
        without_attention: vec![0.5, 0.49, 0.4, 0.35, 0.5, 0.45],
        without_mlp: vec![0.05, 0.48, 0.5, 0.45, 0.52, 0.3],
        maps: maps.then(|| Maps { window: 10, residual: map(0.5), mlp: map(0.2), attention: map(0.1) }),
        ..Traced::default()
    };
    let fact = FactRecord {
        order: 0,
        id: "0".into(),
        relation: String::new(),
        prompt: "The capital of France is".into(),
        subject: "France".into(),
        target_true: " Paris".into(),
        target_new: " Rome".into(),
        answer_ids: Default::default(),
        outcome: Outcome::Validated(Box::new(traced)),
    };
    Tracing {
        record: Record {
            engram: VERSION,
            program: "0.0.0".into(),
            settings: Settings::default(),
            model: model(),
            device: device(),
            source: FactSource::default(),
            facts: vec![fact],
            edits: None,
            sequences: Vec::new(),
            runs: Vec::new(),
        },
        greedy: " Paris".into(),
        script: None,
    }
}

/// An answer that the model does not know, and one that does not depend on the subject: no layer, no peak of a map.
#[test]
fn without_an_effect_no_layer_is_named() {
    let draw = |change: &dyn Fn(&mut Traced), reason: Option<Reason>| {
        let mut tracing = tracing([0.3, 0.4, 0.2, 0.05, 0.005, 0.01], true);
        let mut traced = tracing.record.facts[0].traced().cloned().expect("it is traced");
        change(&mut traced);
        let dropped = reason.map(|reason| Dropped { reason, detail: String::new(), p_clean: None, p_corrupt: None });
        tracing.record.facts[0].outcome = Outcome::of(traced, dropped.as_ref());
        trace::draw(&tracing, SCREEN)
    };
    let usual = draw(&|_| {}, None);
    assert!(usual.contains('◀') && usual.contains("Highest"), "{usual}");
    let ranked = |traced: &mut Traced| traced.lens = Some(Lens { rank_true: vec![900, 737], ..Lens::default() });
    let unknown = draw(&ranked, Some(Reason::NotKnown));
    assert!(unknown.contains("Not known:") && unknown.contains("ranks 737"), "{unknown}");
    let insensitive = draw(&|traced| traced.p_corrupt = 0.4998, Some(Reason::NotSensitive));
    assert!(insensitive.contains("Not sensitive:") && insensitive.contains("0.0002"), "{insensitive}");
    for drawn in [unknown, insensitive] {
        assert!(
            !drawn.contains('◀')
                && !drawn.contains("Highest")
                && drawn.replace('\n', " ").contains("No layer is named"),
            "{drawn}"
        );
    }
    let flat = |traced: &mut Traced| {
        traced.patched.insert(PatchPosition::SubjectLast, vec![0.02, 0.03, 0.02, 0.01, 0.01, 0.01]);
    };
    let flat = draw(&flat, None);
    assert!(flat.contains("No peak") && flat.contains("recovers 4.1 %"), "{flat}");
}

#[test]
fn a_traced_fact() {
    let tracing = tracing([0.3, 0.4, 0.2, 0.05, 0.005, 0.01], true);
    insta::assert_snapshot!(trace::draw(&tracing, SCREEN));
}

#[test]
fn a_fact_that_is_not_localized() {
    let mut tracing = tracing([0.009, 0.008, 0.001, 0.002, 0.005, 0.01], false);
    tracing.greedy = " the".into();
    insta::assert_snapshot!(trace::draw(&tracing, SCREEN));
}

#[test]
fn every_line_fits_the_screen() {
    for width in [60, 80, 120, 200] {
        let drawn = trace::draw(&tracing([0.3, 0.4, 0.2, 0.05, 0.005, 0.01], true), Screen { width, ink: Ink::None });
        let long = drawn.lines().find(|line| crate::render::text::width(line) > width);
        assert_eq!(long, None, "{width}");
    }
}

#[test]
fn json_of_a_trace_is_a_record() {
    let tracing = tracing([0.3, 0.4, 0.2, 0.05, 0.005, 0.01], true);
    let text = serde_json::to_vec(&tracing).expect("it has only finite numbers");
    let read = engram_core::journal::from_bytes("trace", &text).expect("it is a record");
    assert_eq!(read, tracing.record);
}

fn edited(p_true_after: f32, p_false_after: f32) -> Edited {
    let unrelated = |fact| Unrelated { fact, p_true: [0.8, 0.79], flipped: false };
    let edit = EditRecord {
        layer: 2,
        seed: 42,
        p_true: 0.5,
        p_false: 0.002,
        p_true_after,
        p_false_after,
        loss: vec![5.5, 3.0, -1.25],
        relative_change: 0.4,
        residual: 1.5e-7,
        restored: true,
        unrelated: (0..10).map(unrelated).collect(),
        ..EditRecord::default()
    };
    Edited {
        model: model(),
        device: device(),
        prompt: "The capital of France is".into(),
        settings: Some(EditSettings::default()),
        loaded: None,
        judgement: judge(&edit),
        edit,
        before: " Paris".into(),
        after: " Rome".into(),
        seconds: 3.21,
        retraced: None,
        script: None,
    }
}

#[test]
fn an_edit() {
    let drawn = edit::draw(&edited(0.1, 0.6), "Paris", "Rome", SCREEN, true);
    insta::assert_snapshot!(drawn);
}

#[test]
fn an_edit_that_failed() {
    let drawn = edit::draw(&edited(0.49, 0.003), "Paris", "Rome", SCREEN, false);
    assert!(drawn.contains("not rewritten: the new answer did not rise"), "{drawn}");
}

#[test]
fn an_edit_that_only_silences_is_no_success() {
    let colour = Screen { ink: Ink::Ansi256, ..SCREEN };
    let drawn = edit::draw(&edited(0.00001, 0.001), "Paris", "Rome", colour, false);
    let bad = colour.paint(Tone::Bad, "silenced");
    assert!(drawn.contains(&format!("{bad}: the old answer is gone")) && drawn.contains("<0.0001"), "{drawn}");
    assert!(drawn.contains("the paper's success: level 1"), "{drawn}");
}
