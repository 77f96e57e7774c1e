//! Facts as JSON: an array of records, an object around it, or a record a line. Read as a stream: of a record only what
//! facts are made of is ever kept.

mod keys;
mod record;

use super::Found;
use super::defect::Place;
use super::fields::Shared;
use super::gather::Gathered;
use crate::gz::Source;
use crate::{Error, Result};
use keys::{At, Keys, Outline};
use record::{Failed, Record, Records};
use serde::de::DeserializeSeed;
use std::io::{BufRead, Read};

/// Longest line of a file with a record a line.
const MOST_LINE: u64 = 16 << 20;

/// Reads an array of records, one at a time, so that a 20 MB file is never a tree in memory.
pub(super) fn array(source: &Source<'_>) -> Result<Found> {
    records(source, None, &Shared::default())
}

/// Reads what begins with a brace: a record a line, an object that holds an array of records, or a single record.
/// `line` is where it begins.
pub(super) fn object(source: &Source<'_>, line: usize) -> Result<Found> {
    let outline = match source.json_seed(Outline) {
        Ok(outline) => outline,
        Err(error) if is_trailing(&error) => return lines(source, line),
        Err(error) => return Err(broken(&error)),
    };
    if outline.is_record() {
        let mut gathered = Gathered::default();
        let mut failed = None;
        let read = source.json_seed(One { gathered: &mut gathered, failed: &mut failed });
        return gathered.finish(check(read, failed), |_| told(source, At::Here));
    }
    records(source, Some(outline.array()?), &outline.shared)
}

/// The records of an array, which may be the value of a key.
fn records(source: &Source<'_>, key: Option<String>, shared: &Shared) -> Result<Found> {
    let mut gathered = Gathered::default();
    let mut failed = None;
    let read = source.json_seed(Records { key: key.as_deref(), shared, gathered: &mut gathered, failed: &mut failed });
    gathered.finish(check(read, failed), |index| told(source, At::Entry(key.as_deref(), index)))
}

/// What stopped the reading: our own error, or JSON's.
fn check(read: serde_json::Result<()>, failed: Failed) -> Result<()> {
    match (failed, read) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if is_trailing(&error) => {
            Err(Error::input("text after the end of the JSON array").hint("keep one array a file"))
        }
        (None, Err(error)) => Err(broken(&error)),
    }
}

fn is_trailing(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("trailing characters")
}

fn broken(error: &serde_json::Error) -> Error {
    Error::input(format!("not valid JSON: {error}")).hint("the file may be cut off; copy or download it again")
}

/// JSON lines, empty ones passed over. A line that is no JSON means that the file is damaged.
fn lines(source: &Source<'_>, begin: usize) -> Result<Found> {
    let (mut gathered, nothing) = (Gathered::default(), Shared::default());
    let read = each_line(source, begin, |line, text| {
        let mut failed = None;
        let mut reader = serde_json::Deserializer::from_slice(text);
        let read = Record { place: Place::Line(line), shared: &nothing, gathered: &mut gathered, failed: &mut failed };
        let read = read.deserialize(&mut reader).and_then(|()| reader.end());
        match (failed, read) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(true),
            (None, Err(error)) => Err(no_line(line, &error)),
        }
    });
    gathered.finish(read, |index| {
        let (mut seen, mut names) = (0, String::new());
        let found = each_line(source, begin, |_, text| {
            if seen == index {
                names = serde_json::from_slice::<Named>(text).map(|named| named.0).unwrap_or_default();
            }
            seen += 1;
            Ok(seen <= index)
        });
        hint(if found.is_ok() { &names } else { "" })
    })
}

/// The error for a line, whose number stands at its beginning.
fn no_line(line: usize, error: &serde_json::Error) -> Error {
    let said = error.to_string();
    let said = match said.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("line {line}, column {column}: {what}"),
        None => format!("line {line}: {said}"),
    };
    Error::input(format!("not valid JSON: {said}"))
        .hint("a record is one line of such a file, and it may be cut off: copy or download it again")
}

/// Calls `work` with the number and the text of each line that is not empty, until it wants no more.
fn each_line(source: &Source<'_>, begin: usize, mut work: impl FnMut(usize, &[u8]) -> Result<bool>) -> Result<()> {
    let (mut reader, mut text) = (source.reader(), Vec::new());
    for line in begin.. {
        text.clear();
        let read = (&mut reader).take(MOST_LINE).read_until(b'\n', &mut text);
        let read = read.map_err(|error| Error::io(format!("line {line}: {error}")))?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == MOST_LINE && !text.ends_with(b"\n") {
            return Err(Error::input(format!("line {line} has more than {MOST_LINE} bytes"))
                .hint("no record is so long; the file is damaged, or not what it seems"));
        }
        if !text.trim_ascii().is_empty() && !work(line, text.trim_ascii())? {
            return Ok(());
        }
    }
    Ok(())
}

/// A single record.
struct One<'a> {
    gathered: &'a mut Gathered,
    failed: &'a mut Failed,
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        let shared = &Shared::default();
        Record { place: Place::Record(1), shared, gathered: self.gathered, failed: self.failed }
            .deserialize(deserializer)
    }
}

/// The names of an object's keys.
struct Named(String);

impl<'de> serde::Deserialize<'de> for Named {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Keys { at: At::Here }.deserialize(deserializer).map(Self)
    }
}

/// Which keys a record does have. Only on the way to an error is the file read a second time.
fn told(source: &Source<'_>, at: At<'_>) -> String {
    hint(&source.json_seed(Keys { at }).unwrap_or_default())
}

fn hint(keys: &str) -> String {
    format!(
        "the record has: {}. CounterFact needs requested_rewrite {{prompt, subject, target_true}}, other records \
         prompt, subject and target_true (or attribute, ground_truth)",
        if keys.is_empty() { "nothing" } else { keys }
    )
}
