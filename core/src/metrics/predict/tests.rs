use super::*;
use crate::record::{
    DeviceInfo, EditLayers, EditMethod, EditSettings, FactRecord, FactSource, ModelInfo, Outcome, Settings, VERSION,
};

const RESIDUAL: Effect = Effect { of: EffectOf::Residual, position: PatchPosition::SubjectLast };

/// Facts times layers; what tracing finds, and p of the new answer after the edit, which was 1/4 before.
fn record(facts: usize, layers: usize, cell: impl Fn(usize, usize) -> (f32, f32)) -> Record {
    let fact = |order: usize| FactRecord {
        order,
        id: order.to_string(),
        relation: String::new(),
        prompt: "p".into(),
        subject: "s".into(),
        target_true: "t".into(),
        target_new: "n".into(),
        answer_ids: Default::default(),
        outcome: Outcome::Validated(Box::new(Traced {
            patched: [(PatchPosition::SubjectLast, (0..layers).map(|at| cell(order, at).0).collect())].into(),
            ..Traced::default()
        })),
    };
    let edit = |at: usize| EditRecord {
        fact: at / layers,
        layer: at % layers + 1,
        p_true: 0.5,
        p_false: 0.25,
        p_false_after: cell(at / layers, at % layers).1,
        ..EditRecord::default()
    };
    let method = EditMethod::named("rome").expect("a method");
    Record {
        engram: VERSION,
        program: "test".into(),
        settings: Settings {
            edit: EditSettings { layers: EditLayers::All.named(layers), ..EditSettings::of(method) },
            ..Settings::default()
        },
        model: ModelInfo { layers, ..ModelInfo::default() },
        device: DeviceInfo::default(),
        source: FactSource::default(),
        facts: (0..facts).map(fact).collect(),
        edits: Some((0..facts * layers).map(edit).collect()),
        sequences: Vec::new(),
        runs: Vec::new(),
    }
}

fn effect(fact: usize, layer: usize) -> f32 {
    ((fact * 7 + layer * 5) % 11) as f32 / 16.0
}

/// The numbers are numpy's: least squares on a column for each layer, without and with the effect beside them.
#[test]
fn shares_of_the_variance_are_those_of_least_squares() {
    let cell = |fact: usize, layer: usize| {
        let x = effect(fact, layer);
        (x, (layer + 1) as f32 / 8.0 + x / 4.0 + ((fact * 3 + layer * 2) % 5) as f32 / 32.0)
    };
    let found = predictions(&record(6, 4, cell));
    let [prediction] = found.as_slice() else { panic!("{} answers", found.len()) };
    let main = prediction.main().expect("a relation");
    assert_eq!((main.effect, main.editability, main.n, prediction.facts), (RESIDUAL, Editability::Rewrite, 24, 6));
    let close =
        |found: Option<f64>, want: f64| assert!(found.is_some_and(|x| (x - want).abs() < 1e-6), "{found:?} {want}");
    close(main.r, 0.474_050_497);
    close(Some(main.layer), 0.780_465_457);
    close(main.within, 0.854_181_114);
    close(main.added, 0.160_177_973);
    assert!(main.p.is_some_and(|p| (0.001..=0.05).contains(&p)), "{:?}", main.p);
    let said = prediction.sentence().expect("a sentence");
    assert!(said.contains("tells where a fact is edited best") && said.contains("78.0 %"), "{said}");
    // numpy again, with both means taken off.
    close(main.place, 0.858_870_932);
    assert!(main.p_place.is_some_and(|p| p <= 0.05), "{:?}", main.p_place);
}

/// Some facts are easier at every layer, and tracing finds more of them at every layer: that tells nothing about where.
#[test]
fn facts_that_are_easier_everywhere_do_not_tell_where_to_edit() {
    let noise = |fact: usize, layer: usize| ((fact * 31 + layer * 17) * 2_654_435_761 % 1009) as f32 / 1009.0;
    let easy = |fact: usize| 0.3 + 0.5 * (fact % 7) as f32 / 7.0;
    let cell = |fact: usize, layer: usize| {
        (easy(fact) + noise(fact, layer) / 10.0, easy(fact) + noise(fact + 211, layer + 11) / 10.0)
    };
    let found = predictions(&record(24, 5, cell));
    let main = found[0].main().expect("a relation");
    assert!(main.within.is_some_and(|r| r > 0.8) && main.p.is_some_and(|p| p <= 0.01), "{main:?}");
    assert!(main.p_place.is_some_and(|p| p > 0.05), "{main:?}");
    assert!(found[0].sentence().is_some_and(|said| said.contains("no more than chance")));
}

#[test]
fn effects_of_other_facts_do_not_predict_and_what_does_not_vary_has_no_answer() {
    let noise = |fact: usize, layer: usize| ((fact * 31 + layer * 17) * 2_654_435_761 % 1009) as f32 / 1009.0;
    let found = predictions(&record(24, 3, |fact, layer| (noise(fact, layer), noise(fact + 211, layer + 11))));
    let main = found[0].main().expect("a relation");
    assert!(main.p.is_some_and(|p| p > 0.05) && main.words(24).contains("no more than chance"), "{main:?}");

    let flat = predictions(&record(4, 3, |fact, layer| (effect(fact, layer), 0.5)));
    let main = flat[0].main().expect("a relation");
    assert_eq!((main.r, main.within, main.added, main.p), (None, None, None, None));
    assert!(flat[0].sentence().is_some_and(|said| said.contains("cannot tell")));
    assert!(main.words(4).contains("does not vary"));
    let few = predictions(&record(4, 3, |fact, layer| (effect(fact, layer), effect(fact, layer))));
    assert!(few[0].sentence().is_some_and(|said| said.contains("too few facts")));
}

#[test]
fn layers_chosen_by_tracing_are_held_against_the_best_one_of_other_facts() {
    // Layer 2 is best for all but the last fact; tracing names layer 1 for every fact but the first.
    let cell = |fact: usize, layer: usize| {
        let dominant = if fact == 0 { 1 } else { 0 };
        let best = if fact == 3 { 0 } else { 1 };
        (if layer == dominant { 0.9 } else { 0.1 }, if layer == best { 1.0 } else { 0.25 })
    };
    let choice = predictions(&record(4, 3, cell))[0].choice.expect("a choice");
    assert_eq!((choice.best, choice.own_best), (2, 2));
    assert_eq!((choice.dominant.mean, choice.fixed.mean), (0.5, 0.75));
}

#[test]
fn facts_that_lack_a_layer_are_left_out_and_single_layers_are_no_question() {
    let mut stopped = record(3, 3, |fact, layer| (effect(fact, layer), effect(layer, fact)));
    stopped.edits.as_mut().expect("edits").pop();
    assert_eq!(predictions(&stopped)[0].facts, 2);
    stopped.settings.edit.layers = EditLayers::of([2]);
    assert_eq!(predictions(&stopped), []);
}
