//! Values of fact files. What is no text, number or list of texts is passed over, and only its kind is kept.

use super::super::{MOST_PROMPTS, MOST_TEXT};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// A single value.
#[derive(Default)]
pub(super) enum Cell {
    /// Absent, or null.
    #[default]
    Missing,
    Text(String),
    /// A number as it is written.
    Number(String),
    /// A text of so many bytes: too many.
    Long(usize),
    /// Something else, in words.
    Other(&'static str),
}

/// `{"str": …}` or a single value.
pub(super) enum Target {
    Object(Cell),
    Plain(Cell),
}

/// A list of texts.
pub(super) enum Texts {
    List(Vec<String>),
    /// No list, or the first entry that is no text.
    Wrong(Cell),
    /// Too many.
    Many,
}

/// What CounterFact has in `requested_rewrite`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Fields {
    pub(super) prompt: Cell,
    pub(super) relation_id: Cell,
    pub(super) subject: Cell,
    pub(super) target_new: Target,
    pub(super) target_true: Target,
}

/// `requested_rewrite` itself.
#[derive(Default)]
pub(super) enum Rewrite {
    #[default]
    Missing,
    Found(Box<Fields>),
    Other,
}

impl Cell {
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }
}

impl Default for Target {
    fn default() -> Self {
        Self::Plain(Cell::Missing)
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// What can be made of a value: of a single one, and perhaps of a list or an object.
trait Kept: Sized {
    fn single(cell: Cell) -> Self;

    fn list<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::single(Cell::Other("a list")))
    }

    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::single(Cell::Other("an object")))
    }
}

impl Kept for Cell {
    fn single(cell: Cell) -> Self {
        cell
    }
}

impl Kept for Target {
    fn single(cell: Cell) -> Self {
        Self::Plain(cell)
    }

    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut found = Cell::Missing;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "str" => found = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Self::Object(found))
    }
}

impl Kept for Texts {
    fn single(cell: Cell) -> Self {
        match cell {
            Cell::Missing => Self::default(),
            other => Self::Wrong(other),
        }
    }

    fn list<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        let mut list = Vec::new();
        let mut wrong = None;
        while let Some(cell) = seq.next_element()? {
            match cell {
                Cell::Text(text) if list.len() < MOST_PROMPTS => {
                    list.push(if text.trim().len() == text.len() { text } else { text.trim().into() });
                }
                Cell::Text(_) => wrong = wrong.or(Some(Self::Many)),
                other => wrong = wrong.or(Some(Self::Wrong(other))),
            }
        }
        Ok(wrong.unwrap_or(Self::List(list)))
    }
}

impl Kept for Rewrite {
    fn single(cell: Cell) -> Self {
        if cell.is_missing() { Self::Missing } else { Self::Other }
    }

    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        let fields = Fields::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        Ok(Self::Found(Box::new(fields)))
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Kept> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::single(Cell::Missing))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<T, E> {
        Ok(T::single(Cell::Other("true or false")))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::single(Cell::Number(number.to_string())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::single(Cell::Number(number.to_string())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(T::single(Cell::Number(serde_json::Value::from(number).to_string())))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::single(match text.len() {
            long if long > MOST_TEXT => Cell::Long(long),
            _ => Cell::Text(text.to_owned()),
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::list(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Rewrite {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}
