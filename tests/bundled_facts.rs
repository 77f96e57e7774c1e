//! The bundled facts: complete, consistent, and what their tables make.

use engram_core::facts::{Fact, RelationKind, SLOT, compose, kind, parse};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A file under core/bundled.
fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn facts() -> Vec<Fact> {
    parse("facts.json", read("facts.json").as_bytes()).expect("facts").facts
}

/// The records as they stand in the file, with what [`Fact`] has no place for.
fn records() -> Vec<Value> {
    serde_json::from_str(&read("facts.json")).expect("JSON")
}

/// What a failed assertion says of its fact.
fn name(fact: &Fact) -> String {
    format!("fact {}, {} of {}", fact.id, fact.relation, fact.subject)
}

/// Each relation's templates, from its facts' prompts and paraphrases.
fn templates(facts: &[Fact]) -> BTreeMap<&str, BTreeSet<String>> {
    let mut found = BTreeMap::<_, BTreeSet<_>>::new();
    for fact in facts {
        let here = found.entry(fact.relation.as_str()).or_default();
        here.insert(fact.template.clone());
        here.extend(fact.paraphrases.iter().map(|prompt| prompt.replacen(&fact.subject, SLOT, 1)));
    }
    found
}

fn first_word(answer: &str) -> Option<&str> {
    answer.split_whitespace().next()
}

/// Whether something in a record is empty.
fn has_gap(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(all) => all.is_empty() || all.iter().any(has_gap),
        Value::Object(all) => all.is_empty() || all.values().any(has_gap),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether `part` stands in `text` as words of its own.
fn mentions(text: &str, part: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(part)
        .any(|(at, _)| !is_word(text[..at].chars().next_back()) && !is_word(text[at + part.len()..].chars().next()))
}

#[test]
fn there_are_enough_of_every_kind() {
    let facts = facts();
    assert!(facts.len() >= 2000, "{} facts", facts.len());
    for wanted in [RelationKind::Entity, RelationKind::Relation] {
        let count = facts.iter().filter(|fact| kind(&fact.relation) == wanted).count();
        assert!(count >= 400, "{count} facts of the kind {wanted:?}");
    }
    let templates = templates(&facts);
    assert!(templates.len() >= 12, "{} relations", templates.len());
    for (relation, templates) in templates {
        assert!(templates.len() >= 6, "{relation} has {} templates", templates.len());
    }
}

#[test]
fn every_fact_is_complete_and_there_once() {
    for record in records() {
        assert!(!has_gap(&record), "something is empty in {record}");
    }
    let file = parse("facts.json", read("facts.json").as_bytes()).expect("facts");
    assert!(file.warnings.is_empty(), "{:?}", file.warnings);
    let mut seen = BTreeSet::new();
    for fact in &file.facts {
        assert!(seen.insert((&fact.relation, &fact.subject)), "{}: twice", name(fact));
    }
}

#[test]
fn prompts_hold_their_subject_once_and_not_their_answer() {
    for fact in &facts() {
        let mut distinct = BTreeSet::new();
        for prompt in [fact.prompt()].iter().chain(&fact.paraphrases) {
            let subjects = prompt.matches(&fact.subject).count();
            assert_eq!(subjects, 1, "{}: the subject in {prompt:?}", name(fact));
            assert!(!prompt.ends_with(&fact.subject), "{}: {prompt:?} ends with its subject", name(fact));
            assert!(!mentions(prompt, &fact.target_true), "{}: {prompt:?} gives the answer", name(fact));
            assert!(!mentions(prompt, &fact.target_new), "{}: {prompt:?} gives the other answer", name(fact));
            assert!(distinct.insert(prompt.clone()), "{}: {prompt:?} twice", name(fact));
        }
    }
}

#[test]
fn the_other_answer_is_false_and_of_the_same_type() {
    let facts = facts();
    let answers: BTreeSet<_> = facts.iter().map(|fact| (&fact.relation, &fact.target_true)).collect();
    for fact in &facts {
        let (right, wrong) = (&fact.target_true, &fact.target_new);
        assert_ne!(right, wrong, "{}", name(fact));
        assert_ne!(first_word(right), first_word(wrong), "{}: {right} and {wrong}", name(fact));
        assert!(answers.contains(&(&fact.relation, wrong)), "{}: nothing else has the answer {wrong}", name(fact));
    }
}

#[test]
fn neighbours_are_other_subjects_with_the_same_answer() {
    let facts = facts();
    let templates = templates(&facts);
    // Every prompt that can be asked, with whom it is about and what is true.
    let mut asked = BTreeMap::<String, BTreeSet<(&str, &str)>>::new();
    for fact in &facts {
        for template in &templates[fact.relation.as_str()] {
            let about = asked.entry(template.replacen(SLOT, &fact.subject, 1)).or_default();
            about.insert((&fact.subject, &fact.target_true));
        }
    }
    let answered = |fact: &Fact, prompt: &str, answer: &str| {
        let about = asked.get(prompt).unwrap_or_else(|| panic!("{}: {prompt:?} is about no fact", name(fact)));
        let others = about.iter().all(|(subject, _)| *subject != fact.subject);
        assert!(others, "{}: {prompt:?} is about itself", name(fact));
        let same = about.iter().any(|(_, true_one)| *true_one == answer);
        assert!(same, "{}: the answer to {prompt:?} is not {answer}", name(fact));
    };
    for (fact, record) in facts.iter().zip(records()) {
        for prompt in &fact.neighbourhood {
            answered(fact, prompt, &fact.target_true);
        }
        let attribute = record["attribute_prompts"].as_array().map_or(&[][..], Vec::as_slice);
        for prompt in attribute {
            answered(fact, prompt.as_str().unwrap_or_default(), &fact.target_new);
        }
    }
}

#[test]
fn tables_make_the_file() {
    let tables: Vec<_> = compose::TABLES.iter().map(|name| (*name, read(&format!("tables/{name}.csv")))).collect();
    let tables: Vec<_> = tables.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let made = compose::compose(&tables, &read("tables/templates.csv")).expect("facts");
    let (made, there) = (compose::write(&made), read("facts.json"));
    for (made, there) in made.lines().zip(there.lines()) {
        assert!(made == there, "`cargo xtask facts` would change\n{there}\nto\n{made}");
    }
    assert_eq!(made.lines().count(), there.lines().count(), "`cargo xtask facts` gives another number of facts");
}
