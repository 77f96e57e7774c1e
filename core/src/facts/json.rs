//! CounterFact and known_1000 JSON, read as a stream: of a record only what facts are made of is ever kept.

mod cell;

use super::{Fact, MOST_FACTS, MOST_PROMPTS, template_of, too_long, too_many};
use crate::gz::Source;
use crate::{Error, Result};
use cell::{Cell, Rewrite, Target, Texts};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// The keys of both formats that are read; all others are skipped without being kept.
#[derive(Deserialize, Default)]
#[serde(default, expecting = "an object")]
struct Raw {
    case_id: Cell,
    known_id: Cell,
    requested_rewrite: Rewrite,
    paraphrase_prompts: Texts,
    neighborhood_prompts: Texts,
    subject: Cell,
    attribute: Target,
    prompt: Cell,
    template: Cell,
    relation_id: Cell,
    target_new: Target,
}

/// Reads an array of records, one at a time, so that a 20 MB file is never a tree in memory.
pub(super) fn parse(source: &Source<'_>) -> Result<Vec<Fact>> {
    let mut failed = None;
    let facts = source.json_seed(Records { failed: &mut failed });
    match (failed, facts) {
        (Some((_, error)), _) if error.next_step().is_some() => Err(error),
        (Some((index, error)), _) => Err(explain(source, index, error)),
        (None, Ok(facts)) => Ok(facts),
        (None, Err(error)) if error.to_string().starts_with("trailing characters") => {
            Err(Error::input("text after the end of the JSON array").hint("keep one array a file"))
        }
        (None, Err(error)) => {
            Err(Error::input(format!("not valid JSON: {error}"))
                .hint("the file may be cut off; copy or download it again"))
        }
    }
}

struct Records<'a> {
    /// Our own error, which keeps its hint; serde's error type cannot carry it.
    failed: &'a mut Option<(usize, Error)>,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = Vec<Fact>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Fact>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = Vec<Fact>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of facts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Fact>, A::Error> {
        let mut facts = Vec::new();
        loop {
            let index = facts.len();
            let next = seq.next_element::<Raw>();
            let next = next.map_err(|error| A::Error::custom(format!("record {}: {error}", index + 1)))?;
            let Some(raw) = next else { return Ok(facts) };
            let fact = match index {
                MOST_FACTS => Err(too_many()),
                _ => fact(index, raw).map_err(|error| error.at(format!("record {}", index + 1))),
            };
            match fact {
                Ok(fact) => facts.push(fact),
                Err(error) => {
                    *self.failed = Some((index, error));
                    return Err(A::Error::custom(""));
                }
            }
        }
    }
}

fn fact(index: usize, raw: Raw) -> Result<Fact> {
    let id = [raw.case_id, raw.known_id].into_iter().find(|id| !id.is_missing());
    let id = id.map_or_else(|| Ok(index.to_string()), |id| plain("the id", id))?;
    let rewrite = match raw.requested_rewrite {
        Rewrite::Missing => {
            // known_1000: `template` lacks words that `prompt` has in 478 of 1,209 records, so the prompt decides.
            let prompt = if raw.prompt.is_missing() { raw.template } else { raw.prompt };
            let subject = text("subject", raw.subject)?;
            let prompt = text("prompt", prompt)?;
            return Ok(Fact {
                id,
                relation: optional("relation_id", raw.relation_id)?,
                template: template_of(&prompt, &subject).map_err(|error| error.at("prompt"))?,
                subject,
                target_true: target("attribute", raw.attribute)?,
                target_new: target_or_none("target_new", raw.target_new)?,
                paraphrases: texts("paraphrase_prompts", raw.paraphrase_prompts)?,
                neighbourhood: texts("neighborhood_prompts", raw.neighborhood_prompts)?,
                ..Fact::default()
            });
        }
        Rewrite::Other => return Err(Error::input("requested_rewrite is not an object")),
        Rewrite::Found(rewrite) => *rewrite,
    };
    let subject = text("requested_rewrite.subject", rewrite.subject)?;
    let prompt = text("requested_rewrite.prompt", rewrite.prompt)?;
    Ok(Fact {
        id,
        relation: optional("requested_rewrite.relation_id", rewrite.relation_id)?,
        template: template_of(&prompt, &subject).map_err(|error| error.at("requested_rewrite.prompt"))?,
        subject,
        target_true: target("requested_rewrite.target_true", rewrite.target_true)?,
        target_new: target_or_none("requested_rewrite.target_new", rewrite.target_new)?,
        paraphrases: texts("paraphrase_prompts", raw.paraphrase_prompts)?,
        neighbourhood: texts("neighborhood_prompts", raw.neighborhood_prompts)?,
        ..Fact::default()
    })
}

fn wrong(field: &str, found: &Cell) -> Error {
    match found {
        Cell::Missing => Error::input(format!("{field} is missing")),
        Cell::Number(_) => Error::input(format!("{field} is a number")),
        Cell::Text(_) => Error::input(format!("{field} is a text")),
        Cell::Long(bytes) => too_long(field, *bytes),
        Cell::Other(kind) => Error::input(format!("{field} is {kind}")),
    }
}

fn plain(field: &str, found: Cell) -> Result<String> {
    match found {
        Cell::Text(text) | Cell::Number(text) => Ok(text),
        other => Err(wrong(field, &other)),
    }
}

/// A text, its ends trimmed: spaces there would become tokens of their own.
fn text(field: &str, found: Cell) -> Result<String> {
    match found {
        Cell::Text(text) if text.trim().len() == text.len() => Ok(text),
        Cell::Text(text) => Ok(text.trim().into()),
        other => Err(wrong(field, &other)),
    }
}

fn optional(field: &str, found: Cell) -> Result<String> {
    if found.is_missing() { Ok(String::new()) } else { text(field, found) }
}

/// `{"str": "Paris"}` or `"Paris"`.
fn target(field: &str, found: Target) -> Result<String> {
    match found {
        Target::Object(inner) => text(&format!("{field}.str"), inner),
        Target::Plain(found) => text(field, found),
    }
}

fn target_or_none(field: &str, found: Target) -> Result<String> {
    match found {
        Target::Plain(Cell::Missing) => Ok(String::new()),
        found => target(field, found),
    }
}

fn texts(field: &str, found: Texts) -> Result<Vec<String>> {
    match found {
        Texts::List(list) => Ok(list),
        Texts::Wrong(found) => Err(wrong(field, &found)),
        Texts::Many => Err(Error::input(format!("{field} has more than {MOST_PROMPTS} entries"))
            .hint("the file is damaged, or not what it seems")),
    }
}

/// Which keys the record does have. Only on the way to an error is the file read a second time.
fn explain(source: &Source<'_>, index: usize, error: Error) -> Error {
    let keys = source.json_seed(Keys { of: Some(index) }).unwrap_or_default();
    error.hint(format!(
        "the record has: {}. CounterFact needs requested_rewrite {{prompt, subject, target_true}}, known_1000 needs \
         subject, attribute, prompt",
        if keys.is_empty() { "nothing" } else { &keys }
    ))
}

/// The names of an object's keys, as a list for people.
struct Keys {
    /// The record of an array that is meant; `None` for the value itself.
    of: Option<usize>,
}

/// Most names that are told, and how much of each.
const TOLD: usize = 20;

impl<'de> DeserializeSeed<'de> for Keys {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        match self.of {
            Some(_) => deserializer.deserialize_seq(self),
            None => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<String, A::Error> {
        for _ in 0..self.of.unwrap_or_default() {
            seq.next_element::<IgnoredAny>()?;
        }
        let found = seq.next_element_seed(Self { of: None })?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found.unwrap_or_default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let (mut names, mut inner) = (BTreeSet::new(), String::new());
        while let Some(name) = map.next_key::<String>()? {
            if name == "requested_rewrite" {
                inner = map.next_value_seed(Self { of: None })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
            if names.len() <= TOLD {
                names.insert(name.chars().take(2 * TOLD).collect::<String>());
            }
        }
        let mut list: Vec<&str> = names.iter().map(String::as_str).take(TOLD).collect();
        list.extend((names.len() > TOLD).then_some("…"));
        let inner = if inner.is_empty() { inner } else { format!("; in requested_rewrite: {inner}") };
        Ok(list.join(", ") + &inner)
    }
}
