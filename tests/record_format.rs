//! docs/RECORD.md against what is written: every field of a record and of a journal is described, and nothing else is.

use engram_core::journal::{self, RedundancyLine};
use engram_core::record::*;
use engram_tests::everything::{POSITIONS, REASONS, curve, edit, records};
use serde_json::Value;
use std::collections::BTreeSet;

fn document() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/RECORD.md");
    std::fs::read_to_string(path).expect("docs/RECORD.md")
}

/// Every key path and every list's entries below a value, patch positions as `POSITION`, numbers as `LAYER`.
fn paths(place: &str, value: &Value, out: &mut BTreeSet<String>) {
    if !place.is_empty() {
        out.insert(place.to_owned());
    }
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let key = if POSITIONS.iter().any(|position| position.name() == key) { "POSITION" } else { key };
                let key = if key.parse::<usize>().is_ok() { "LAYER" } else { key };
                paths(&if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }, inner, out);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| paths(&format!("{place}[]"), inner, out)),
        _ => {}
    }
}

/// The paths in the first column of a section's tables. An entry that is an object is described by its own fields.
fn described(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(path, _)| path.to_owned()).collect()
}

fn without_objects(mut paths: BTreeSet<String>) -> BTreeSet<String> {
    for object in [
        "model",
        "device",
        "source",
        "facts[]",
        "edits[]",
        "sequences[]",
        "sequences[].steps[]",
        "sequences[].steps[].edits[]",
        "sequences[].checkpoints[]",
        "sequences[].checkpoints[].untouched[]",
    ] {
        paths.remove(object);
    }
    // Described as `edits[]` and `facts[]`.
    let elsewhere = ["sequences[].checkpoints[].edited[]", "edits[].retrace.new_before.", "edits[].retrace.old_after."];
    let elsewhere = elsewhere.iter().chain(&["edits[].retrace.new_after."]);
    paths.retain(|path| elsewhere.clone().all(|part| !path.starts_with(part)));
    for list in ["paraphrases", "neighbourhood", "unrelated"] {
        paths.remove(&format!("edits[].{list}[]"));
    }
    paths
}

fn section<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n{from}\n")).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(&format!("\n{to}\n")).unwrap_or_else(|| panic!("no {to}")).0
}

#[test]
fn every_field_is_described_and_nothing_else() {
    let text = document();
    let mut written = BTreeSet::new();
    for record in records() {
        let bytes = journal::to_json(&record).expect("json");
        // Nobody but a study that goes on needs what a sequence has changed.
        let mut kept = record.clone();
        kept.forget_changes();
        assert_eq!(journal::from_bytes("full", &bytes).expect("it reads"), kept);
        paths("", &serde_json::from_slice(&bytes).expect("json"), &mut written);
    }
    let described = described(section(&text, "## Fields", "## The journal"));
    let (written, described) = (without_objects(written), without_objects(described));
    let missing: Vec<_> = written.difference(&described).collect();
    let invented: Vec<_> = described.difference(&written).collect();
    assert!(missing.is_empty(), "not in docs/RECORD.md: {missing:?}");
    assert!(invented.is_empty(), "in docs/RECORD.md, but not written: {invented:?}");
    assert!(written.len() > 100, "{}", written.len());
}

#[test]
fn every_line_of_a_journal_is_described() {
    let text = document();
    let record = &records()[0];
    let mut written = BTreeSet::new();
    let line = RedundancyLine { fact: 0, position: PatchPosition::SubjectLast, curve: curve() };
    let json = [
        journal::redundancy_line(&line).expect("line"),
        journal::edit_line(&edit()).expect("line"),
        journal::mlp_line(&journal::MlpLine {
            fact: 0,
            patched: record.facts[0].traced().expect("traced").patched_mlp.clone(),
        })
        .expect("line"),
        journal::sequence_line(&journal::SequenceLine {
            sequence: 0,
            method: 1,
            layer: Some(1),
            step: record.sequences[0].steps.first().cloned(),
            checkpoint: record.sequences[0].checkpoints.first().cloned(),
        })
        .expect("line"),
        journal::settings_line(&record.settings).expect("line"),
    ];
    for json in json {
        let line = journal::Chain::default().seal(&json);
        paths("", &serde_json::from_slice(&line).expect("json"), &mut written);
    }
    // What is a fact's curve, an edit or a setting is described there.
    let written: BTreeSet<_> = written
        .into_iter()
        .filter(|path| {
            !["redundancy.curve.", "edit.", "settings.", "sequence.step.", "sequence.checkpoint."]
                .iter()
                .any(|part| path.starts_with(part))
        })
        .collect();
    assert_eq!(described(section(&text, "### Journal lines", "## An example")), written);
    let header: Value = serde_json::from_slice(&journal::header_line(record).expect("line")).expect("json");
    assert!(header.get("edits").is_none() && header["facts"] == Value::Array(vec![]), "{header}");
    let fact: Value = serde_json::from_slice(&journal::fact_line(&record.facts[0]).expect("line")).expect("json");
    assert_eq!(fact, serde_json::to_value(&record.facts[0]).expect("json"));
}

/// Every word that a field can be.
#[test]
fn every_word_of_the_format_is_named() {
    let text = document();
    let reasons = REASONS.iter().map(|reason| reason.name().to_owned());
    let positions = POSITIONS.iter().map(|position| position.name().to_owned());
    let answers = [Answer::FirstToken, Answer::Sequence].map(|answer| serde_json::to_value(answer).expect("json"));
    let answers = answers.iter().filter_map(|word| word.as_str().map(str::to_owned));
    let kinds = ["replace", "noise", "validated", "dropped"].map(str::to_owned);
    for word in reasons.chain(positions).chain(answers).chain(kinds) {
        assert!(text.contains(&format!("`{word}`")), "{word}");
    }
    assert!(text.contains(&format!("version of the format, {VERSION}.")));
}

/// The example is a record, and the indices that the page says of it are its own.
#[test]
fn the_example_is_a_record() {
    use engram_core::metrics::{Dominant, Part, dominant, drop_at, sufficiency};
    let text = document();
    let (_, rest) = text.split_once("```json\n").expect("an example");
    let json = rest.split_once("```").expect("its end").0;
    let record = journal::from_bytes("example", json.as_bytes()).expect("it reads");
    let (_, traced) = record.validated().next().expect("a fact");
    let curve = sufficiency(traced, PatchPosition::SubjectLast).expect("a curve");
    assert_eq!(curve, [0.125, 0.375, 0.0]);
    assert_eq!(dominant(traced, PatchPosition::SubjectLast, false), Some(Dominant::Layer(2)));
    assert_eq!(drop_at(traced, Part::Block, 2), Some(0.25));
    assert_eq!(record.settings.min_effect, Settings::default().min_effect);
    let checks = engram_core::verify::record(&record);
    assert!(checks.iter().all(|check| check.state != engram_core::verify::State::Failed), "{checks:#?}");
}
