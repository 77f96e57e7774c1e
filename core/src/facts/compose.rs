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
/// Relations whose answers are of one sort (cities, countries, languages): they lend each other neighbours.
const KINDRED: [&[&str]; 3] = [&["P19", "P20", "P36", "P159"], &["P17", "P27", "P495"], &["P37", "P103"]];
/// Neighbourhood and attribute prompts of a record, at most.
const NEIGHBOURS: usize = 5;
/// Facts of a relation, at most, so that none outweighs the others.
const MOST: usize = 170;
/// Seed of the choice of facts, neighbours and counterfactual answers.
const SEED: u64 = 42;

type Row = BTreeMap<String, String>;
type Wordings = BTreeMap<String, Vec<String>>;

/// One cell of a table as a fact.
#[derive(Clone, Copy)]
struct Told<'a> {
    relation: &'static str,
    subject: &'a str,
    answer: &'a str,
    /// Answers (`;` between them) that hold too, or might: no counterfactuals.
    also: &'a str,
}

impl<'a> Told<'a> {
    /// The sort of answer and the answer: what neighbours have in common.
    fn key(&self) -> (&'static str, &'a str) {
        let kin = KINDRED.iter().find(|kin| kin.contains(&self.relation));
        (kin.map_or(self.relation, |kin| kin[0]), self.answer)
    }

    fn prompt(&self, wordings: &Wordings, turn: usize) -> String {
        let templates = &wordings[self.relation];
        templates[turn % templates.len()].replace(SLOT, self.subject)
    }

    /// Whether the other's answer is surely wrong for this subject, differs from the first word on, so that their first
    /// tokens can be told apart, and is not given away by the subject.
    fn may_become(&self, other: &Told<'_>) -> bool {
        other.relation == self.relation
            && other.answer.split(' ').next() != self.answer.split(' ').next()
            && !self.also.split(';').any(|also| also.trim() == other.answer)
            && !self.subject.contains(other.answer)
    }
}

/// Records in CounterFact's schema, a JSON object each. `tables` are (name, CSV); `templates` is CSV with the columns
/// `relation` and `template`.
///
/// A fact is left out where its subject has two answers, or where no other subject has its answer: it would have no
/// neighbourhood. Whatever a record mentions is itself a fact of the result.
///
/// # Errors
/// A table that is missing or malformed, a relation without templates or with one answer only.
pub fn compose(tables: &[(&str, &str)], templates: &str) -> Result<Vec<Value>> {
    let wordings = wordings(templates)?;
    let mut rows = BTreeMap::new();
    for (name, text) in tables {
        rows.insert(*name, read(name, text)?);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let facts = shared(sample(shared(told(&rows)?), &mut rng));
    let mut turns = BTreeMap::<&str, usize>::new();
    let mut records = Vec::with_capacity(facts.len());
    for fact in &facts {
        let turn = turns.entry(fact.relation).or_default();
        *turn += 1;
        let wrong: Vec<_> = facts.iter().filter(|other| fact.may_become(other)).collect();
        let wrong = wrong.choose(&mut rng).ok_or_else(|| {
            Error::input(format!("no counterfactual answer for {} ({})", fact.subject, fact.relation))
                .hint("the relation needs another answer that some two subjects share")
        })?;
        let near = neighbours(&facts, fact, fact);
        let attribute = neighbours(&facts, wrong, fact);
        let mut ask = |of: &[&Told<'_>]| -> Vec<String> {
            let start = rng.random_range(0..wordings[fact.relation].len());
            let chosen = of.choose_multiple(&mut rng, NEIGHBOURS);
            chosen.enumerate().map(|(i, other)| other.prompt(&wordings, start + i)).collect()
        };
        let (near, attribute) = (ask(&near), ask(&attribute));
        let templates = &wordings[fact.relation];
        let paraphrases: Vec<_> = (1..templates.len()).map(|i| fact.prompt(&wordings, *turn + i)).collect();
        records.push(json!({
            "case_id": records.len(),
            "requested_rewrite": {
                "prompt": templates[*turn % templates.len()],
                "relation_id": fact.relation,
                "target_new": { "str": wrong.answer },
                "target_true": { "str": fact.answer },
                "subject": fact.subject,
            },
            "paraphrase_prompts": paraphrases,
            "neighborhood_prompts": near,
            "attribute_prompts": attribute,
            "generation_prompts": [fact.prompt(&wordings, *turn + 2), fact.prompt(&wordings, *turn + 5)],
        }));
    }
    Ok(records)
}

/// Other subjects than `fact`'s with the answer of `like`: of its relation, or else of a kindred one.
fn neighbours<'a>(facts: &'a [Told<'a>], like: &Told<'_>, fact: &Told<'_>) -> Vec<&'a Told<'a>> {
    let all: Vec<_> = facts.iter().filter(|other| other.key() == like.key() && other.subject != fact.subject).collect();
    let near: Vec<_> = all.iter().copied().filter(|other| other.relation == like.relation).collect();
    if near.is_empty() { all } else { near }
}

/// A CSV table's rows, by column.
fn read(table: &str, text: &str) -> Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let rows = reader.deserialize().collect::<std::result::Result<_, _>>();
    rows.map_err(|error| {
        Error::input(format!("{table}.csv: {error}")).hint("one row a subject, as many cells as the header")
    })
}

/// Each relation's templates.
fn wordings(text: &str) -> Result<Wordings> {
    let mut wordings = Wordings::new();
    for row in read("templates", text)? {
        let (relation, template) = (cell(&row, "relation"), cell(&row, "template"));
        wordings.entry(relation.into()).or_default().push(template.into());
    }
    match COLUMNS.iter().find(|(relation, ..)| !wordings.contains_key(*relation)) {
        Some((relation, ..)) => {
            Err(Error::input(format!("templates.csv has no template for {relation}")).hint("add six or more"))
        }
        None => Ok(wordings),
    }
}

fn cell<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).map_or("", String::as_str)
}

/// Every filled cell as a fact, once; none where a subject has two answers to one relation.
fn told<'a>(tables: &'a BTreeMap<&str, Vec<Row>>) -> Result<Vec<Told<'a>>> {
    let mut all = Vec::new();
    for (relation, table, column) in COLUMNS {
        let rows = tables.get(table).ok_or_else(|| Error::input(format!("there is no table {table}.csv")))?;
        all.extend(rows.iter().filter(|row| !cell(row, column).is_empty()).map(|row| Told {
            relation,
            subject: cell(row, "name"),
            answer: cell(row, column),
            also: cell(row, "also"),
        }));
    }
    let mut answers = BTreeMap::<_, BTreeSet<_>>::new();
    for fact in &all {
        answers.entry((fact.relation, fact.subject)).or_default().insert(fact.answer);
    }
    // The entry goes with the first: a repetition finds none.
    all.retain(|fact| answers.remove(&(fact.relation, fact.subject)).is_some_and(|answers| answers.len() == 1));
    Ok(all)
}

/// Facts whose answer some other subject shares.
fn shared(mut facts: Vec<Told<'_>>) -> Vec<Told<'_>> {
    let mut subjects = BTreeMap::<_, BTreeSet<_>>::new();
    for fact in &facts {
        subjects.entry(fact.key()).or_default().insert(fact.subject);
    }
    facts.retain(|fact| subjects[&fact.key()].len() > 1);
    facts
}

/// [`MOST`] facts of each relation, in their order.
fn sample<'a>(facts: Vec<Told<'a>>, rng: &mut ChaCha8Rng) -> Vec<Told<'a>> {
    let mut of_relation = BTreeMap::<_, Vec<usize>>::new();
    for (index, fact) in facts.iter().enumerate() {
        of_relation.entry(fact.relation).or_default().push(index);
    }
    let kept: BTreeSet<usize> =
        of_relation.values().flat_map(|all| all.choose_multiple(rng, MOST).copied().collect::<Vec<_>>()).collect();
    kept.into_iter().map(|index| facts[index]).collect()
}

/// The records as a file: a JSON array, one record a line.
pub fn write(records: &[Value]) -> String {
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}
