//! Records of JSON, by the names of their fields.

use super::super::defect::Place;
use super::super::fields::{CUT, Column, REWRITE, ROW, Raw, Shared};
use super::super::gather::Gathered;
use super::super::value::Value;
use crate::Error;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Our own error, which keeps its hint; serde's error type cannot carry it.
pub(super) type Failed = Option<Error>;

/// An array of records, or the object whose key holds it.
pub(super) struct Records<'a> {
    pub(super) key: Option<&'a str>,
    pub(super) shared: &'a Shared,
    pub(super) gathered: &'a mut Gathered,
    pub(super) failed: &'a mut Failed,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.key {
            Some(_) => deserializer.deserialize_map(self),
            None => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of facts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        for number in 1.. {
            let (gathered, failed) = (&mut *self.gathered, &mut *self.failed);
            let record = Record { place: Place::Record(number), shared: self.shared, gathered, failed };
            let next = seq.next_element_seed(record);
            if next.map_err(|error| A::Error::custom(format!("record {number}: {error}")))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let wanted = self.key.unwrap_or_default();
        while let Some(key) = map.next_key::<String>()? {
            if key == wanted {
                let (gathered, failed) = (&mut *self.gathered, &mut *self.failed);
                map.next_value_seed(Records { key: None, shared: self.shared, gathered, failed })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// One record, for the facts gathered so far.
pub(super) struct Record<'a> {
    pub(super) place: Place,
    pub(super) shared: &'a Shared,
    pub(super) gathered: &'a mut Gathered,
    pub(super) failed: &'a mut Failed,
}

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let mut raw = Raw::default();
        Into { raw: &mut raw, level: Level::Record }.deserialize(deserializer)?;
        raw.share(self.shared);
        self.gathered.add(self.place, raw).map_err(|error| {
            *self.failed = Some(error);
            D::Error::custom("")
        })
    }
}

/// What an object's keys are names in.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Record,
    /// The viewer's `row`.
    Row,
    Rewrite,
}

/// Fills in what an object has.
struct Into<'a> {
    raw: &'a mut Raw,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for Into<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.level {
            Level::Record => deserializer.deserialize_map(self),
            Level::Row | Level::Rewrite => deserializer.deserialize_any(self),
        }
    }
}

impl Into<'_> {
    /// Something else stands where an object should be.
    fn not<E>(self, kind: &'static str) -> Result<(), E> {
        if self.level == Level::Rewrite && kind != "missing" {
            self.raw.no_rewrite = Some(kind);
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Into<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.level == Level::Rewrite;
        self.raw.rewritten |= inside;
        let mut seen = 0_u128;
        while let Some(key) = map.next_key::<String>()? {
            let raw = &mut *self.raw;
            if let Some(known) = Column::of(&key) {
                // With a name twice nobody can say which value is meant.
                let bit = 1 << known.number();
                if seen & bit != 0 {
                    return Err(A::Error::duplicate_field(known.name));
                }
                seen |= bit;
                raw.put(known, inside, map.next_value()?);
            } else if key == REWRITE && !inside {
                map.next_value_seed(Into { raw, level: Level::Rewrite })?;
            } else if key == ROW && self.level == Level::Record {
                map.next_value_seed(Into { raw, level: Level::Row })?;
            } else if key == CUT && self.level == Level::Record {
                if let Value::List(names) = map.next_value()? {
                    raw.cut = names;
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.not("missing")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.not("true or false")
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.not("a number")
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.not("a number")
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.not("a number")
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.not("a text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        IgnoredAny::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))?;
        self.not("a list")
    }
}
