//! CSV facts.

use super::{Fact, MOST_FACTS, MOST_TEXT, template_of, too_long, too_many};
use crate::gz::Source;
use crate::{Error, Result};
use csv::{ReaderBuilder, StringRecord};
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

const PROMPT: &[&str] = &["prompt", "template"];
const SUBJECT: &[&str] = &["subject"];
const TRUE: &[&str] = &["target_true", "target", "attribute", "object"];
const NEW: &[&str] = &["target_new"];
const RELATION: &[&str] = &["relation", "relation_id"];
const ID: &[&str] = &["id", "case_id", "known_id"];

/// Longest row in bytes. A quote that is never closed makes the rest of a file one field.
const MOST_ROW: u64 = 16 * MOST_TEXT as u64;

/// Counts what is read, and ends where no row ended for too long.
struct Rows<R> {
    inner: R,
    /// Bytes since the last row that was taken.
    since: Rc<Cell<u64>>,
}

impl<R: Read> Read for Rows<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.since.set(self.since.get() + read as u64);
        match self.since.get() > MOST_ROW {
            true => Err(io::Error::other(format!("a row of more than {MOST_ROW} bytes; is a quote left open?"))),
            false => Ok(read),
        }
    }
}

/// Reads a table with a header line. The delimiter is the comma, unless the header has none but has a tab or semicolon.
pub(super) fn parse(source: &Source<'_>) -> Result<Vec<Fact>> {
    let mut header = Vec::new();
    source.reader().take(MOST_ROW).read_until(b'\n', &mut header).map_err(|error| broken(error.into()))?;
    let delimiter = [b',', b'\t', b';'].into_iter().find(|byte| header.contains(byte)).unwrap_or(b',');
    let since = Rc::new(Cell::new(0));
    let rows = Rows { inner: source.reader(), since: since.clone() };
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(rows);
    let names: Vec<String> = reader.headers().map_err(broken)?.iter().map(str::trim).map(Into::into).collect();
    let columns = Columns::find(&names)?;
    let mut facts = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(broken)?;
        since.set(0);
        let line = row.position().map_or(0, csv::Position::line);
        if row.len() != names.len() {
            return Err(Error::input(format!(
                "row {} (line {line}): {} fields where the header has {}",
                index + 1,
                row.len(),
                names.len()
            ))
            .hint(format!("columns: {}; put texts that hold the delimiter in double quotes", names.join(", "))));
        }
        if index == MOST_FACTS {
            return Err(too_many());
        }
        facts.push(columns.fact(index, &row).map_err(|error| error.at(format!("row {} (line {line})", index + 1)))?);
    }
    Ok(facts)
}

fn broken(error: csv::Error) -> Error {
    Error::input(format!("not readable as CSV: {error}"))
}

/// Where each field stands in a row.
struct Columns {
    prompt: usize,
    subject: usize,
    target_true: usize,
    target_new: Option<usize>,
    relation: Option<usize>,
    id: Option<usize>,
}

impl Columns {
    fn find(names: &[String]) -> Result<Self> {
        // Aliases come in order of preference: with both, `prompt` wins over `template`.
        let find = |aliases: &[&str]| {
            aliases.iter().find_map(|alias| names.iter().position(|name| name.eq_ignore_ascii_case(alias)))
        };
        let need = |aliases: &[&str]| {
            find(aliases).ok_or_else(|| {
                let others = match &aliases[1..] {
                    [] => String::new(),
                    others => format!(" (or {})", others.join(", ")),
                };
                Error::input(format!("the header has no column {}{others}", aliases[0])).hint(format!(
                    "columns found: {}; needed: prompt, subject, target_true; optional: target_new, relation, id",
                    names.join(", ")
                ))
            })
        };
        Ok(Self {
            prompt: need(PROMPT)?,
            subject: need(SUBJECT)?,
            target_true: need(TRUE)?,
            target_new: find(NEW),
            relation: find(RELATION),
            id: find(ID),
        })
    }

    fn fact(&self, index: usize, row: &StringRecord) -> Result<Fact> {
        if let Some(long) = row.iter().map(str::len).find(|length| *length > MOST_TEXT) {
            return Err(too_long("a field", long));
        }
        let field = |at: usize| row.get(at).unwrap_or_default().trim().to_owned();
        let optional = |at: Option<usize>| at.map(field).unwrap_or_default();
        let subject = field(self.subject);
        let id = optional(self.id);
        Ok(Fact {
            id: if id.is_empty() { index.to_string() } else { id },
            relation: optional(self.relation),
            template: template_of(&field(self.prompt), &subject).map_err(|error| error.at("prompt"))?,
            subject,
            target_true: field(self.target_true),
            target_new: optional(self.target_new),
            paraphrases: Vec::new(),
            neighbourhood: Vec::new(),
            ..Fact::default()
        })
    }
}
