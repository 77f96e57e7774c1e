//! What is said of facts that a model knows, does not know, and answers without the subject: `tests/fixtures/findings.json`,
//! whose kinds `tests/findings.rs` finds by naive forwards. The terminal's text and the page's figures are held against the
//! record's raw values by METHODS' thresholds.

use super::*;
use crate::commands::trace::draw;
use crate::render::style::{Ink, Screen};
use crate::ui::Ui;
use crate::wanted::Source;
use engram_core::device::DeviceChoice;
use engram_core::metrics::MetricConvention;
use engram_core::record::{PatchPosition, Traced};
use engram_web::figures::heatmap::{MapSet, windowed};
use engram_web::figures::{bars, facts, finding};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Listed {
    prompt: String,
    subject: String,
    target: String,
    kind: String,
}

/// What must be said under `subject-last`, from the raw values: the sentence's beginning, the list's words, the layer.
fn wanted(kind: &str, traced: &Traced) -> (String, String, Option<usize>) {
    if kind != "known" {
        let words = if kind == "unknown" { "Not known: " } else { "Not sensitive: corrupting the subject " };
        let list = if kind == "unknown" { "not known" } else { "not sensitive" };
        return (words.into(), list.into(), None);
    }
    let gained = |p: &f32| f64::from(*p) - f64::from(traced.p_corrupt);
    let curve: Vec<f64> = traced.patched[&PatchPosition::SubjectLast].iter().map(gained).collect();
    let best = curve.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let share = best / (f64::from(traced.p_clean) - f64::from(traced.p_corrupt));
    let layer = 1 + curve.iter().position(|gain| *gain == best).unwrap_or_default();
    if layer == curve.len() && best.abs() <= 1e-6 {
        return ("Not localized: ".into(), "not localized".into(), None);
    }
    match share < 0.1 {
        true => {
            (format!("No peak: the best layer's clean state recovers {:.1} %", 100.0 * share), "no peak".into(), None)
        }
        false => (format!("Its dominant layer is {layer}."), format!("layer {layer}"), Some(layer)),
    }
}

fn hold(lab: &mut Lab, name: &str, listed: &Listed, maps: bool) -> String {
    let place = format!("{name}: {} {}", listed.prompt, listed.target);
    let question = Question {
        prompt: listed.prompt.clone(),
        subject: listed.subject.clone(),
        target: Some(listed.target.clone()),
        target_new: None,
    };
    let settings = Settings { n: 1, stages: vec![1], maps: usize::from(maps), ..Settings::default() };
    let quiet = Progress::new(Ui::new(crate::ui::ColorChoice::Never, true));
    let extras = Extras { lens: true, second: SecondPass::Own, maps, units: None };
    let (tracing, _) = of(lab, &question, &settings, &extras, &quiet).expect("it can be traced");

    // The record as --json prints it.
    let json = serde_json::to_vec(&tracing).expect("finite");
    let value: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let said = |key: &str| value["facts"][0][key].as_str().unwrap_or_default().to_owned();
    let outcome = match listed.kind.as_str() {
        "known" => ("validated", ""),
        "unknown" => ("not-validated", "not-known"),
        _ => ("not-validated", "not-sensitive"),
    };
    assert_eq!((said("outcome").as_str(), said("reason").as_str()), outcome, "{place}");
    let read = engram_core::journal::from_bytes("trace", &json).expect("it is a record");
    assert_eq!(read, tracing.record, "{place}");

    let fact = &tracing.record.facts[0];
    let traced = fact.traced().expect("it was traced");
    let view = MetricConvention::default();
    let (sentence, list, layer) = wanted(&listed.kind, traced);

    // The terminal.
    let text = draw(&tracing, Screen { width: 400, ink: Ink::None });
    assert!(text.contains(&sentence), "{place}: {sentence} is not in\n{text}");
    let others = ["Not known:", "Not sensitive:", "Not localized:", "No peak:", "Its dominant layer is"];
    let of_subject = text.lines().filter(|line| !line.starts_with("last-token:"));
    // Charts and maps repeat the reason; none may give another one.
    let found: BTreeSet<&str> =
        of_subject.flat_map(|line| others.iter().copied().filter(|one| line.contains(one))).collect();
    assert_eq!(found.len(), 1, "{place}: one thing is said, not {found:?}\n{text}");
    assert_eq!(text.contains("No layer is named."), layer.is_none(), "{place}\n{text}");

    // The page.
    let page = finding::fact(fact, traced, &view).join(" ");
    assert!(page.contains(&sentence), "{place}: {sentence} is not in {page}");
    assert_eq!(facts::outcome(fact, &view), list, "{place}");
    let mark = bars::fact_sufficiency(fact, &view).and_then(|chart| chart.mark);
    assert_eq!(mark.map(|mark| mark.0), layer, "{place}");
    let lost = bars::fact_losses(fact).iter().any(|chart| chart.mark.is_some());
    assert!(!lost || listed.kind == "known", "{place}: a loss is marked");
    if maps {
        let set = MapSet::of(fact).expect("there are maps");
        assert_eq!(set.nothing.is_some(), listed.kind != "known", "{place}");
        let window = windowed("MLP outputs", Settings::usual_window(tracing.record.model.layers));
        assert!(text.contains(&window), "{place}: {window} is not in\n{text}");
        assert_eq!(text.contains("Highest"), listed.kind == "known", "{place}\n{text}");
    }
    list
}

/// SmolLM2, where real models are beside the checkout.
fn real(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("ENGRAM_SHARED").map_or_else(beside, PathBuf::from);
    let files = std::fs::read_dir(shared.join("models").join(name.to_lowercase())).into_iter().flatten().flatten();
    files.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "gguf"))
}

#[test]
#[expect(clippy::print_stdout, reason = "tests report what they measure")]
fn the_words_are_right_for_every_fact_of_the_list() {
    let list = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/findings.json"));
    let list: BTreeMap<String, Vec<Listed>> = serde_json::from_slice(&list.expect("fixture")).expect("fixture");
    for (name, facts) in &list {
        let source = match crate::bundled::MODELS.iter().find(|model| model.name == *name) {
            Some(model) => Source::Bundled(model),
            None => match real(name) {
                Some(path) => Source::Path(path),
                None => {
                    println!("SKIPPED: {name} is not there (set ENGRAM_SHARED)");
                    continue;
                }
            },
        };
        let wanted = Model { source, tokenizer: None, device: DeviceChoice::Cpu, precision: None, stats_text: None };
        let quiet = Progress::new(Ui::new(crate::ui::ColorChoice::Never, true));
        let mut lab = lab(load(&wanted, &quiet).expect("it loads").model).expect("bundled facts");
        let layers = lab.model().layers();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (at, fact) in facts.iter().enumerate() {
            // Maps of the first of each kind; they take most of the time.
            let first = at == 0 || facts[at - 1].kind != fact.kind;
            let said = hold(&mut lab, name, fact, first && layers < 20);
            let said = if said.starts_with("layer") { "a layer".to_owned() } else { said };
            *counts.entry(said).or_default() += 1;
        }
        println!("{name}: {counts:?}");
    }
}
