//! Values of fact files. Of what is no text, number or list of texts only its kind is kept.

use super::{Implied, MOST_PROMPTS, MOST_TEXT};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value of a record, from any format.
#[derive(Debug, Default)]
pub(super) enum Value {
    /// Absent, or null.
    #[default]
    Missing,
    Text(String),
    /// A text with the id of what it names, as CounterFact's targets have it: `{"str": "Paris", "id": "Q90"}`.
    Named(String, String),
    /// A number as it is written.
    Number(String),
    /// A text of so many bytes: too many.
    Long(usize),
    /// A list of texts, their ends trimmed.
    List(Vec<String>),
    /// Prompts with answers of their own.
    Implied(Vec<Implied>),
    /// A list with something else in it, or one that is too long.
    Broken(Break),
    /// Something else, in words.
    Other(&'static str),
}

/// What is wrong with a list of texts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Break {
    /// An entry is none: what it is, in words.
    Entry(&'static str),
    /// An entry of so many bytes.
    Long(usize),
    /// More entries than a list can have.
    Many,
}

impl Value {
    /// A text, if it is not too long.
    pub(super) fn text(text: &str) -> Self {
        match text.len() {
            long if long > MOST_TEXT => Self::Long(long),
            _ => Self::Text(text.to_owned()),
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// Bytes that are kept of it.
    #[cfg(feature = "parquet")]
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Number(text) | Self::Named(text, _) => text.len(),
            Self::Implied(list) => {
                list.iter().map(|one| one.prompt.len() + one.answer.len() + size_of::<Implied>()).sum()
            }
            Self::List(list) => list.iter().map(|text| text.len() + size_of::<String>()).sum(),
            _ => 0,
        }
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Text(_) | Self::Named(..) => "a text",
            Self::Number(_) => "a number",
            Self::Long(_) => "too long a text",
            Self::Implied(_) => "an object",
            Self::List(_) | Self::Broken(_) => "a list",
            Self::Other(kind) => kind,
        }
    }
}

/// A list of texts while it is read.
#[derive(Default)]
pub(super) struct Texts {
    list: Vec<String>,
    wrong: Option<Break>,
}

impl Texts {
    pub(super) fn push(&mut self, value: Value) {
        let wrong = match value {
            Value::Text(_) | Value::Named(..) if self.list.len() >= MOST_PROMPTS => Break::Many,
            Value::Text(text) | Value::Named(text, _) if self.wrong.is_none() => {
                self.list.push(if text.trim().len() == text.len() { text } else { text.trim().into() });
                return;
            }
            Value::Text(_) | Value::Named(..) => return,
            Value::Long(bytes) => Break::Long(bytes),
            other => Break::Entry(other.kind()),
        };
        // What is not used needs no memory.
        self.list = Vec::new();
        self.wrong.get_or_insert(wrong);
    }

    pub(super) fn value(self) -> Value {
        self.wrong.map_or(Value::List(self.list), Value::Broken)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Missing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other("true or false"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(serde_json::Value::from(number).to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let (mut texts, mut implied) = (Texts::default(), Vec::new());
        while let Some(value) = seq.next_element()? {
            match value {
                Value::Implied(list) => implied = joined(implied, list),
                value => texts.push(value),
            }
        }
        Ok(if implied.is_empty() { texts.value() } else { Value::Implied(implied) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut found = Value::Other("an object");
        let (mut id, mut prompt, mut answer, mut implied) = (String::new(), String::new(), String::new(), Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "str" => found = map.next_value()?,
                "id" => id = map.next_value::<First>()?.0,
                // KnowEdit's, and those of EasyEdit's older files.
                "prompt" | "New Question" => prompt = map.next_value::<First>()?.0,
                "ground_truth" | "New Answer" => answer = map.next_value::<First>()?.0,
                _ => {
                    if let Value::Implied(list) = map.next_value()? {
                        implied = joined(implied, list);
                    }
                }
            }
        }
        if !prompt.is_empty() && !answer.is_empty() {
            implied = joined(implied, vec![Implied { prompt, answer }]);
        }
        Ok(match found {
            Value::Text(text) if !id.is_empty() => Value::Named(text, id),
            Value::Other(_) if !implied.is_empty() => Value::Implied(implied),
            found => found,
        })
    }
}

/// Two lists as one, as long as a fact's lists may be.
fn joined(mut all: Vec<Implied>, more: Vec<Implied>) -> Vec<Implied> {
    all.extend(more);
    all.truncate(MOST_PROMPTS);
    all
}

/// The first text of a value: of `[["Berlin", "West Berlin"]]` it is `Berlin`. Empty where there is none, or it is too long.
struct First(String);

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FirstText).map(Self)
    }
}

struct FirstText;

impl<'de> Visitor<'de> for FirstText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(if text.len() > MOST_TEXT { String::new() } else { text.trim().into() })
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<String, A::Error> {
        let mut first = String::new();
        while let Some(First(text)) = seq.next_element()? {
            if first.is_empty() {
                first = text;
            }
        }
        Ok(first)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}
