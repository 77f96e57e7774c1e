//! A list of facts of each bundled model, and of SmolLM2 where it is at hand: ten that it knows, ten that it does not, five
//! whose answer does not need the subject. Naive full forwards say which is which; the record of a trace must say the same.
//! What people read of it is tested in `app/src/engine/trace/tests.rs`.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

use engram_core::device::Compute;
use engram_core::facts::FactFile;
use engram_core::lab::Lab;
use engram_core::load::Model;
use engram_core::protocol::{Command, Event, Question};
use engram_core::record::{FactRecord, Outcome, Reason, Settings};
use engram_tests::fixtures::{fixture, open, shared};
use engram_tests::naive::Plain;
use pollster::block_on;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct Listed {
    prompt: String,
    subject: String,
    target: String,
    kind: String,
}

/// What METHODS section 1 asks of a fact, from full forwards of single prompts.
struct Naive {
    known: bool,
    p_clean: f64,
    p_corrupt: f64,
}

impl Naive {
    fn of(model: &Model, plain: &Plain, fact: &Listed) -> Self {
        let ids = |text: &str| model.tokens.encode(text).expect("it can be tokenized").ids;
        let clean = ids(&fact.prompt);
        let answer = ids(&format!("{} {}", fact.prompt, fact.target)).split_off(clean.len());
        let corrupt = ids(&fact.prompt.replacen(&fact.subject, "Random Person", 1));
        let (mut said, mut known, mut p_clean) = (clean.clone(), true, 0.0);
        for (at, &token) in answer.iter().enumerate() {
            let run = plain.forward(&said, &[], &[], &[], &[]);
            if at == 0 {
                p_clean = f64::from(run.p(said.len() - 1, token));
            }
            let row = &run.logits[said.len() - 1];
            let top = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("a vocabulary");
            if top != token as usize {
                known = false;
                break;
            }
            said.push(token);
        }
        let run = plain.forward(&corrupt, &[], &[], &[], &[]);
        Self { known, p_clean, p_corrupt: f64::from(run.p(corrupt.len() - 1, answer[0])) }
    }

    fn kind(&self) -> &'static str {
        match (self.known, self.p_clean - self.p_corrupt >= 0.05) {
            (false, _) => "unknown",
            (true, false) => "insensitive",
            (true, true) => "known",
        }
    }
}

/// The record of the page's own path.
fn traced(lab: &mut Lab, fact: &Listed) -> FactRecord {
    let question = Question {
        prompt: fact.prompt.clone(),
        subject: fact.subject.clone(),
        target: Some(fact.target.clone()),
        target_new: None,
        corruption: Settings::default().corruption,
        positions: Settings::default().positions,
        window: 0,
        maps: false,
    };
    let answer = block_on(lab.answer(&Command::Trace(question), &|_| {})).expect("it can be traced");
    let Event::Trace { record, .. } = answer else { panic!("not a trace: {answer:?}") };
    let layers = record.model.layers;
    assert_eq!(record.settings.window, Settings::usual_window(layers), "the window that {layers} layers have");
    assert_eq!(record.validated().count(), usize::from(fact.kind == "known"), "{}", fact.prompt);
    record.facts.into_iter().next().expect("one fact")
}

fn hold(name: &str, model: Model, facts: &[Listed], naive: impl Fn(usize) -> bool) {
    let of = |kind: &str| facts.iter().filter(|fact| fact.kind == kind).count();
    assert_eq!(["known", "unknown", "insensitive"].map(of), [10, 10, 5], "{name}");
    let plain = Plain::of(&model, &[]);
    let mut lab = Lab::new(model, FactFile::of("none", vec![]), "tests");
    let mut forwards = 0;
    for (at, fact) in facts.iter().enumerate() {
        let place = format!("{name}: {} {}", fact.prompt, fact.target);
        let found = traced(&mut lab, fact);
        let values = found.traced().expect("it was traced");
        let kind = match &found.outcome {
            Outcome::Validated(_) => "known",
            Outcome::NotValidated(found) if found.reason == Reason::NotKnown => "unknown",
            Outcome::NotValidated(_) => "insensitive",
            Outcome::Dropped(dropped) => panic!("{place}: {dropped:?}"),
        };
        assert_eq!(kind, fact.kind, "{place}");
        assert_eq!(values.redundancy.is_empty(), kind != "known", "{place}: a second pass of what has no effect");
        if naive(at) {
            let want = Naive::of(lab.model(), &plain, fact);
            forwards += 1;
            assert_eq!(want.kind(), fact.kind, "{place}: {} and {}", want.p_clean, want.p_corrupt);
            for (want, got) in [(want.p_clean, values.p_clean), (want.p_corrupt, values.p_corrupt)] {
                assert!((want - f64::from(got)).abs() < 1e-4, "{place}: {want} and {got}");
            }
        }
    }
    println!("{name}: {} facts as listed, {forwards} of them by naive forwards", facts.len());
}

#[test]
fn the_record_says_what_each_model_knows() {
    let list = std::fs::read(fixture("findings.json")).expect("fixture");
    let list: BTreeMap<String, Vec<Listed>> = serde_json::from_slice(&list).expect("fixture");
    assert_eq!(list.len(), 6);
    for (name, facts) in &list {
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled/models").join(name);
        if bundled.is_dir() {
            hold(name, open(&bundled, None, &Compute::cpu("tests")), facts, |_| true);
        } else if let Some(folder) = shared(&format!("models/{}", name.to_lowercase())) {
            let mut files = std::fs::read_dir(&folder).expect("the model's folder").flatten().map(|entry| entry.path());
            let file = files.find(|path| path.extension().is_some_and(|end| end == "gguf")).expect("a .gguf file");
            // Attention written out takes long here: one fact of each kind.
            hold(name, open(&file, None, &Compute::cpu("tests")), facts, |at| [0, 10, 20].contains(&at));
        }
    }
}
