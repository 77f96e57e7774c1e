//! CounterFact and known_1000 JSON.

use super::{Fact, template_of};
use crate::{Error, Result};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// The keys of both formats that are read; all others are skipped without being kept.
#[derive(Deserialize, Default)]
#[serde(default, expecting = "an object")]
struct Raw {
    case_id: Value,
    known_id: Value,
    requested_rewrite: Value,
    paraphrase_prompts: Value,
    neighborhood_prompts: Value,
    subject: Value,
    attribute: Value,
    prompt: Value,
    template: Value,
    relation_id: Value,
    target_new: Value,
}

/// Reads an array of records, one at a time, so that a 20 MB file is never a tree in memory.
pub(super) fn parse(text: &str) -> Result<Vec<Fact>> {
    let mut failed = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let facts = (&mut reader).deserialize_seq(Records { failed: &mut failed });
    match (failed, facts) {
        (Some((index, error)), _) => Err(explain(text, index, error)),
        (None, Err(error)) => {
            Err(Error::input(format!("not valid JSON: {error}"))
                .hint("the file may be cut off; copy or download it again"))
        }
        (None, Ok(facts)) => match reader.end() {
            Ok(()) => Ok(facts),
            Err(_) => Err(Error::input("text after the end of the JSON array").hint("keep one array a file")),
        },
    }
}

struct Records<'a> {
    /// Our own error, which keeps its hint; serde's error type cannot carry it.
    failed: &'a mut Option<(usize, Error)>,
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
            match seq.next_element::<Raw>() {
                Ok(None) => return Ok(facts),
                Ok(Some(raw)) => match fact(index, raw) {
                    Ok(fact) => facts.push(fact),
                    Err(error) => {
                        *self.failed = Some((index, error));
                        return Err(A::Error::custom(""));
                    }
                },
                Err(error) => return Err(A::Error::custom(format!("record {}: {error}", index + 1))),
            }
        }
    }
}

fn fact(index: usize, mut raw: Raw) -> Result<Fact> {
    let id = [&raw.case_id, &raw.known_id].into_iter().find(|id| !id.is_null()).map(plain);
    let id = id.unwrap_or_else(|| index.to_string());
    if raw.requested_rewrite.is_null() {
        return known(id, raw);
    }
    let Value::Object(mut rewrite) = raw.requested_rewrite.take() else {
        return Err(Error::input("requested_rewrite is not an object"));
    };
    let mut field = |key: &str| rewrite.remove(key).unwrap_or_default();
    let subject = text("requested_rewrite.subject", field("subject"))?;
    let prompt = text("requested_rewrite.prompt", field("prompt"))?;
    Ok(Fact {
        id,
        relation: optional("requested_rewrite.relation_id", field("relation_id"))?,
        template: template_of(&prompt, &subject).map_err(|error| error.at("requested_rewrite.prompt"))?,
        subject,
        target_true: target("requested_rewrite.target_true", field("target_true"))?,
        target_new: match field("target_new") {
            Value::Null => String::new(),
            found => target("requested_rewrite.target_new", found)?,
        },
        paraphrases: texts("paraphrase_prompts", raw.paraphrase_prompts)?,
        neighbourhood: texts("neighborhood_prompts", raw.neighborhood_prompts)?,
    })
}

/// known_1000: `template` lacks words that `prompt` has in 478 of 1,209 records, so the prompt decides.
fn known(id: String, raw: Raw) -> Result<Fact> {
    let subject = text("subject", raw.subject)?;
    let prompt = text("prompt", if raw.prompt.is_null() { raw.template } else { raw.prompt })?;
    Ok(Fact {
        id,
        relation: optional("relation_id", raw.relation_id)?,
        template: template_of(&prompt, &subject).map_err(|error| error.at("prompt"))?,
        subject,
        target_true: target("attribute", raw.attribute)?,
        target_new: if raw.target_new.is_null() { String::new() } else { target("target_new", raw.target_new)? },
        paraphrases: texts("paraphrase_prompts", raw.paraphrase_prompts)?,
        neighbourhood: texts("neighborhood_prompts", raw.neighborhood_prompts)?,
    })
}

fn wrong(field: &str, value: &Value) -> Error {
    let found = match value {
        Value::Null => "missing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Error::input(format!("{field} is {found}"))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}

/// A text, its ends trimmed: spaces there would become tokens of their own.
fn text(field: &str, value: Value) -> Result<String> {
    match value {
        Value::String(text) if text.trim().len() == text.len() => Ok(text),
        Value::String(text) => Ok(text.trim().into()),
        other => Err(wrong(field, &other)),
    }
}

fn optional(field: &str, value: Value) -> Result<String> {
    if value.is_null() { Ok(String::new()) } else { text(field, value) }
}

/// `{"str": "Paris"}` or `"Paris"`.
fn target(field: &str, value: Value) -> Result<String> {
    match value {
        Value::Object(mut object) => text(&format!("{field}.str"), object.remove("str").unwrap_or_default()),
        other => text(field, other),
    }
}

fn texts(field: &str, value: Value) -> Result<Vec<String>> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) => list.into_iter().map(|entry| text(field, entry)).collect(),
        other => Err(wrong(field, &other)),
    }
}

/// Adds the record's number and, when the error has no hint of its own, which keys the record does have. Only on the
/// way to an error is the record read a second time.
fn explain(text: &str, index: usize, error: Error) -> Error {
    let error = error.at(format!("record {}", index + 1));
    if error.next_step().is_some() {
        return error;
    }
    let keys = nth(text, index).map(|record| {
        let inner = record.get("requested_rewrite").and_then(Value::as_object);
        let list = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>().join(", ");
        match inner {
            Some(inner) => format!("{}; in requested_rewrite: {}", list(&record), list(inner)),
            None => list(&record),
        }
    });
    error.hint(format!(
        "the record has: {}. CounterFact needs requested_rewrite {{prompt, subject, target_true}}, known_1000 needs \
         subject, attribute, prompt",
        keys.filter(|keys| !keys.is_empty()).unwrap_or_else(|| "nothing".into())
    ))
}

fn nth(text: &str, index: usize) -> Option<Map<String, Value>> {
    struct Nth(usize);
    impl<'de> Visitor<'de> for Nth {
        type Value = Option<Value>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            for _ in 0..self.0 {
                seq.next_element::<IgnoredAny>()?;
            }
            let found = seq.next_element()?;
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(found)
        }
    }
    match serde_json::Deserializer::from_str(text).deserialize_seq(Nth(index)) {
        Ok(Some(Value::Object(map))) => Some(map),
        _ => None,
    }
}
