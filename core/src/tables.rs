//! The paper's Tables 1 to 4, one of the matched facts and two more of edits, as data; and as Markdown, LaTeX, CSV and JSON.

mod build;
mod edits;
mod escape;
mod latex;
mod parts;
mod predict;
mod published;
mod references;
mod render;

pub use build::{all, matched_facts, table1, table2, table3};
pub use edits::{table4, table6, table7};
pub use escape::csv_text;
pub use parts::labels;
pub use predict::{sweeps, table13, table14};
pub use published::published;
pub use references::table9;
pub use render::csv;

use crate::metrics::{Mean, Share};

/// A table of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// 1 to 4 as in the paper. It does not have the others: 5 is the matched subset, 6 the verdicts of edits, 7 their measures
    /// as the field takes them, 8 published ones, 9 texts beside reference texts, 10 to 12 the same facts edited at several layers, 13 edits
    /// one after the other.
    pub number: usize,
    /// What it shows.
    pub title: String,
    /// Columns; their names are unique.
    pub columns: Vec<Column>,
    /// Rows, each with a cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// What a reader must know to read the numbers.
    pub notes: Vec<String>,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Alignment.
    pub align: Align,
    /// What its cells are, apart from [`Cell::Missing`]; decides the CSV columns.
    pub shape: Shape,
}

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// What a column's cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Text, count or number: one CSV column.
    Plain,
    /// [`Cell::Share`]: two CSV columns, `name` and `name of`.
    Share,
    /// [`Cell::Mean`]: three CSV columns, `name`, `name sem` and `name n`.
    Mean,
}

/// One value, at full precision.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A count, or a layer.
    Count(u64),
    /// A number.
    Number {
        /// The value.
        value: f64,
        /// Decimals shown to people.
        decimals: usize,
    },
    /// A count out of a total.
    Share(Share),
    /// A mean with its standard error.
    Mean {
        /// The values.
        mean: Mean,
        /// Decimals shown to people.
        decimals: usize,
    },
    /// Not defined by the facts at hand.
    Missing,
}

impl Cell {
    /// The value rounded for people: `0.1274 ± 0.0100`, `56/460 (12.2 %)`, `134,515,008`; `–` when missing.
    pub fn display(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Number { value, decimals } => rounded(*value, *decimals),
            Self::Share(share) => {
                format!("{}/{} ({} %)", share.count, share.of, rounded(share.share * 100.0, 1))
            }
            Self::Mean { mean, decimals } => match mean.sem {
                Some(sem) => format!("{} ± {}", rounded(mean.mean, *decimals), rounded(sem, *decimals)),
                None => rounded(mean.mean, *decimals),
            },
            Self::Missing => "–".into(),
        }
    }
}

/// Rounded, without the sign of a negative zero.
fn rounded(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| c == '0' || c == '.') => digits.into(),
        _ => text,
    }
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
