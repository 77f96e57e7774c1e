//! What is wrong with single records of a file that can be read. Such a fact stays in its place, so that the order of all
//! others is what it would be without the defect, and nothing vanishes.

use super::fields::{CUT_OFF, Column};
use super::{Fact, MOST_PROMPTS, MOST_TEXT, SHOWN, SLOT, first_few};
use crate::{Error, Result};
use std::fmt;

/// A defect of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect {
    /// Index of the fact that was made of the record.
    pub fact: usize,
    /// Where the record is in its file.
    pub place: Place,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// Where a record is in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The record of that number, from 1.
    Record(usize),
    /// Line of a file with a record a line.
    Line(usize),
    /// Row of a table, from 1 below its header, and its line.
    Row(usize, u64),
}

/// A field of a record, as the file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// It is within `requested_rewrite`.
    pub inside: bool,
    /// A fact can be studied without it.
    pub light: bool,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The subject is not in the prompt, and the prompt has no place for it.
    NoSubject,
    /// The prompt has so many places for the subject.
    Slots(usize),
    /// A field is not there.
    Missing(Field),
    /// A field is empty.
    Empty(&'static str),
    /// A field is no text, but this.
    Wrong(Field, &'static str),
    /// A field has so many bytes.
    Long(Field, usize),
    /// A list has too many entries.
    Many(Field),
    /// A row has so many fields, the header so many.
    Ragged(usize, usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(number) => write!(f, "record {number}"),
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row, line) => write!(f, "row {row} (line {line})"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.inside { "requested_rewrite." } else { "" }, self.name)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSubject => write!(f, "the subject is not in the prompt"),
            Self::Slots(slots) => write!(f, "the prompt has {slots} places for the subject"),
            Self::Missing(field) => write!(f, "{field} is missing"),
            Self::Empty(what) => write!(f, "the {what} is empty"),
            Self::Wrong(field, kind) => write!(f, "{field} is {kind}"),
            Self::Long(field, bytes) => write!(f, "{field} has {bytes} bytes; at most {MOST_TEXT} are taken"),
            Self::Many(field) => write!(f, "{field} has more than {MOST_PROMPTS} entries"),
            Self::Ragged(found, wanted) => write!(f, "{found} fields where the header has {wanted}"),
        }
    }
}

impl Flaw {
    /// What to do about it, where that does not depend on the format.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoSubject => Some("write {} where the subject belongs, or spell the subject as in the prompt"),
            Self::Slots(_) => Some("write {} once"),
            Self::Long(..) | Self::Many(_) => Some("the file is damaged, or not what it seems"),
            Self::Wrong(_, CUT_OFF) => Some("download the dataset's own file instead of the viewer's rows"),
            _ => None,
        }
    }

    /// What records of the same kind have in common, for one warning about all of them.
    fn kind(&self) -> String {
        match self {
            Self::Slots(_) => format!("the prompt has more than one {SLOT}"),
            Self::Empty(_) => "the prompt, subject or true answer is empty".into(),
            Self::Long(field, _) => format!("{field} has more than {MOST_TEXT} bytes"),
            Self::Ragged(_, wanted) => format!("the header has {wanted} fields, the row another number"),
            other => other.to_string(),
        }
    }

    /// Whether the fact is excluded from every study. Without its relation, or what edits are measured with, it does
    /// not.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Missing(field) | Self::Wrong(field, _) | Self::Long(field, _) | Self::Many(field) => !field.light,
            _ => true,
        }
    }
}

impl Defect {
    /// The counterfactual answer could not be read: another one in its place would be another question.
    pub(super) fn is_of_new(&self) -> bool {
        match self.flaw {
            Flaw::Ragged(..) => true,
            Flaw::Missing(field) | Flaw::Wrong(field, _) | Flaw::Long(field, _) => {
                Column::of(field.name).is_some_and(|known| known.column == Column::New)
            }
            _ => false,
        }
    }
}

/// The texts that a defect is about, quoted.
fn quoted(defect: &Defect, facts: &[Fact]) -> String {
    match (defect.flaw, facts.get(defect.fact)) {
        (Flaw::NoSubject, Some(fact)) => {
            format!("prompt: the subject {:?} is not in the prompt {:?}", fact.subject, fact.template)
        }
        (Flaw::Slots(_), Some(fact)) => format!("prompt: {}: {:?}", defect.flaw, fact.template),
        (flaw, _) => flaw.to_string(),
    }
}

/// A warning for each kind of defect, in the order in which they were met first.
pub(super) fn warnings(facts: &[Fact], defects: &[Defect]) -> Vec<String> {
    struct Kind {
        what: String,
        count: usize,
        fatal: bool,
        first: Vec<String>,
    }
    let mut kinds: Vec<Kind> = Vec::new();
    for defect in defects {
        let what = defect.flaw.kind();
        let at = kinds.iter().position(|known| known.what == what).unwrap_or_else(|| {
            kinds.push(Kind { what, count: 0, fatal: defect.flaw.is_fatal(), first: Vec::new() });
            kinds.len() - 1
        });
        kinds[at].count += 1;
        if kinds[at].first.len() < SHOWN {
            kinds[at].first.push(named(facts, defect));
        }
    }
    let line = |Kind { what, count, fatal, first }: Kind| {
        let facts = if count == 1 { "1 fact".to_owned() } else { format!("{count} facts") };
        let then = match (fatal, count) {
            (true, 1) => "is excluded",
            (true, _) => "are excluded",
            (false, 1) => "is read without that",
            (false, _) => "are read without that",
        };
        format!("{facts} {then}: {what}: {}", first_few(&first, count))
    };
    kinds.into_iter().map(line).collect()
}

/// A fact by its id and place.
fn named(facts: &[Fact], defect: &Defect) -> String {
    let id: String = facts.get(defect.fact).map_or("", |fact| &fact.id).chars().take(40).collect();
    format!("{id} at {}", defect.place)
}

/// The first defect as an error, with the next step where one is known.
pub(super) fn error(facts: &[Fact], defect: &Defect) -> Error {
    let error = Error::input(format!("{}: {}", defect.place, quoted(defect, facts)));
    match defect.flaw.hint() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Refuses facts with defects, for whoever wants all of a file or nothing.
pub(super) fn refuse(name: &str, facts: &[Fact], defects: &[Defect]) -> Result<()> {
    let Some(first) = defects.first() else { return Ok(()) };
    let more = match defects.len() {
        1 => String::new(),
        several => format!("; {several} defects in all"),
    };
    Err(Error::input(format!("{name}: fact {}: {}{more}", named(facts, first), quoted(first, facts)))
        .hint("mend these records, or take them out of the file"))
}
