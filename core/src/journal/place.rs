//! Where in a record that does not read the fault is. serde does not tell, so the file is gone through again, one fact at
//! a time; nothing of it is kept.

use super::broken;
use crate::Error;
use crate::gz::Source;
use crate::record::{EditRecord, FactRecord};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
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
    let entry = source.json_seed(Entry { list, index }).unwrap_or_default();
    let id = entry.id.map(|id| format!(" (id {id})")).unwrap_or_default();
    let error = Error::input(format!("{list}[{index}]{id}: {error}"));
    match entry.null {
        true => error.hint("null is how some programs write NaN; a record holds finite numbers only"),
        false => error,
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
#[derive(Default)]
struct Told {
    id: Option<String>,
    null: bool,
}

/// Looks at one entry of one list, by walking there.
struct Entry {
    list: &'static str,
    index: usize,
}

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = Told;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Told, D::Error> {
        deserializer.deserialize_map(Walk { list: Some((self.list, self.index)), null: &Cell::new(false) })
    }
}

/// Goes over a value. At the root only the list that is meant counts; within it, only the entry.
struct Walk<'a> {
    list: Option<(&'static str, usize)>,
    null: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Told;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Told, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Walk<'_> {
    /// What lies below.
    fn inner(&self) -> Walk<'_> {
        Walk { list: None, null: self.null }
    }

    fn told(&self, id: Option<String>) -> Told {
        Told { id, null: self.null.get() }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Told;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Told, E> {
        self.null.set(true);
        Ok(self.told(None))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Told, E> {
        Ok(self.told(None))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Told, E> {
        Ok(self.told(None))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Told, E> {
        Ok(self.told(None))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Told, E> {
        Ok(self.told(None))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Told, E> {
        Ok(self.told(Some(text.chars().take(100).collect())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Told, A::Error> {
        let Some((_, index)) = self.list else {
            while seq.next_element_seed(self.inner())?.is_some() {}
            return Ok(self.told(None));
        };
        for _ in 0..index {
            seq.next_element::<IgnoredAny>()?;
        }
        let told = seq.next_element_seed(self.inner())?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        told.ok_or_else(|| A::Error::custom("no such entry"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Told, A::Error> {
        let mut id = None;
        while let Some(key) = map.next_key::<String>()? {
            match self.list {
                Some((list, _)) if key == list => {
                    id = map.next_value_seed(Walk { list: self.list, null: self.null })?.id;
                }
                Some(_) => drop(map.next_value::<IgnoredAny>()?),
                None => {
                    let told = map.next_value_seed(self.inner())?;
                    id = if key == "id" { told.id } else { id };
                }
            }
        }
        Ok(self.told(id))
    }
}
