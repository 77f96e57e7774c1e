//! Where in a record that does not read the fault is. serde does not tell, so the file is gone through again, one fact at
//! a time; nothing of it is kept.

use super::broken;
use crate::Error;
use crate::gz::Source;
use crate::record::{EditRecord, FactRecord};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// The error with the fact or edit that does not read.
pub(super) fn locate(source: &Source<'_>, error: &serde_json::Error) -> Error {
    if source.json::<IgnoredAny>().is_err() {
        return broken(error);
    }
    let at = Cell::new(None);
    let found = source.json_seed(Root { at: &at });
    let (Some((list, index)), Err(error)) = (at.get(), found) else {
        return Error::input(format!("not an Engram record: {error}"));
    };
    let id = source.json_seed(Entry { list, index }).ok().flatten();
    let id = id.map(|id| format!(" (id {id})")).unwrap_or_default();
    let message = format!("{list}[{index}]{id}: {error}");
    match message.contains("invalid type: null") {
        true => Error::input(message).hint("null is how some programs write NaN; a record holds finite numbers only"),
        false => Error::input(message),
    }
}

/// Reads facts and edits one after the other and notes where it was.
struct Root<'a> {
    at: &'a Cell<Option<(&'static str, usize)>>,
}

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "facts" => map.next_value_seed(Each::<FactRecord>::of("facts", self.at))?,
                "edits" => map.next_value_seed(Each::<EditRecord>::of("edits", self.at))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Reads a list of `T` and keeps none.
struct Each<'a, T> {
    list: &'static str,
    at: &'a Cell<Option<(&'static str, usize)>>,
    entry: std::marker::PhantomData<T>,
}

impl<'a, T> Each<'a, T> {
    fn of(list: &'static str, at: &'a Cell<Option<(&'static str, usize)>>) -> Self {
        Self { list, at, entry: std::marker::PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Each<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0.. {
            self.at.set(Some((self.list, index)));
            if seq.next_element::<T>()?.is_none() {
                break;
            }
        }
        self.at.set(None);
        Ok(())
    }
}

/// What is told of an entry that does not read.
#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

/// Walks to one entry of a list of the record, and past it.
struct Entry {
    list: &'static str,
    index: usize,
}

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entry {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record or a list of it")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { list, index } = self;
        let mut id = None;
        while let Some(key) = map.next_key::<String>()? {
            match key == list {
                true => id = map.next_value_seed(Self { list, index })?,
                false => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(id)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.index {
            seq.next_element::<IgnoredAny>()?;
        }
        let named = seq.next_element::<Named>()?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(named.and_then(|named| named.id).map(|id| id.chars().take(100).collect()))
    }
}
