//! A journal's lines: how they are written, and what they are together.

use super::chain::{Chain, Sealed};
use super::{broken, check, check_version, place, same};
use crate::record::{
    Checkpoint, EditRecord, FactRecord, PatchPosition, Record, RedundancyCurve, Sequence, SequenceStep, Settings,
};
use crate::{Error, Result, gz};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// The second pass of one fact, as a journal line `{"redundancy": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RedundancyLine {
    /// `order` of the fact.
    pub fact: usize,
    /// Patch position whose `l*` was removed.
    #[serde(rename = "reading")]
    pub position: PatchPosition,
    /// Raw values.
    pub curve: RedundancyCurve,
}

/// The MLPs' effects of one fact, as a journal line `{"mlp": {…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MlpLine {
    /// `order` of the fact.
    pub fact: usize,
    /// [`crate::record::Traced::patched_mlp`].
    pub patched: BTreeMap<PatchPosition, Vec<f32>>,
}

/// What is finished of edits one after the other, as a journal line `{"sequence": {…}}`: a step or a checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SequenceLine {
    /// Place of the sequence in [`Record::sequences`].
    pub sequence: usize,
    /// [`crate::record::Sequence::method`].
    pub method: usize,
    /// [`crate::record::Sequence::layer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// The step that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<SequenceStep>,
    /// The checkpoint that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
}

impl SequenceLine {
    /// Takes it into a record.
    ///
    /// # Errors
    /// When it does not follow.
    pub fn put_into(self, record: &mut Record) -> Result<()> {
        let count = record.sequences.len();
        if self.step.is_some() == self.checkpoint.is_some() {
            return Err(Error::input("a line of a sequence is a step or a checkpoint"));
        }
        let own = Sequence { method: self.method, layer: self.layer, ..Sequence::default() };
        let begins = self.sequence == count && self.step.is_some();
        let goes_on = |last: &Sequence| (last.method, last.layer) == (own.method, own.layer);
        let follows = self.sequence.checked_add(1) == Some(count) && record.sequences.last().is_some_and(goes_on);
        if !begins && !follows {
            return Err(Error::input(format!("a line of sequence {} follows on {count} sequences", self.sequence)));
        }
        if begins {
            record.sequences.push(own);
        }
        if let Some(sequence) = record.sequences.last_mut() {
            sequence.steps.extend(self.step);
            sequence.checkpoints.extend(self.checkpoint);
        }
        Ok(())
    }
}

/// What a journal held.
#[derive(Debug, Clone, PartialEq)]
pub struct Resumed {
    /// The record so far, facts in study order.
    pub record: Record,
    /// What is damaged or was cut off, in words; from there on nothing is taken.
    pub dropped: Option<String>,
    /// Lines carry no digests: an older program wrote them, or it is a record and not a journal.
    pub undigested: bool,
    /// Bytes up to the end of the last line that is taken. Whoever appends cuts there first.
    pub kept: u64,
    /// Where the next line follows.
    pub chain: Chain,
}

/// What bytes that should be a journal are.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// There is nothing to go on from, and why; an empty journal is one whose study was stopped at its start.
    Nothing(String),
    /// A study, as far as it is whole.
    Study(Box<Resumed>),
}

/// A line after the header.
enum Line {
    Edit(Box<EditRecord>),
    Redundancy(RedundancyLine),
    Mlp(MlpLine),
    Sequence(Box<SequenceLine>),
    Settings(Box<Settings>),
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
            Some(keys) if keys.contains_key("mlp") => Ok(Self::Mlp(read(keys["mlp"].take())?)),
            Some(keys) if keys.contains_key("sequence") => Ok(Self::Sequence(read(keys["sequence"].take())?)),
            Some(keys) if keys.contains_key("settings") => Ok(Self::Settings(read(keys["settings"].take())?)),
            _ => Ok(Self::Fact(read(value)?)),
        }
    }
}

/// Whether the first line carries a digest, which a record's only line does not.
pub(super) fn is_digested(content: &[u8]) -> bool {
    content.split(|byte| *byte == b'\n').next().and_then(Sealed::of).is_some()
}

/// Reads a whole journal up to its first line that is cut off or damaged.
///
/// # Errors
/// When a newer program wrote it.
pub fn find(content: &[u8]) -> Result<Found> {
    let mut reader = match Reader::new(content)? {
        Ok(reader) => reader,
        Err(nothing) => return Ok(Found::Nothing(nothing)),
    };
    let lines: Vec<&[u8]> = content[reader.kept..].split_inclusive(|byte| *byte == b'\n').collect();
    let mut dropped = None;
    for (at, line) in lines.iter().enumerate() {
        let place = format!("line {}", at + 2);
        let why = match reader.take(line).map_err(|error| error.at(&place).hint(NEWER).in_page(NEWER_HERE))? {
            Taken::Yes => continue,
            Taken::Unfounded => {
                let what = format!("one of the lines 1 to {} is damaged: digests begin in line {0} only", at + 2);
                return Ok(Found::Nothing(what));
            }
            Taken::No(why) => why,
        };
        let after = match lines.len() - at - 1 {
            0 => "and is dropped".to_owned(),
            1 => "and is dropped with the line after it".to_owned(),
            more => format!("and is dropped with the {more} lines after it"),
        };
        dropped = Some(format!("{place} {why} {after}"));
        break;
    }
    let Reader { record, chain, digested, kept, .. } = reader;
    Ok(Found::Study(Box::new(Resumed { record, dropped, undigested: !digested, kept: kept as u64, chain })))
}

/// The same in the lab's page.
const NEWER_HERE: &str = "a newer program may have written it: load this page again";
const NEWER: &str = "a newer program may have written it: update Engram, or start again with --fresh";

/// What became of a line.
enum Taken {
    Yes,
    /// It is cut off or damaged, and how.
    No(String),
    /// It is the first with a digest, and does not follow: it or one before it is damaged.
    Unfounded,
}

struct Reader {
    record: Record,
    /// Its edits, as method, fact and layer.
    edited: HashSet<(usize, usize, usize)>,
    chain: Chain,
    /// A line with a digest was there. From then on all have one.
    digested: bool,
    kept: usize,
}

impl Reader {
    /// Reads the header; the inner error says why there is none.
    fn new(content: &[u8]) -> Result<Result<Self, String>> {
        if content.is_empty() {
            return Ok(Err("it is empty".into()));
        }
        let Some(end) = content.iter().position(|byte| *byte == b'\n') else {
            return Ok(Err(format!("line 1 was cut off ({} bytes)", content.len())));
        };
        let line = &content[..end];
        let mut chain = Chain::default();
        let sealed = Sealed::of(line);
        let json = match &sealed {
            Some(sealed) if chain.follow(sealed) => sealed.json(),
            Some(_) => return Ok(Err("line 1 is damaged: it does not fit its digest".into())),
            None => {
                chain.pass(line);
                line.to_vec()
            }
        };
        // A header without a digest ends with the empty list of its facts: a damaged digest does not.
        if sealed.is_none() && (!json.ends_with(b"]}") || serde_json::from_slice::<Value>(&json).is_err()) {
            return Ok(Err("line 1 is damaged".into()));
        }
        let header = gz::Source::new(&json);
        check_version(&header).map_err(|error| error.at("line 1"))?;
        let record = header.json().map_err(|error| place::locate(&header, &error))?;
        Ok(Ok(Self { record, edited: HashSet::new(), chain, digested: sealed.is_some(), kept: end + 1 }))
    }

    fn take(&mut self, whole: &[u8]) -> Result<Taken> {
        let Some(line) = whole.strip_suffix(b"\n") else {
            return Ok(Taken::No(format!("was cut off ({} bytes)", whole.len())));
        };
        let mut chain = self.chain.clone();
        let read = match Sealed::of(line) {
            Some(sealed) if chain.follow(&sealed) => {
                // It is what was written. What this program cannot do with it is no damage.
                Line::parse(&sealed.json()).and_then(|line| self.add(line))?;
                self.digested = true;
                Ok(())
            }
            Some(_) if !self.digested => return Ok(Taken::Unfounded),
            Some(_) => Err("its digest does not follow from what precedes it".into()),
            None if self.digested => Err("it carries no digest".into()),
            None => {
                chain.pass(line);
                Line::parse(line).and_then(|line| self.add(line)).map_err(|error| error.message().to_owned())
            }
        };
        if let Err(why) = read {
            return Ok(Taken::No(format!("is damaged ({why})")));
        }
        self.chain = chain;
        self.kept += whole.len();
        Ok(Taken::Yes)
    }

    /// Nothing comes twice, and nothing before what it is about.
    fn add(&mut self, line: Line) -> Result<()> {
        let facts = &mut self.record.facts;
        match line {
            Line::Fact(fact) if fact.order == facts.len() => facts.push(*fact),
            Line::Fact(fact) => {
                return Err(Error::input(format!("fact {} follows on {} facts", fact.order, facts.len())));
            }
            Line::Edit(edit) => {
                traced(facts, edit.fact, "edit")?;
                if !self.edited.insert((edit.method, edit.fact, edit.layer)) {
                    return Err(Error::input(format!("a second edit of fact {} at layer {}", edit.fact, edit.layer)));
                }
                self.record.edits.get_or_insert_default().push(*edit);
            }
            Line::Redundancy(line) => {
                let traced = traced(facts, line.fact, "redundancy")?;
                // Before anything is changed: what is refused is not a part of what is kept.
                if traced.redundancy.contains_key(&line.position) {
                    return Err(Error::input(format!("a second redundancy of fact {}", line.fact)));
                }
                traced.redundancy.insert(line.position, line.curve);
            }
            Line::Mlp(line) => {
                let traced = traced(facts, line.fact, "mlp")?;
                if !traced.patched_mlp.is_empty() {
                    return Err(Error::input(format!("a second line of the MLPs of fact {}", line.fact)));
                }
                traced.patched_mlp = line.patched;
            }
            Line::Sequence(line) => line.put_into(&mut self.record)?,
            Line::Settings(settings) => {
                same::change(&mut self.record, &settings);
                if self.record.edits.is_none() {
                    self.edited.clear();
                }
            }
        }
        Ok(())
    }
}

fn traced<'a>(facts: &'a mut [FactRecord], order: usize, what: &str) -> Result<&'a mut crate::record::Traced> {
    let fact = facts.get_mut(order).and_then(FactRecord::traced_mut);
    fact.ok_or_else(|| Error::input(format!("{what} of fact {order}, which no line before has traced")))
}

/// The line of a finished fact, without digest and newline, see [`Chain::seal`].
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
    check::redundancy(line.position.name(), &line.curve.patched)
        .map_err(|error| error.at(format!("fact {}", line.fact)))?;
    encoded(&BTreeMap::from([("redundancy", line)]))
}

/// The line of a fact's MLPs.
///
/// # Errors
/// On a number that is not finite.
pub fn mlp_line(line: &MlpLine) -> Result<Vec<u8>> {
    check::curves("patched_mlp", &line.patched).map_err(|error| error.at(format!("fact {}", line.fact)))?;
    encoded(&BTreeMap::from([("mlp", line)]))
}

/// The line of a finished edit.
///
/// # Errors
/// On a number that is not finite.
pub fn edit_line(edit: &EditRecord) -> Result<Vec<u8>> {
    check::edit(edit).map_err(|error| error.at(format!("edit of fact {}", edit.fact)))?;
    encoded(&BTreeMap::from([("edit", edit)]))
}

/// The line of a step or checkpoint of a sequence.
///
/// # Errors
/// On a number that is not finite.
pub fn sequence_line(line: &SequenceLine) -> Result<Vec<u8>> {
    check::sequence(line.step.as_slice(), line.checkpoint.as_slice())
        .map_err(|error| error.at(format!("sequence {}", line.sequence)))?;
    encoded(&BTreeMap::from([("sequence", line)]))
}

/// The line after which other settings of the later stages hold.
///
/// # Errors
/// On a number that is not finite.
pub fn settings_line(settings: &Settings) -> Result<Vec<u8>> {
    check::settings(settings)?;
    encoded(&BTreeMap::from([("settings", settings)]))
}

/// The header line: the record without facts and edits.
///
/// # Errors
/// On a number that is not finite.
pub fn header_line(record: &Record) -> Result<Vec<u8>> {
    check::settings(&record.settings)?;
    encoded(&Record {
        engram: record.engram,
        program: record.program.clone(),
        settings: record.settings.clone(),
        model: record.model.clone(),
        device: record.device.clone(),
        source: record.source.clone(),
        facts: Vec::new(),
        edits: None,
        sequences: Vec::new(),
        runs: Vec::new(),
    })
}

fn encoded(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::io(format!("journal line: {error}")))
}
