//! Values of fact files. Of what is no text, number or list of texts only its kind is kept.

use super::{MOST_PROMPTS, MOST_TEXT};
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
    /// A number as it is written.
    Number(String),
    /// A text of so many bytes: too many.
    Long(usize),
    /// A list of texts, their ends trimmed.
    List(Vec<String>),
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
            Self::Text(text) | Self::Number(text) => text.len(),
            Self::List(list) => list.iter().map(|text| text.len() + size_of::<String>()).sum(),
            _ => 0,
        }
    }

    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Long(_) => "too long a text",
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
            Value::Text(_) if self.list.len() >= MOST_PROMPTS => Break::Many,
            Value::Text(text) if self.wrong.is_none() => {
                self.list.push(if text.trim().len() == text.len() { text } else { text.trim().into() });
                return;
            }
            Value::Text(_) => return,
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
        let mut texts = Texts::default();
        while let Some(value) = seq.next_element()? {
            texts.push(value);
        }
        Ok(texts.value())
    }

    /// CounterFact's targets are objects: `{"str": "Paris", "id": "Q90"}`.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut found = Value::Other("an object");
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "str" => found = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}
