//! A journal's lines.

use super::{broken, check, check_version, place};
use crate::record::{EditRecord, FactRecord, Reading, Record, RedundancyCurve};
use crate::{Error, Result, gz};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The second pass of one fact, as a journal line `{"redundancy": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RedundancyLine {
    /// `order` of the fact.
    pub fact: usize,
    /// Reading whose `l*` was removed.
    pub reading: Reading,
    /// Raw values.
    pub curve: RedundancyCurve,
}

/// What a journal held.
#[derive(Debug, Clone, PartialEq)]
pub struct Resumed {
    /// The record so far, facts in study order.
    pub record: Record,
    /// A last line that was cut off and dropped, in words; its work is done again.
    pub dropped: Option<String>,
    /// Bytes up to the end of the last whole line; what follows is the dropped line.
    pub(super) kept: u64,
}

/// A line after the header.
enum Line {
    Edit(Box<EditRecord>),
    Redundancy(RedundancyLine),
    Fact(Box<FactRecord>),
}

impl Line {
    /// By hand, because serde's untagged enums lose the reason for which a line does not read. A fact has a key
    /// `redundancy` too, but never alone.
    fn parse(line: &[u8]) -> Result<Self> {
        fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T> {
            super::from_value(&value).map_err(|error| Error::input(error.to_string()))
        }
        let mut value: Value = serde_json::from_slice(line).map_err(|error| broken(&error))?;
        match value.as_object_mut().filter(|keys| keys.len() == 1) {
            Some(keys) if keys.contains_key("edit") => Ok(Self::Edit(read(keys["edit"].take())?)),
            Some(keys) if keys.contains_key("redundancy") => Ok(Self::Redundancy(read(keys["redundancy"].take())?)),
            _ => Ok(Self::Fact(read(value)?)),
        }
    }
}

/// Reads a whole journal. A last line that is not whole JSON was being written when the study was killed: it is dropped.
/// Anything else that does not read is an error with its line number.
pub(super) fn resume(content: &[u8]) -> Result<Resumed> {
    let mut lines = content.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    let (_, first) =
        lines.next().ok_or_else(|| Error::input("the journal is empty").hint("start again with --fresh"))?;
    let header = gz::Source::new(first);
    check_version(&header).map_err(|error| error.at("line 1"))?;
    let record: Record = header.json().map_err(|error| place::locate(&header, &error))?;
    let mut state = State::new(record);
    let (mut kept, mut dropped) = (first.len() as u64, None);
    while let Some((index, line)) = lines.next() {
        if line.iter().all(u8::is_ascii_whitespace) {
            kept += line.len() as u64;
            continue;
        }
        if serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err() && lines.peek().is_none() {
            dropped = Some(format!("line {} was cut off ({} bytes) and is dropped", index + 1, line.len()));
            break;
        }
        let place = |error: Error| error.at(format!("line {}", index + 1)).hint("start again with --fresh");
        Line::parse(line).and_then(|line| state.add(line)).map_err(place)?;
        kept += line.len() as u64;
    }
    Ok(Resumed { record: state.finish(), dropped, kept })
}

struct State {
    record: Record,
    facts: BTreeMap<usize, FactRecord>,
}

impl State {
    fn new(mut record: Record) -> Self {
        let facts = std::mem::take(&mut record.facts).into_iter().map(|fact| (fact.order, fact)).collect();
        Self { record, facts }
    }

    fn add(&mut self, line: Line) -> Result<()> {
        match line {
            Line::Fact(fact) => {
                self.facts.insert(fact.order, *fact);
            }
            Line::Edit(edit) => {
                let edits = self.record.edits.get_or_insert_default();
                match edits.iter_mut().find(|known| known.fact == edit.fact) {
                    Some(known) => *known = *edit,
                    None => edits.push(*edit),
                }
            }
            Line::Redundancy(line) => {
                let fact = self.facts.get_mut(&line.fact);
                let traced = fact.and_then(FactRecord::traced_mut).ok_or_else(|| {
                    Error::input(format!("redundancy of fact {}, which no line before has traced", line.fact))
                })?;
                traced.redundancy.insert(line.reading, line.curve);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Record {
        self.record.facts = self.facts.into_values().collect();
        self.record
    }
}

/// The line of a finished fact, with its newline.
///
/// # Errors
/// On a number that is not finite.
pub fn fact_line(fact: &FactRecord) -> Result<Vec<u8>> {
    check::fact(fact).map_err(|error| error.at(format!("fact {}", fact.id)))?;
    encoded(fact)
}

/// The line of a second pass.
///
/// # Errors
/// On a number that is not finite.
pub fn redundancy_line(line: &RedundancyLine) -> Result<Vec<u8>> {
    check::redundancy(line.reading.name(), &line.curve.patched)
        .map_err(|error| error.at(format!("fact {}", line.fact)))?;
    encoded(&BTreeMap::from([("redundancy", line)]))
}

/// The line of a finished edit.
pub fn edit_line(edit: &EditRecord) -> Result<Vec<u8>> {
    check::edit(edit).map_err(|error| error.at(format!("edit of fact {}", edit.fact)))?;
    encoded(&BTreeMap::from([("edit", edit)]))
}

/// The header line: the record without facts and edits.
///
/// # Errors
/// On a number that is not finite.
pub fn header_line(record: &Record) -> Result<Vec<u8>> {
    encoded(&header(record))
}

fn header(record: &Record) -> Record {
    Record {
        engram: record.engram,
        program: record.program.clone(),
        settings: record.settings.clone(),
        model: record.model.clone(),
        device: record.device.clone(),
        source: record.source.clone(),
        facts: Vec::new(),
        edits: None,
    }
}

fn encoded(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value).map_err(|error| Error::io(format!("journal line: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// In which fields two studies differ, as `settings.seed: 7 there, 42 here`. Only what decides the numbers counts:
/// format, settings, model and fact source; a name does not where a digest says that it is the same thing.
pub fn differences(there: &Record, here: &Record) -> Vec<String> {
    let tree = |record: &Record| {
        let mut tree = serde_json::json!({
            "engram": record.engram, "settings": record.settings, "model": record.model, "source": record.source,
        });
        let digests = [("model", &record.model.weights_sha256), ("source", &record.source.sha256)];
        for (key, _) in digests.iter().filter(|(_, digest)| !digest.is_empty()) {
            if let Some(map) = tree.get_mut(key).and_then(Value::as_object_mut) {
                map.remove("name");
            }
        }
        tree
    };
    let mut out = Vec::new();
    compare("", &tree(there), &tree(here), &mut out);
    out
}

fn compare(place: &str, there: &Value, here: &Value, out: &mut Vec<String>) {
    match (there, here) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let inner = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                compare(&inner, &side(left), &side(right), out);
            }
        }
        _ if there == here => {}
        _ => out.push(format!("{place}: {there} there, {here} here")),
    }
}
