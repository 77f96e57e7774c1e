//! Inside a block, beside hooks in transformers: queries, keys, values, head outputs and attention patterns, and what single heads
//! and neurons do when they are put back.

use engram_core::facts::Fact;
use engram_core::model::Site;
use engram_core::record::{PatchPosition, Settings, Unit};
use engram_core::run::{Prompt, Sites};
use engram_core::tensor::Matrix;
use engram_core::trace::{TokenizedFact, Units, capture_with, tokenize, units};
use engram_tests::fixtures::{MODELS, Reference, devices, difference, model};
use pollster::block_on;

#[test]
fn activations_within_a_block_agree_with_transformers() {
    for compute in devices() {
        for name in MODELS {
            let (model, found) = (model(name, &compute), Reference::beside(name, "sites.safetensors"));
            let ids = Reference::of(name).ids(0);
            let layers = model.layers();
            let names = [(Site::Query, "q"), (Site::Key, "k"), (Site::Value, "value"), (Site::Heads, "heads")];
            let keep = names.iter().fold(Sites::to_resume(), |keep, (site, _)| keep.with(*site, 1..=layers));
            let cache = block_on(model.edited().capture(&[Prompt::plain(&ids)], &Matrix::default(), &keep));
            let cache = cache.expect("a capture");
            for (site, key) in names {
                let one = |layer| block_on(cache.values(0, layer, site, 0..ids.len())).expect("captured").values;
                let got: Vec<f32> = (1..=layers).flat_map(one).collect();
                let apart = difference(&got, found.values(key));
                assert!(apart <= 1e-4, "{name} on {}, {key}: {apart:e}", compute.info.name);
            }
            let pattern = |layer| block_on(model.edited().pattern(&cache, 0, layer)).expect("a pattern");
            let got: Vec<f32> = (1..=layers).flat_map(pattern).flat_map(|head| head.values).collect();
            let apart = difference(&got, found.values("pattern"));
            assert!(apart <= 1e-5, "{name} on {}, pattern: {apart:e}", compute.info.name);
        }
    }
}

fn prepared(model: &engram_core::load::Model, reference: &Reference, settings: &Settings) -> TokenizedFact {
    let text = |key: &str| reference.json[key].as_str().expect(key).to_owned();
    let (prompt, subject) = (reference.json["prompts"][0]["text"].as_str().expect("text"), text("subject"));
    let fact = Fact {
        id: "0".into(),
        template: prompt.replacen(&subject, "{}", 1),
        subject,
        target_true: reference.json["answer"]["text"].as_str().expect("answer").trim().into(),
        target_new: "London".into(),
        ..Fact::default()
    };
    tokenize(model, &fact, settings).expect("tokens").expect("traceable")
}

#[test]
fn single_heads_and_neurons_agree_with_hooks() {
    for compute in devices() {
        for name in MODELS {
            let (model, reference) = (model(name, &compute), Reference::of(name));
            let found = Reference::beside(name, "sites.safetensors");
            let settings = Settings { min_effect: -1.0, ..Settings::default() };
            let fact = prepared(&model, &reference, &settings);
            let mut told = Vec::new();
            for (wanted, unit, key) in
                [(Units::Heads, Unit::Head, "heads"), (Units::Neurons(2..7), Unit::Neuron, "neurons")]
            {
                let group = block_on(capture_with(&model, &[&fact], &settings, &wanted.sites(model.layers())));
                let group = group.expect("a capture");
                let mut tell = |done, all| told.push((done, all));
                let got = block_on(units(&model, &fact, &settings, &wanted, &group, &mut tell));
                let got = got.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(told.last().map(|(done, all)| done == all), Some(true));
                for (position, place) in [(PatchPosition::SubjectLast, "subject"), (PatchPosition::LastToken, "last")] {
                    let one = got.iter().find(|one| one.position == position).expect("a position");
                    assert_eq!((one.unit, one.patched.len()), (unit, model.layers()));
                    let apart = difference(&one.patched.concat(), found.values(&format!("patch.{key}.{place}")));
                    assert!(apart <= 1e-5, "{name} on {}, {key} at {place}: {apart:e}", compute.info.name);
                }
            }
        }
    }
}

#[test]
fn neurons_that_are_not_there_are_told() {
    let model = model("llama", &engram_core::device::Compute::cpu("tests"));
    let settings = Settings { min_effect: -1.0, ..Settings::default() };
    let fact = prepared(&model, &Reference::of("llama"), &settings);
    for range in [40..50, 3..3] {
        let wanted = Units::Neurons(range);
        let group = block_on(capture_with(&model, &[&fact], &settings, &wanted.sites(model.layers())));
        let group = group.expect("a capture");
        let error = block_on(units(&model, &fact, &settings, &wanted, &group, &mut |_, _| {})).expect_err("none");
        assert!(error.to_string().contains("layers that have 44") && error.next_step().is_some(), "{error}");
    }
    let plain = block_on(model.edited().capture(&[Prompt::plain(&[1, 2])], &Matrix::default(), &Sites::to_resume()));
    let error = block_on(model.edited().pattern(&plain.expect("a capture"), 0, 1)).expect_err("no query");
    assert!(error.to_string().contains("its query") && error.next_step().is_some(), "{error}");
}
