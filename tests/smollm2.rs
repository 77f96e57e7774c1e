//! The engine on a real model, SmolLM2-135M-Instruct (Q4_1), where it is at hand: parity with transformers on CounterFact,
//! tokens, and resumed lanes against naive full forwards. One test, since loading the model takes most of its time.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

use engram_core::device::Compute;
use engram_core::facts::{self, Fact};
use engram_core::load::Model;
use engram_core::model::Site;
use engram_core::run::{Intervention, PatchedRun, Prompt, Read, Sites};
use engram_core::tensor::Matrix;
use engram_tests::fixtures::{fixture, open, shared};
use engram_tests::oracle::{Oracle, Random, against, between, resumed};
use pollster::block_on;
use serde::Deserialize;

/// Between this crate's logits and those of transformers, whose kernels sum in another order through 30 blocks.
const PARITY: f32 = 5e-3;

#[derive(Deserialize)]
struct Reference {
    facts: Vec<Expected>,
}

/// What transformers computes at a prompt's last position.
#[derive(Deserialize)]
struct Expected {
    case_id: u32,
    ids: Vec<u32>,
    top_ids: Vec<u32>,
    top_logits: Vec<f32>,
    true_id: u32,
    true_logit: f32,
}

#[test]
fn smollm2_on_counterfact() {
    let (Some(folder), Some(data)) = (shared("models/smollm2-135m-instruct"), shared("data/counterfact.json")) else {
        return;
    };
    let file = std::fs::read_dir(&folder).expect("the model's folder").map(|entry| entry.expect("entry").path());
    let mut files = file.filter(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    let model = open(&files.next().expect("a .gguf file"), None, &Compute::cpu("tests"));
    let reference = std::fs::read(fixture("smollm2_counterfact100.json")).expect("fixture");
    let reference: Reference = serde_json::from_slice(&reference).expect("fixture");
    assert_eq!(reference.facts.len(), 100);
    let bytes = std::fs::read(&data).expect("facts");
    let facts = facts::parse("counterfact.json", &bytes).expect("facts").facts;
    let order = facts::shuffled(facts.len(), 42);
    let facts: Vec<&Fact> = order[..100].iter().map(|&at| &facts[at]).collect();

    prompts_are_those_of_transformers(&model, &reference, &facts);
    logits_are_those_of_transformers(&model, &reference);
    the_capital_of_france(&model);
    patched_runs_are_naive_ones(model, &facts);
}

fn prompts_are_those_of_transformers(model: &Model, reference: &Reference, facts: &[&Fact]) {
    for (want, fact) in reference.facts.iter().zip(facts) {
        assert_eq!(fact.id, want.case_id.to_string(), "the order of the facts");
        let prompt = fact.prompt();
        assert_eq!(model.tokens.encode(&prompt).expect("tokens").ids, want.ids, "{prompt}");
        let answer = model.tokens.answer(&prompt, &fact.target_true).expect("tokens").expect("no merge");
        assert_eq!(answer[0], want.true_id, "{prompt} {}", fact.target_true);
    }
}

fn logits_are_those_of_transformers(model: &Model, reference: &Reference) {
    let (mut worst, mut top) = (0.0f32, 0);
    for chunk in reference.facts.chunks(25) {
        let prompt = |want: &Expected| Prompt::plain(&want.ids);
        let prompts: Vec<_> = chunk.iter().map(prompt).collect();
        let base = block_on(model.edited().capture(&prompts, &Matrix::default(), &Sites::end())).expect("capture");
        let read = |(prompt, want): (usize, &Expected)| {
            let tokens = want.top_ids.iter().copied().chain([want.true_id]).collect();
            (prompt, Read { position: want.ids.len() - 1, tokens })
        };
        let reads: Vec<_> = chunk.iter().enumerate().map(read).collect();
        let readouts = block_on(model.edited().read(&base, &reads)).expect("read");
        for (want, got) in chunk.iter().zip(&readouts) {
            let logits: Vec<f32> = want.top_logits.iter().copied().chain([want.true_logit]).collect();
            worst = worst.max(engram_tests::fixtures::difference(&got.logits, &logits));
            top += usize::from(got.top == want.top_ids[0]);
        }
    }
    println!("SmolLM2 on 100 facts: top-1 equal on {top}, max |Δlogit| = {worst:.2e}");
    assert_eq!(top, 100);
    assert!(worst <= PARITY, "{worst:e}");
}

fn the_capital_of_france(model: &Model) {
    let ids = model.tokens.encode("The capital of France is").expect("tokens").ids;
    let read = Read { position: ids.len() - 1, tokens: Vec::new() };
    let (engine, prompts) = (model.edited(), [Prompt::plain(&ids)]);
    let base = block_on(engine.capture(&prompts, &Matrix::default(), &Sites::end())).expect("predict");
    let readouts = block_on(engine.read(&base, &[(0, read)])).expect("read");
    assert_eq!(model.tokens.show(readouts[0].top), " Paris");
}

/// Stage 1's runs of ten facts drawn at random: patches at both positions, and the three ablations.
fn patched_runs_are_naive_ones(model: Model, facts: &[&Fact]) {
    let layers = model.layers();
    let mut random = Random::new(5);
    let mut prompts = Vec::new();
    let mut runs = Vec::new();
    for _ in 0..10 {
        let fact = facts[random.below(facts.len())];
        let (text, chars) = fact.corrupted("Random Person");
        let clean = model.tokens.encode(&fact.prompt()).expect("tokens");
        let corrupt = model.tokens.encode(&text).expect("tokens");
        let s = clean.span(&fact.subject_chars()).expect("the subject").end - 1;
        let s2 = corrupt.span(&chars).expect("its replacement").end - 1;
        let (t, t2) = (clean.ids.len() - 1, corrupt.ids.len() - 1);
        let tokens = [&fact.target_true, &fact.target_new].map(|answer| {
            let answer = model.tokens.answer(&fact.prompt(), answer).expect("tokens");
            answer.expect("no merge")[0]
        });
        let read = |position| vec![Read { position, tokens: tokens.to_vec() }];
        let at = prompts.len();
        prompts.extend([Prompt::plain(&clean.ids), Prompt::plain(&corrupt.ids)]);
        for layer in [1 + random.below(layers), 1 + random.below(layers), layers] {
            for (from, to) in [(s, s2), (t, t2)] {
                let interventions = vec![Intervention::patch(layer, Site::Residual, to, at, from)];
                runs.push(PatchedRun { prompt: at + 1, interventions, overlay: None, reads: read(t2) });
            }
            for sites in [&[Site::Attention, Site::Mlp][..], &[Site::Attention], &[Site::Mlp]] {
                let interventions = sites.iter().map(|&site| Intervention::zero(layer, site, 0..t + 1)).collect();
                runs.push(PatchedRun { prompt: at, interventions, overlay: None, reads: read(t) });
            }
        }
    }
    let oracle = Oracle::of(model, prompts, Vec::new());
    let want = oracle.wanted(&runs, &[], &[]);
    let base = oracle.capture(&oracle.model);
    let large = resumed(&oracle.model, &base, &runs, &[], &[], 4096);
    let small = resumed(&oracle.model, &base, &runs, &[], &[], 30);
    let worst = against(&runs, &large, &want).max(against(&runs, &small, &want));
    let apart = between(&large, &small, &want);
    println!("SmolLM2, {} runs: {worst}; between batches {apart}", runs.len());
    assert!(worst.p <= 1e-5 && worst.logits <= 1e-5, "{worst} at {:?}", runs[worst.run]);
    assert_eq!((apart.p, apart.absolute), (0.0, 0.0), "on the CPU batches move no bit: {apart}");
}
