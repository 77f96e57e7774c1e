//! Lines on records of known settings; names that would break a shell.

use super::*;
use crate::figures::sample;
use engram_core::metrics::MetricConvention;
use engram_core::record::{EditLayers, PatchPosition, Rome, Spsa, ValueSearch};

fn of(record: &Record) -> Reproduce {
    records(&Article::new(std::slice::from_ref(record), &MetricConvention::default())).swap_remove(0)
}

fn bundled() -> Record {
    let mut record = sample::record();
    record.model.name = "engram-phi".into();
    record.source.name = "bundled facts".into();
    record
}

#[test]
fn defaults_need_no_flags() {
    let mut record = bundled();
    let found = of(&record);
    assert_eq!(found.study, "engram study --model engram-phi --facts bundled --out studies");
    assert_eq!(found.verify, "engram verify studies/engram-phi.engram.json");
    assert_eq!(
        found.notes,
        ["The record was written by engram test, this page by ".to_owned()
            + concat!("engram ", env!("CARGO_PKG_VERSION"))
            + "."]
    );
    record.settings.n = 60;
    record.settings.seed = 7;
    record.settings.stages = vec![1, 3];
    record.settings.corruption = Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.02 };
    record.settings.positions = vec![PatchPosition::LastToken, PatchPosition::SameIndex];
    record.settings.answer = Answer::Sequence;
    record.settings.maps = 4;
    record.settings.window = 3;
    record.settings.edit.facts = 5;
    record.settings.edit.position = PatchPosition::LastToken;
    record.settings.edit.layers = EditLayers::of([2]);
    record.device.kind = "cpu".into();
    assert_eq!(
        of(&record).study,
        "engram study --model engram-phi --facts bundled -n 60 --seed 7 --stages 1,3 --corruption noise --positions \
         last-token,same-index --answer sequence --maps 4 --window 3 --edit-facts 5 --edit-position last-token \
         --edit-layers 2 --device cpu --out studies"
    );
    assert_eq!(of(&record).notes.len(), 1, "every one of these has a flag");
    record.settings.edit.methods = vec![Spsa { steps: 9, ..Spsa::default() }.into()];
    record.settings.min_effect = 0.1;
    assert!(of(&record).study.contains(" --steps 9 "), "{}", of(&record).study);
    let rome = Rome { covariance: false, search: ValueSearch { lr: 0.1, ..ValueSearch::default() }, ..Rome::default() };
    record.settings.edit.methods.push(rome.into());
    assert!(
        of(&record).study.contains(" --edit-method spsa,r-rome --c identity --steps 9 --lr 0.1 "),
        "{}",
        of(&record).study
    );
    let notes = of(&record).notes;
    assert!(notes.iter().any(|note| note.starts_with("No flag sets: the smallest effect 0.1.")), "{notes:?}");
}

#[test]
fn files_are_known_by_name_only() {
    let mut record = sample::record();
    record.source.name = "--help".into();
    record.source.sha256 = "abc".into();
    for (name, model) in [("a/b@v1", "a/b@v1"), ("my model", "'./my model'"), ("-x", "./-x"), ("a/../b", "./a/../b")] {
        record.model.name = name.into();
        assert_eq!(of(&record).study, format!("engram study --model {model} --facts ./--help --out studies"));
    }
    let notes = of(&record).notes;
    assert!(notes[0].contains("has only the model's name") && notes[1].contains("(SHA-256 abc)"), "{notes:?}");
    record.model.name = "a/b".into();
    assert!(of(&record).notes[0].contains("current revision"));
    assert_eq!(of(&record).verify, "engram verify studies/a--b.engram.json");
}

#[test]
fn nothing_escapes_its_quotes() {
    assert_eq!(shell("a/b@v1"), "a/b@v1");
    assert_eq!(shell(""), "''");
    assert_eq!(shell("Random Person"), "'Random Person'");
    assert_eq!(shell("it's $(rm -rf ~)"), r"'it'\''s $(rm -rf ~)'");
    assert_eq!(shell("a\nb'c\\\u{1b}[201~"), r"$'a\x0ab\'c\\\x1b[201~'");
    assert_eq!(shell("a\u{202e}é"), r"$'a\U0000202eé'");
    let mut record = bundled();
    record.settings.corruption = Corruption::Replace { with: "x\n; reboot".into() };
    let line = of(&record).study;
    assert!(line.contains(r"--replace-with $'x\x0a; reboot'") && !line.contains('\n'), "{line}");
}

#[test]
fn all_settings_are_listed() {
    let record = bundled();
    let found = lines(&record);
    let value = |name: &str| found.iter().find(|line| line.0 == name).map(|line| line.1.as_str());
    assert_eq!(value("longest prompt"), Some("128 tokens"));
    assert_eq!(value("record format"), Some("1"));
    assert_eq!(value("edited facts"), Some("15 requested, 20 unrelated facts each, p(new answer) above 0.0005"));
    let two = [record.clone(), record];
    let article = Article::new(&two[..1], &MetricConvention::default());
    let line = over_all(&article, "report", "page.html");
    assert_eq!(line, "engram report studies/engram-phi.engram.json -o page.html");
}

#[test]
fn an_extract_is_told() {
    let whole = sample::swept("a");
    let mut part = sample::swept("b");
    part.edits.iter_mut().flatten().take(1).for_each(|edit| edit.without_losses = true);
    assert_eq!([is_extract(&whole), is_extract(&part)], [false, true]);
    let of =
        |records: &[Record]| extract(&Article::new(records, &MetricConvention::default())).map(|told| told.to_string());
    assert_eq!(of(std::slice::from_ref(&whole)), None);
    assert!(
        of(std::slice::from_ref(&part))
            .is_some_and(|said| said.starts_with("This page carries an extract of the record"))
    );
    assert!(of(&[whole, part]).is_some_and(|said| said.starts_with("b: This page")));
}
