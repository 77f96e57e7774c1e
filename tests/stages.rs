//! Stages 1 and 3 on the fixture models: eq. 3 and an edit against transformers, the exact identities, noise, answers of
//! several tokens.

use engram_core::device::Compute;
use engram_core::edit::RankOne;
use engram_core::facts::{Fact, parse};
use engram_core::load::Model;
use engram_core::model::Site;
use engram_core::record::{Answer, Corruption, PatchPosition, Reason, Settings};
use engram_core::run::{Prompt, Read, Sites};
use engram_core::tensor::Matrix;
use engram_core::trace::{TokenizedFact, clean_states_of, measure_sigma, redundancy, screen, stage1, tokenize};
use engram_tests::fixtures::{MODELS, Reference, devices, difference, model};
use engram_tests::naive;
use pollster::block_on;

const POSITIONS: [PatchPosition; 3] = [PatchPosition::SubjectLast, PatchPosition::LastToken, PatchPosition::SameIndex];

/// The traced fact of a fixture, with the settings of its reference.
fn traced_fact(reference: &Reference) -> Fact {
    let text = reference.json["prompts"][0]["text"].as_str().expect("text");
    let subject = reference.json["subject"].as_str().expect("subject");
    Fact {
        id: "0".into(),
        relation: "P36".into(),
        template: text.replacen(subject, "{}", 1),
        subject: subject.into(),
        target_true: reference.json["answer"]["text"].as_str().expect("answer").trim().into(),
        target_new: "London".into(),
        paraphrases: Vec::new(),
        neighbourhood: Vec::new(),
        ..Fact::default()
    }
}

fn prepared(model: &Model, reference: &Reference, settings: &Settings) -> TokenizedFact {
    tokenize(model, &traced_fact(reference), settings).expect("tokens").expect("traceable")
}

fn settings() -> Settings {
    Settings { positions: POSITIONS.to_vec(), min_effect: -1.0, ..Settings::default() }
}

#[test]
fn a_traced_fact_agrees_with_transformers_and_keeps_the_identities() {
    for compute in devices() {
        for name in MODELS {
            let (reference, model, settings) = (Reference::of(name), model(name, &compute), settings());
            let fact = prepared(&model, &reference, &settings);
            assert_eq!(fact.clean, reference.ids(0), "{name}");
            assert_eq!(fact.corrupt, reference.ids(1), "{name}");
            let traced = block_on(stage1(&model, &[&fact], &settings)).expect("stage 1").remove(0);
            let close = |what: &str, got: &[f32], want: &[f32]| {
                let apart = difference(got, want);
                assert!(apart <= 1e-5, "{name} on {}, {what}: {apart:e}\n{got:?}\n{want:?}", compute.info.name);
            };
            close("p_clean", &[traced.p_clean], reference.values("p_clean"));
            close("p_corrupt", &[traced.p_corrupt], reference.values("p_corrupt"));
            let keys = ["patch.resid", "patch.resid_last", "patch.resid_same_index"];
            for (position, key) in POSITIONS.into_iter().zip(keys) {
                close(key, &traced.patched[&position], reference.values(key));
            }
            close("block", &traced.without_block, reference.values("ablate.block"));
            close("attention", &traced.without_attention, reference.values("ablate.attn"));
            close("mlp", &traced.without_mlp, reference.values("ablate.mlp"));

            let last = model.layers() - 1;
            close("last-token at L", &[traced.patched[&PatchPosition::LastToken][last]], &[traced.p_clean]);
            close("subject-last at L", &[traced.patched[&PatchPosition::SubjectLast][last]], &[traced.p_corrupt]);
        }
    }
}

#[test]
fn redundancy_agrees_with_transformers() {
    for name in MODELS {
        let compute = Compute::cpu("tests");
        let (reference, model, settings) = (Reference::of(name), model(name, &compute), settings());
        let fact = prepared(&model, &reference, &settings);
        let layers = model.layers();
        let facts = [&fact];
        let clean = block_on(clean_states_of(&model, &facts, &settings.positions)).expect("clean states");
        let positions =
            [(PatchPosition::SubjectLast, "redundancy.resid"), (PatchPosition::LastToken, "redundancy.resid_last")];
        for (position, key) in positions {
            for ablated in 1..=layers {
                // Beside the other position's, which has another block removed.
                let other = (PatchPosition::LastToken, ablated % layers + 1);
                let wanted = [other, (position, ablated)];
                let curves = redundancy(&model, &facts, &settings, &wanted, &clean);
                let curves = block_on(curves).expect("redundancy").remove(0);
                let curve = &curves[1];
                assert_eq!((curve.ablated, curve.patched[ablated - 1]), (ablated, None), "{name}");
                let want = &reference.values(key)[(ablated - 1) * layers..ablated * layers];
                for (layer, (got, want)) in curve.patched.iter().zip(want).enumerate() {
                    let Some(got) = got else { continue };
                    let place = format!("{name}, {key}: without {ablated}, patched {}", layer + 1);
                    assert!((got - want).abs() <= 1e-5, "{place}: {got} and {want}");
                }
            }
        }
    }
}

#[test]
fn an_edit_agrees_with_transformers() {
    for compute in devices() {
        for name in MODELS {
            let reference = Reference::of(name);
            let mut model = model(name, &compute);
            let edit = &reference.json["edit"];
            let number = |key: &str| edit[key].as_u64().expect("a number") as usize;
            let (layer, position, prompt) = (number("layer"), number("position"), number("prompt"));
            // The script counts layers from 0.
            let layer = layer + 1;
            let prompts = [Prompt::plain(&reference.ids(prompt))];
            let keep = Sites::end().with(Site::MlpKey, layer..=layer).with(Site::MlpValue, layer..=layer);
            let none = Matrix::default();
            let cache = block_on(model.edited().capture(&prompts, &none, &keep)).expect("capture");
            let row = |site| block_on(cache.values(0, layer, site, position..position + 1)).expect("captured").values;
            let change = RankOne {
                layer,
                key: row(Site::MlpKey),
                direction: row(Site::MlpKey),
                value: row(Site::MlpValue),
                target: reference.values("edit.vstar").to_vec(),
            };
            for (what, got, key) in [("k", &change.key, "edit.k"), ("v", &change.value, "edit.v")] {
                let apart = difference(got, reference.values(key));
                assert!(apart <= 1e-4, "{name} on {}, {what}: {apart:e}", compute.info.name);
            }
            let overlay = change.overlay(&model.net).expect("an overlay");
            let tensor = &overlay.terms[0].tensor;
            assert!(tensor.ends_with(".weight"), "{name}: {tensor}");
            model.overlays.push(overlay);
            let read = Read { position: prompts[0].ids.len() - 1, tokens: vec![reference.answer()] };
            let cache = block_on(model.edited().capture(&prompts, &none, &Sites::end())).expect("forward");
            let after = block_on(model.edited().read(&cache, &[(0, read)]));
            let (got, want) = (after.expect("readout")[0].p[0], reference.values("edit.p_after")[0]);
            assert!((got - want).abs() <= 1e-5, "{name} on {}: {got} and {want}", compute.info.name);
        }
    }
}

#[test]
fn noise_is_paired_seeded_and_as_strong_as_asked() {
    let compute = Compute::cpu("tests");
    for name in MODELS {
        let (reference, model) = (Reference::of(name), model(name, &compute));
        let sigma = block_on(measure_sigma(&model, &[traced_fact(&reference)])).expect("sigma");
        assert!(sigma > 0.01, "{name}: {sigma}");
        let noisy = |sigmas, seed| {
            let corruption = Corruption::Noise { sigmas, draws: 4, sigma };
            let settings = Settings { corruption, seed, ..settings() };
            let fact = prepared(&model, &reference, &settings);
            block_on(stage1(&model, &[&fact], &settings)).expect("stage 1").remove(0)
        };
        let traced = noisy(3.0, 42);
        assert_eq!(traced, noisy(3.0, 42), "{name}: the same seed gives the same numbers");
        assert_ne!(traced.p_corrupt, noisy(3.0, 43).p_corrupt, "{name}: another seed gives other draws");
        let silent = noisy(0.0, 42);
        assert!((silent.p_corrupt - silent.p_clean).abs() <= 1e-6, "{name}: no noise changes nothing");
        let last = model.layers() - 1;
        assert!((traced.patched[&PatchPosition::LastToken][last] - traced.p_clean).abs() <= 1e-5, "{name}");
        assert!((traced.patched[&PatchPosition::SubjectLast][last] - traced.p_corrupt).abs() <= 1e-5, "{name}");
    }
}

#[test]
fn an_answer_of_several_tokens_is_their_geometric_mean() {
    let compute = Compute::cpu("tests");
    for name in MODELS {
        let (reference, model) = (Reference::of(name), model(name, &compute));
        let settings = Settings { answer: Answer::Sequence, positions: vec![PatchPosition::SubjectLast], ..settings() };
        let fact = Fact { target_true: "Random Person".into(), ..traced_fact(&reference) };
        let fact = tokenize(&model, &fact, &settings).expect("tokens").expect("traceable");
        assert!(fact.answer.len() > 1, "{name}");
        let traced = block_on(stage1(&model, &[&fact], &settings)).expect("stage 1").remove(0);
        let ids: Vec<u32> = fact.clean.iter().chain(&fact.answer).copied().collect();
        let run = naive::Plain::of(&model, &[]).forward(&ids, &[], &[], &[], &[]);
        let start = fact.clean.len() - 1;
        let logs = fact.answer.iter().enumerate().map(|(i, &token)| f64::from(run.p(start + i, token)).ln());
        let want = (logs.sum::<f64>() / fact.answer.len() as f64).exp() as f32;
        assert!((traced.p_clean - want).abs() <= 1e-5 * want.max(0.1), "{name}: {} and {want}", traced.p_clean);
    }
}

#[test]
fn facts_that_fall_out_say_why() {
    let compute = Compute::cpu("tests");
    let (reference, model) = (Reference::of("llama"), model("llama", &compute));
    let fact = traced_fact(&reference);
    let facts = [
        fact.clone(),
        Fact { target_true: "London".into(), target_new: "Paris".into(), ..fact.clone() },
        Fact { target_new: fact.target_true.clone(), ..fact.clone() },
        Fact { subject: " ".into(), ..fact.clone() },
        Fact { template: format!("{} The capital of {{}} is", "word ".repeat(200)), ..fact.clone() },
        Fact { subject: "Random Person".into(), ..fact.clone() },
    ];
    let settings = Settings::default();
    let screened =
        block_on(screen(&model, &facts.iter().collect::<Vec<_>>(), &settings, None)).expect("screened").facts;
    let reasons: Vec<String> = screened
        .iter()
        .map(|one| match one {
            engram_core::trace::Screened::Passed(_) => "passed".into(),
            engram_core::trace::Screened::Dropped(dropped) => dropped.reason.name().to_string(),
        })
        .collect();
    assert_eq!(reasons[..5], ["passed", "not-known", "shared-first-token", "empty", "too-long"]);
    assert_ne!(reasons[5], "passed", "corrupting the subject by itself changes nothing");
}

/// A record with a defect stays a fact, which is dropped: nothing of it is traced.
#[test]
fn facts_with_defects_are_dropped_with_a_reason() {
    let text = r#"[{"subject": "Rome", "prompt": "Rome is in", "attribute": "Italy", "target_new": "Peru"},
        {"subject": "Oslo", "prompt": "Rome is in", "attribute": "Italy", "target_new": "Peru"},
        {"subject": "Rome", "prompt": "{} is in {} and", "attribute": "Italy", "target_new": "Peru"},
        {"subject": "Rome", "prompt": "Rome is in", "target_new": "Peru"},
        {"subject": "Rome", "prompt": 7, "attribute": "Italy", "target_new": "Peru"},
        {"subject": "Rome", "prompt": "Rome is in", "attribute": "Italy", "target_new": [1]}]"#;
    let file = parse("facts.json", text.as_bytes()).expect("one of them is whole");
    assert_eq!((file.facts.len(), file.defects.len()), (6, 5));
    let loaded = model("llama-tied", &devices().remove(0));
    let reason = |fact| tokenize(&loaded, fact, &settings()).expect("tokens").err().map(|dropped| dropped.reason);
    let reasons: Vec<_> = file.facts[1..].iter().filter_map(reason).collect();
    let (lost, empty) = (Reason::SubjectNotFound, Reason::Empty);
    assert_eq!(reasons, [lost, lost, empty, empty, empty]);
}
