//! The bundled models: parity with transformers on the shipped weights, and what their cards promise, measured again.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

use engram_core::device::Compute;
use engram_core::facts::{Fact, FactFile, parse, template_of};
use engram_core::load::Model;
use engram_core::metrics::{MetricConvention, summarize};
use engram_core::model::Site;
use engram_core::record::{Corruption, PatchPosition, Record, Settings};
use engram_core::run::{Prompt, Sites};
use engram_core::study::{self, Event, Observer};
use engram_core::tensor::Matrix;
use engram_core::trace::{Screened, screen, stage1 as trace_stage1, tokenize};
use engram_core::train::{Corpus, Plan, Recipe, recall, split};
use engram_tests::fixtures::{difference, fixture, open};
use pollster::block_on;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};

const MODELS: [&str; 6] =
    ["engram-gemma2", "engram-llama", "engram-llama-large", "engram-phi", "engram-qwen2", "engram-relay"];
/// The lab's, in which facts pass the subject's last token.
const RELAY: &str = "engram-relay";
/// As for every family.
const TOLERANCE: f32 = 1e-4;

fn bundled(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(bundled(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn facts() -> FactFile {
    parse("facts.json", read("facts.json").as_bytes()).expect("facts")
}

fn load(name: &str) -> Model {
    open(&bundled("models").join(name), None, &Compute::cpu("tests"))
}

#[test]
fn parity_with_transformers_on_the_shipped_weights() {
    let bytes = std::fs::read(fixture("bundled.safetensors")).expect("tests/fixtures/bundled.safetensors");
    let reference = SafeTensors::deserialize(&bytes).expect("safetensors");
    let values = |name: &str| -> Vec<[u8; 4]> {
        reference.tensor(name).unwrap_or_else(|_| panic!("no {name}")).data().as_chunks::<4>().0.to_vec()
    };
    let floats = |name: &str| -> Vec<f32> { values(name).into_iter().map(f32::from_le_bytes).collect() };
    let facts = facts().facts;
    for name in MODELS {
        let model = load(name);
        let mut worst = 0.0f32;
        for number in 0..6 {
            let ids: Vec<u32> =
                values(&format!("{name}.p{number}.ids")).into_iter().map(|b| i32::from_le_bytes(b) as u32).collect();
            let prompt = facts[number * (facts.len() / 6)].prompt();
            assert_eq!(model.tokens.encode(&prompt).expect("tokens").ids, ids, "{name}: tokens of {prompt:?}");
            let (engine, last) = (model.edited(), ids.len() - 1);
            let cache = block_on(engine.capture(&[Prompt::plain(&ids)], &Matrix::default(), &Sites::to_resume()));
            let cache = cache.expect("run");
            let resid = floats(&format!("{name}.p{number}.resid"));
            let width = resid.len() / model.layers();
            for layer in 1..=model.layers() {
                let got = block_on(cache.values(0, layer, Site::Residual, last..last + 1)).expect("captured").values;
                worst = worst.max(difference(&got, &resid[(layer - 1) * width..layer * width]));
            }
            let logits = block_on(engine.logits(&cache, 0, last)).expect("logits");
            worst = worst.max(difference(&logits, &floats(&format!("{name}.p{number}.logits"))));
        }
        println!("{name}: max |Δ| = {worst:.2e}");
        assert!(worst <= TOLERANCE, "{name}: {worst:e}");
    }
}

#[test]
fn all_together_are_small() {
    let mut bytes = 0;
    for name in MODELS {
        for entry in std::fs::read_dir(bundled("models").join(name)).expect("a folder") {
            bytes += entry.expect("an entry").metadata().expect("metadata").len();
        }
        assert!(load(name).layers() >= 8, "{name} has too few layers for a layer map");
    }
    println!("{:.1} MB", bytes as f64 / 1e6);
    assert!(bytes <= 40_000_000, "{bytes} bytes");
}

#[test]
fn wordings_never_seen_with_their_subject_are_answered() {
    for name in MODELS {
        let recipe = Recipe::parse(&read(&format!("models/{name}/recipe.toml"))).expect("recipe");
        assert_eq!(recipe.name, name);
        let corpus = Corpus::new(facts().facts, &read("text.tsv"), &recipe.text).expect("corpus");
        let model = load(name);
        let found = recall(model.edited(), &model.tokens, &corpus, recipe.text.held_out, 1);
        let found = block_on(found).expect("recall");
        println!("{name}: {found:?}");
        assert!(found.held_out_right >= 0.9, "{name}: {found:?}");
        let told: serde_json::Value =
            serde_json::from_str(&read(&format!("models/{name}/training.json"))).expect("JSON");
        let said = told["recall"]["held_out_right"].as_f64().expect("held_out_right");
        assert!((said - found.held_out_right).abs() < 2e-3, "{name}: training.json says {said}");
        // The model belongs to the recipe, the facts and the text that stand beside it; so does its tokenizer.
        let plan = Plan::new(recipe, corpus, &read("text.tsv")).expect("a plan");
        assert_eq!(told["plan"], plan.digest(), "{name}: trained on something else; see cargo xtask models");
        assert_eq!(plan.tokens.sha256(), model.tokens.sha256(), "{name}: its tokenizer comes out otherwise");
        assert_eq!(
            told["weights_sha256"],
            model.info.weights_sha256.as_str(),
            "{name}: training.json is of other weights"
        );
    }
}

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _event: Event<'_>) -> engram_core::Result<()> {
        Ok(())
    }
}

fn stage1(name: &str, facts: &FactFile) -> Record {
    let mut model = load(name);
    let settings = Settings { n: facts.facts.len(), stages: vec![1], ..Settings::default() };
    let header = block_on(study::header(&model, facts, settings, "tests")).expect("header");
    block_on(study::run(&mut model, facts, header, &mut Silent)).expect("study")
}

#[test]
fn they_are_worth_studying() {
    let facts = facts();
    for name in MODELS {
        let record = stage1(name, &facts);
        let summary = summarize(&record, &MetricConvention::default());
        let validated = summary.validated;
        let editable = record.validated().filter(|(_, t)| t.p_false > record.settings.edit.min_p_false).count();
        let p = summary.p_clean.expect("facts").mean;
        let most = summary.distribution.counts.iter().max().copied().unwrap_or(0);
        let localized: usize = summary.distribution.counts.iter().sum();
        println!("{name}: {validated} validated, {editable} editable, p {p:.3}, {most} of {localized} at l*");
        assert!(validated >= 1000, "{name}: {validated} validated facts");
        assert!((0.3..=0.95).contains(&p), "{name}: mean p_clean {p}");
        // In the lab's model all facts take the same way, and a wrong answer is improbable: that is what it is for.
        if name != RELAY {
            assert!(editable * 10 >= validated * 6, "{name}: {editable} of {validated} editable");
            assert!(most * 2 <= localized, "{name}: one layer dominates {most} of {localized} localized facts");
        }
        let card = read(&format!("models/{name}/README.md"));
        assert!(card.contains(&format!("{validated} of {}", facts.facts.len())), "{name}: the card has other numbers");
        assert!(card.contains(&record.model.weights_sha256), "{name}: the card is of other weights");
    }
}

/// Facts of other subjects of the same relation, whose names have as many tokens.
fn replacements<'a>(model: &Model, facts: &'a [Fact], fact: &Fact) -> impl Iterator<Item = &'a str> {
    let length = |name: &str| {
        let (text, chars) = fact.corrupted(name);
        let encoded = model.tokens.encode(&text).expect("tokens");
        encoded.span(&chars).map(|span| (span.len(), encoded.ids.len()))
    };
    let wanted = length(&fact.subject);
    let same = facts.iter().filter(|other| other.relation == fact.relation && other.subject != fact.subject);
    let same = same.filter(|other| other.target_true != fact.target_true);
    same.map(|other| other.subject.as_str()).filter(move |name| wanted.is_some() && length(name) == wanted)
}

#[test]
fn facts_of_the_labs_model_pass_the_subjects_last_token() {
    let recipe = Recipe::parse(&read(&format!("models/{RELAY}/recipe.toml"))).expect("recipe");
    let (model, facts) = (load(RELAY), facts().facts);
    let layers = model.layers();
    let (mut peaks, mut by_layer) = (Vec::new(), vec![[Vec::new(), Vec::new()]; layers]);
    for (index, fact) in facts.iter().enumerate().step_by(9) {
        // A wording that the model never read with this subject.
        let (_, held) = split(fact, index, recipe.text.held_out);
        let Ok(template) = template_of(&held[0], &fact.subject) else { continue };
        let asked = Fact { template, ..fact.clone() };
        let Some(with) = replacements(&model, &facts, &asked).next() else { continue };
        let corruption = Corruption::Replace { with: with.to_owned() };
        let settings = Settings { n: 1, stages: vec![1], corruption, ..Settings::default() };
        let Ok(tokens) = tokenize(&model, &asked, &settings).expect("tokens") else { continue };
        let screened = block_on(screen(&model, &[&asked], &settings, None)).expect("screened").facts;
        if !matches!(screened[0], Screened::Passed(_)) {
            continue;
        }
        let traced = block_on(trace_stage1(&model, &[&tokens], &settings)).expect("traced").remove(0);
        let recovery = |p: f32| f64::from((p - traced.p_corrupt) / (traced.p_clean - traced.p_corrupt));
        let curve = |position| traced.patched[&position].iter().map(|p| recovery(*p)).collect::<Vec<_>>();
        let [own, last] = [PatchPosition::SubjectLast, PatchPosition::LastToken].map(curve);
        peaks.push(own.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        for (at, both) in by_layer.iter_mut().enumerate() {
            both[0].push(own[at]);
            both[1].push(last[at]);
        }
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let peak = median(&mut peaks);
    let curves: Vec<[f64; 2]> = by_layer.iter_mut().map(|both| [0, 1].map(|at| median(&mut both[at]))).collect();
    let told: Vec<String> = curves.iter().map(|[own, last]| format!("{own:.2}/{last:.2}")).collect();
    println!("{RELAY}: {} facts, median peak {peak:.3}, by layer {}", peaks.len(), told.join(" "));
    assert!(peaks.len() >= 150, "{} facts", peaks.len());
    assert!(peak >= 0.9, "median peak {peak}");
    // An early site, and a late one.
    assert!(curves[0][0] < 0.8 && curves[4][0] > 0.9 && curves[5][0] < 0.1, "{told:?}");
    assert!(curves[4][1] < 0.1 && curves[5][1] > 0.9, "{told:?}");
}
