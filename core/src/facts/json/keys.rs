//! Names of keys: for a hint, and to find the records in an object.

use super::super::FORMATS;
use super::super::fields::{Column, NAME, REWRITE, ROW, Shared, TEMPLATES};
use super::super::value::Value;
use crate::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// Most names that are told, and half of how much of each.
const TOLD: usize = 20;

/// Which object is meant.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    /// The value itself.
    Here,
    /// The entry of an array, which may be the value of a key.
    Entry(Option<&'a str>, usize),
}

/// The names of an object's keys, as a list for people.
pub(super) struct Keys<'a> {
    pub(super) at: At<'a>,
}

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<String, D::Error> {
        match self.at {
            At::Entry(None, _) => deserializer.deserialize_seq(self),
            At::Entry(Some(_), _) | At::Here => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<String, A::Error> {
        let At::Entry(_, index) = self.at else { return Err(A::Error::custom("no object")) };
        for _ in 0..index {
            seq.next_element::<IgnoredAny>()?;
        }
        let found = seq.next_element_seed(Keys { at: At::Here })?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found.unwrap_or_default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<String, A::Error> {
        let (mut names, mut inner) = (BTreeSet::new(), None);
        while let Some(name) = map.next_key::<String>()? {
            match self.at {
                At::Entry(Some(key), index) if key == name => {
                    inner = Some(map.next_value_seed(Keys { at: At::Entry(None, index) })?);
                }
                // Its name alone says nothing where it is no object; that is told by itself.
                At::Here if name == REWRITE || name == ROW => {
                    inner = Some(format!("; in {name}: {}", map.next_value_seed(Keys { at: At::Here })?));
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            if names.len() <= TOLD {
                names.insert(name.chars().take(2 * TOLD).collect::<String>());
            }
        }
        if matches!(self.at, At::Entry(..)) {
            return Ok(inner.unwrap_or_default());
        }
        let mut list: Vec<&str> = names.iter().map(String::as_str).take(TOLD).collect();
        list.extend((names.len() > TOLD).then_some("…"));
        Ok(list.join(", ") + &inner.unwrap_or_default())
    }
}

/// Looks what an object is: a record, or something around an array of records.
pub(super) struct Outline;

/// What an object is.
#[derive(Default)]
pub(super) struct Found {
    /// It has what a record has.
    record: bool,
    /// It has a record's names, but lists or objects where the values should be.
    columns: bool,
    /// Keys whose values are arrays.
    arrays: Vec<String>,
    names: String,
    pub(super) shared: Shared,
}

impl Found {
    pub(super) fn is_record(&self) -> bool {
        self.record
    }

    /// The key whose array holds the records: the only one, or that of the dataset viewer.
    pub(super) fn array(&self) -> Result<String> {
        let named = |wanted: &str| self.arrays.iter().find(|name| name.as_str() == wanted);
        if self.columns {
            return Err(Error::input("a JSON object of columns where records are wanted")
                .hint("write it record by record; in pandas: to_json(orient=\"records\")"));
        }
        match &self.arrays[..] {
            [only] => Ok(only.clone()),
            [] => Err(Error::input("a JSON object without an array of facts").hint(format!(
                "the object has: {}; facts are records in an array, or one a line. {FORMATS}",
                self.names
            ))),
            [_, ..] => ["rows", "data"].into_iter().find_map(named).cloned().ok_or_else(|| {
                let arrays = self.arrays.join(", ");
                Error::input(format!("a JSON object with several arrays: {arrays}"))
                    .hint("keep the one with the facts alone in the file")
            }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Outline {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Found, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Outline {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Found, A::Error> {
        let mut found = Found::default();
        let mut told = 0;
        while let Some(name) = map.next_key::<String>()? {
            if name == TEMPLATES {
                if let Value::List(templates) = map.next_value()? {
                    found.shared.templates = templates;
                }
                continue;
            }
            if name == NAME {
                if let Value::Text(relation) = map.next_value()? {
                    found.shared.relation = relation;
                }
                continue;
            }
            let shape: Shape = map.next_value()?;
            let named = Column::of(&name).is_some_and(|known| matches!(known.column, Column::Subject | Column::Prompt));
            found.record |= named && shape == Shape::Single;
            found.record |= (name == REWRITE || name == ROW) && shape == Shape::Object;
            found.columns |= named && shape != Shape::Single;
            if shape == Shape::Array
                && !name.starts_with(TEMPLATES)
                && found.arrays.len() < TOLD
                && name.len() <= 4 * TOLD
            {
                found.arrays.push(name.clone());
            }
            if told < TOLD {
                let comma = if told == 0 { "" } else { ", " };
                found.names += comma;
                found.names.extend(name.chars().take(2 * TOLD));
            }
            told += 1;
        }
        Ok(found)
    }
}

/// What a value is.
#[derive(PartialEq)]
enum Shape {
    Single,
    Array,
    Object,
}

impl<'de> serde::Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> std::result::Result<Shape, E> {
        Ok(Shape::Single)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Shape, E> {
        Ok(Shape::Single)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Shape, E> {
        Ok(Shape::Single)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Shape, E> {
        Ok(Shape::Single)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Shape, E> {
        Ok(Shape::Single)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Shape, E> {
        Ok(Shape::Single)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Shape, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Shape, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Shape::Object)
    }
}
