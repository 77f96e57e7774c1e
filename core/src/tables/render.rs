//! Markdown (rounded), CSV and JSON (full precision) of a table.

use super::escape::{csv_text, markdown};
use super::{Align, Cell, Shape, Table};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

impl Table {
    /// Markdown with a heading, the table and its notes; numbers rounded. Every text is escaped: a model's name is shown as
    /// it is, and is no image, link or HTML.
    pub fn to_markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut out = format!("### Table {}. {}\n\n", self.number, markdown(&self.title));
        out += &line(self.columns.iter().map(|column| markdown(&column.name)).collect());
        let rule = |align| if align == Align::Left { ":--".into() } else { "--:".into() };
        out += &line(self.columns.iter().map(|column| rule(column.align)).collect());
        for row in &self.rows {
            out += &line(row.iter().map(|cell| markdown(&cell.display())).collect());
        }
        if !self.notes.is_empty() {
            out.push('\n');
        }
        for note in &self.notes {
            out += &format!("- {}\n", markdown(note));
        }
        out
    }

    /// CSV at full precision: a share takes two columns, a mean three (see [`Shape`]); a missing value is empty. A text
    /// that a spreadsheet would take for a formula has an apostrophe in front; numbers stay numbers.
    ///
    /// # Errors
    /// Only if a row has another number of cells than the table has columns.
    pub fn to_csv(&self) -> Result<String> {
        let mut header = Vec::new();
        for column in &self.columns {
            let suffixes: &[&str] = match column.shape {
                Shape::Plain => &[""],
                Shape::Share => &["", " of"],
                Shape::Mean => &["", " sem", " n"],
            };
            header.extend(suffixes.iter().map(|suffix| format!("{}{suffix}", column.name)));
        }
        let row = |row: &Vec<Cell>| {
            self.columns.iter().zip(row).flat_map(|(column, cell)| fields(column.shape, cell)).collect()
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(row).collect();
        csv(&header, &rows).map_err(|error| error.at(format!("table {}", self.number)))
    }

    /// JSON at full precision: `table`, `title`, `columns` (names in order), `rows` (an object each, by column name)
    /// and `notes`. A share is `{count, of, share}`, a mean `{mean, sem, n}`, a missing value `null`.
    pub fn to_json(&self) -> Value {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        let row = |row: &Vec<Cell>| {
            let cells = names.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), value(cell)));
            Value::Object(cells.collect::<Map<_, _>>())
        };
        json!({
            "table": self.number,
            "title": self.title,
            "columns": names,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

/// A cell's CSV fields; always as many as its column has.
/// Rows of fields as CSV (RFC 4180), each ended by a line feed.
///
/// # Errors
/// Rows of different lengths.
pub fn csv(head: &[String], rows: &[Vec<String>]) -> Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        writer.write_record(row).map_err(|error| Error::io(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::io(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Error::io(error.to_string()))
}

fn fields(shape: Shape, cell: &Cell) -> Vec<String> {
    let mut out = match cell {
        Cell::Text(text) => vec![csv_text(text)],
        Cell::Count(count) => vec![count.to_string()],
        Cell::Number { value, .. } => vec![value.to_string()],
        Cell::Share(share) => vec![share.count.to_string(), share.of.to_string()],
        Cell::Mean { mean, .. } => {
            vec![mean.mean.to_string(), mean.sem.map(|sem| sem.to_string()).unwrap_or_default(), mean.n.to_string()]
        }
        Cell::Missing => vec![],
    };
    let wanted = match shape {
        Shape::Plain => 1,
        Shape::Share => 2,
        Shape::Mean => 3,
    };
    out.resize(wanted, String::new());
    out
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Text(text) => json!(text),
        Cell::Count(count) => json!(count),
        Cell::Number { value, .. } => json!(value),
        Cell::Share(share) => json!(share),
        Cell::Mean { mean, .. } => json!(mean),
        Cell::Missing => Value::Null,
    }
}
