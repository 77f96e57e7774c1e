//! CSV facts.

use super::defect::{Flaw, Place};
use super::fields::{Column, Known, REWRITE, Raw};
use super::gather::Gathered;
use super::value::Value;
use super::{Found, MOST_TEXT};
use crate::gz::Source;
use crate::{Error, Result};
use csv::{ReaderBuilder, StringRecord};
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

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

/// Reads a table with a header line, which is that of the number `line`. The delimiter is the one that a first line
/// `sep=;` names; else the comma, unless the header has none but has a tab or semicolon.
pub(super) fn parse(source: &Source<'_>, mut line: usize) -> Result<Found> {
    let mut source = *source;
    let mut header = first_line(&source)?;
    let named = separator(&header);
    if named.is_some() {
        source = source.after(source.begin() + header.len() as u64);
        header = first_line(&source)?;
        line += 1;
    }
    let guessed = || [b',', b'\t', b';'].into_iter().find(|byte| header.contains(byte)).unwrap_or(b',');
    let since = Rc::new(Cell::new(0));
    let counted = Rows { inner: source.reader(), since: since.clone() };
    let delimiter = named.unwrap_or_else(guessed);
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(counted);
    let names: Vec<String> = reader.headers().map_err(broken)?.iter().map(str::trim).map(Into::into).collect();
    let columns = columns(&names)?;
    let mut gathered = Gathered::default();
    let read = rows(&mut reader, &mut gathered, (&names, &columns), (&since, line as u64 - 1));
    gathered
        .finish(read, |_| format!("columns: {}; put texts that hold the delimiter in double quotes", names.join(", ")))
}

/// Reads the rows below the header. `before` lines stand before it.
fn rows<R: Read>(
    reader: &mut csv::Reader<R>,
    gathered: &mut Gathered,
    (names, columns): (&[String], &[(usize, Known)]),
    (since, before): (&Cell<u64>, u64),
) -> Result<()> {
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(broken)?;
        since.set(0);
        let place = Place::Row(index + 1, row.position().map_or(0, csv::Position::line) + before);
        if row.len() == names.len() {
            gathered.add(place, raw(columns, &row))?;
            continue;
        }
        // A quote that is not closed where it should be swallows the rows below: they would be missed by nobody.
        if row.iter().any(|field| field.contains('\n')) {
            let (found, wanted) = (row.len(), names.len());
            let what =
                format!("a field goes on over lines, and the row has {found} fields where the header has {wanted}");
            return Err(Error::input(format!("{place}: {what}")).hint("is a quote left open?"));
        }
        gathered.lost(place, Flaw::Ragged(row.len(), names.len()))?;
    }
    Ok(())
}

fn first_line(source: &Source<'_>) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    source.reader().take(MOST_ROW).read_until(b'\n', &mut line).map_err(|error| broken(error.into()))?;
    Ok(line)
}

/// The delimiter that a spreadsheet wants to be told: `sep=;`, perhaps in quotes or filled up with delimiters.
fn separator(line: &[u8]) -> Option<u8> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let (begin, rest) = line.split_at_checked(4)?;
    let (&delimiter, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let fits = begin.eq_ignore_ascii_case(b"sep=") && !delimiter.is_ascii_alphanumeric() && delimiter.is_ascii();
    (fits && delimiter != b'"' && rest.iter().all(|byte| *byte == delimiter)).then_some(delimiter)
}

fn broken(error: csv::Error) -> Error {
    Error::input(format!("not readable as CSV: {error}"))
}

/// The known columns among the header's. A table has no lists of prompts.
fn columns(names: &[String]) -> Result<Vec<(usize, Known)>> {
    let known = names.iter().enumerate().filter_map(|(at, name)| Some((at, Column::of(name)?)));
    let known: Vec<_> = known
        .filter(|(_, known)| !matches!(known.column, Column::Paraphrases | Column::Neighbourhood | Column::Generation))
        .collect();
    for (at, (place, name)) in known.iter().enumerate() {
        if known[..at].iter().any(|(_, other)| other.number() == name.number()) {
            return Err(
                Error::input(format!("the header has the column {} twice", names[*place])).hint("leave one of them")
            );
        }
    }
    let has = |column| known.iter().any(|(_, known)| known.column == column);
    for column in [Column::Prompt, Column::Subject, Column::True] {
        if has(column) || column == Column::Prompt && has(Column::Template) {
            continue;
        }
        let mut others = column.names()[1..].to_vec();
        if column == Column::Prompt {
            others.insert(0, "template");
        }
        let others = if others.is_empty() { String::new() } else { format!(" (or {})", others.join(", ")) };
        let error = Error::input(format!("the header has no column {}{others}", column.names()[0]));
        return Err(match names.iter().any(|name| name == REWRITE) {
            true => error.hint("a table cannot hold what is in requested_rewrite: give the JSON or Parquet file"),
            false => error.hint(format!(
                "columns found: {}; needed: prompt, subject, target_true; optional: target_new, relation_id, id",
                names.join(", ")
            )),
        });
    }
    Ok(known)
}

fn raw(columns: &[(usize, Known)], row: &StringRecord) -> Raw {
    let mut raw = Raw::default();
    for (at, known) in columns {
        let text = row.get(*at).unwrap_or_default();
        raw.put(
            *known,
            false,
            if is_written_list(text) { Value::Other("a list written as text") } else { Value::text(text) },
        );
    }
    raw
}

/// What pandas makes of a list in a table; as a text it would be an answer that no model gives.
fn is_written_list(text: &str) -> bool {
    let text = text.trim();
    (text.starts_with("['") || text.starts_with("[\"")) && text.ends_with(']')
}
