//! The bundled facts: tables of subjects and their properties, and templates, to records in CounterFact's schema.

use super::SLOT;
use crate::{Error, Result};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The tables, by their file names.
pub const TABLES: [&str; 6] = ["people", "countries", "regions", "places", "companies", "products"];

/// Relation, its table and the column that holds the answer.
const COLUMNS: [(&str, &str, &str); 20] = [
    ("P27", "people", "citizenship"),
    ("P103", "people", "native_language"),
    ("P19", "people", "birthplace"),
    ("P20", "people", "deathplace"),
    ("P106", "people", "occupation"),
    ("P1303", "people", "instrument"),
    ("P641", "people", "sport"),
    ("P17", "places", "country"),
    ("P30", "places", "continent"),
    ("P131", "places", "region"),
    ("P36", "countries", "capital"),
    ("P30", "countries", "continent"),
    ("P37", "countries", "language"),
    ("P38", "countries", "currency"),
    ("P36", "regions", "capital"),
    ("P17", "regions", "country"),
    ("P159", "companies", "headquarters"),
    ("P176", "products", "manufacturer"),
    ("P495", "products", "origin"),
    ("P495", "companies", "country"),
];
/// Neighbourhood and attribute prompts of a record.
const NEIGHBOURS: usize = 5;
/// Facts of a relation at most, so that none outweighs the others.
const MOST: usize = 240;
/// Seed of the choice of facts, neighbours and counterfactual answers.
const SEED: u64 = 42;

/// One row of a table as a fact.
struct Told<'a> {
    relation: &'static str,
    subject: &'a str,
    answer: &'a str,
}

/// Reads `column` of a CSV table next to its column `name`.
fn read(table: &str, text: &str) -> Result<Vec<BTreeMap<String, String>>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.deserialize().collect::<std::result::Result<_, _>>();
    rows.map_err(|error| {
        Error::input(format!("{table}.csv: {error}")).hint("one row a subject, as many cells as the header")
    })
}

/// Records in CounterFact's schema, a JSON object each. `tables` are (name, CSV); `templates` is CSV with the columns
/// `relation` and `template`.
///
/// A fact is left out where nothing else has its answer: it would have no neighbourhood. The first word of a
/// counterfactual answer differs from the true one's, so that their first tokens can be told apart.
///
/// # Errors
/// A table that is missing or malformed, a relation without templates.
pub fn compose(tables: &[(&str, &str)], templates: &str) -> Result<Vec<Value>> {
    let mut wordings = BTreeMap::<String, Vec<String>>::new();
    for row in read("templates", templates)? {
        let cell = |name: &str| row.get(name).cloned().unwrap_or_default();
        wordings.entry(cell("relation")).or_default().push(cell("template"));
    }
    let mut rows = BTreeMap::new();
    for (name, text) in tables {
        rows.insert(*name, read(name, text)?);
    }
    let mut told = Vec::new();
    for (relation, table, column) in COLUMNS {
        let rows = rows.get(table).ok_or_else(|| Error::input(format!("there is no table {table}.csv")))?;
        for row in rows {
            let cell = |name: &str| row.get(name).map_or("", |cell| cell.trim());
            if !cell(column).is_empty() {
                told.push(Told { relation, subject: cell("name"), answer: cell(column) });
            }
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let told = sample(told, &mut rng);
    let mut same_answer = BTreeMap::<(&str, &str), Vec<&Told<'_>>>::new();
    let mut anywhere = BTreeMap::<&str, Vec<&Told<'_>>>::new();
    let mut of_relation = BTreeMap::<&str, Vec<&Told<'_>>>::new();
    let mut true_of = BTreeMap::<(&str, &str), BTreeSet<&str>>::new();
    for fact in &told {
        same_answer.entry((fact.relation, fact.answer)).or_default().push(fact);
        anywhere.entry(fact.answer).or_default().push(fact);
        of_relation.entry(fact.relation).or_default().push(fact);
        true_of.entry((fact.relation, fact.subject)).or_default().insert(fact.answer);
    }
    let mut records = Vec::new();
    let mut place = BTreeMap::<&str, usize>::new();
    for fact in &told {
        let templates = wordings.get(fact.relation).filter(|all| !all.is_empty()).ok_or_else(|| {
            Error::input(format!("templates.csv has no template for {}", fact.relation)).hint("add six or more")
        })?;
        let turn = place.entry(fact.relation).or_default();
        *turn += 1;
        let first = *turn % templates.len();
        let ask = |fact: &Told<'_>, at: usize| {
            wordings[fact.relation][at % wordings[fact.relation].len()].replace(SLOT, fact.subject)
        };
        let others = |of: &[&Told<'_>], rng: &mut ChaCha8Rng| -> Vec<String> {
            let of: Vec<_> = of.iter().filter(|other| other.subject != fact.subject).collect();
            let start = rng.random_range(0..8);
            of.choose_multiple(rng, NEIGHBOURS).enumerate().map(|(i, other)| ask(other, start + i)).collect()
        };
        let mut neighbourhood = others(&same_answer[&(fact.relation, fact.answer)], &mut rng);
        if neighbourhood.is_empty() {
            neighbourhood = others(&anywhere[fact.answer], &mut rng);
        }
        let false_ones: Vec<_> = of_relation[fact.relation]
            .iter()
            .filter(|other| first_word(other.answer) != first_word(fact.answer))
            .filter(|other| !true_of[&(fact.relation, fact.subject)].contains(other.answer))
            .filter(|other| !fact.subject.contains(other.answer))
            .collect();
        let Some(wrong) = false_ones.choose(&mut rng) else { continue };
        if neighbourhood.is_empty() {
            continue;
        }
        let attribute = others(&same_answer[&(fact.relation, wrong.answer)], &mut rng);
        let paraphrases: Vec<String> = (1..templates.len()).map(|i| ask(fact, first + i)).collect();
        records.push(json!({
            "case_id": records.len(),
            "requested_rewrite": {
                "prompt": templates[first],
                "relation_id": fact.relation,
                "target_new": { "str": wrong.answer },
                "target_true": { "str": fact.answer },
                "subject": fact.subject,
            },
            "paraphrase_prompts": paraphrases,
            "neighborhood_prompts": neighbourhood,
            "attribute_prompts": attribute,
            "generation_prompts": [ask(fact, first + 2), ask(fact, first + 5)],
        }));
    }
    Ok(records)
}

/// Facts whose answer some other subject shares, [`MOST`] of a relation, in their order.
fn sample<'a>(told: Vec<Told<'a>>, rng: &mut ChaCha8Rng) -> Vec<Told<'a>> {
    let mut subjects = BTreeMap::<&str, BTreeSet<&str>>::new();
    for fact in &told {
        subjects.entry(fact.answer).or_default().insert(fact.subject);
    }
    let mut of_relation = BTreeMap::<&str, Vec<usize>>::new();
    for (index, fact) in told.iter().enumerate().filter(|(_, fact)| subjects[fact.answer].len() > 1) {
        of_relation.entry(fact.relation).or_default().push(index);
    }
    let kept: BTreeSet<usize> =
        of_relation.values().flat_map(|all| all.choose_multiple(rng, MOST).copied().collect::<Vec<_>>()).collect();
    told.into_iter().enumerate().filter(|(index, _)| kept.contains(index)).map(|(_, fact)| fact).collect()
}

fn first_word(answer: &str) -> &str {
    answer.split(' ').next().unwrap_or(answer)
}

/// The records as a file: a JSON array, one record a line.
pub fn write(records: &[Value]) -> String {
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}
