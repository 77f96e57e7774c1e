//! Tables of text: bordered on a terminal, plain columns in a pipe.

use super::style::{Screen, Tone};
use super::text;
use comfy_table::presets::{NOTHING, UTF8_HORIZONTAL_ONLY};
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table as Comfy};

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows of text under a head.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Above the table; may be empty.
    pub title: String,
    /// The columns' names.
    pub head: Vec<(String, Align)>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
    /// Lines below the table.
    pub notes: Vec<String>,
}

impl Table {
    /// An empty table.
    pub fn new(title: &str, head: &[(&str, Align)]) -> Self {
        Self {
            title: title.to_owned(),
            head: head.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect(),
            ..Self::default()
        }
    }

    /// Adds a row.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

/// Draws a table; with `borders` it also keeps to the screen's width by breaking long cells.
pub fn render(table: &Table, screen: Screen, borders: bool) -> String {
    let mut drawn = Comfy::new();
    if borders {
        drawn.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
        drawn.set_content_arrangement(ContentArrangement::Dynamic);
        drawn.set_width(u16::try_from(screen.width).unwrap_or(u16::MAX));
    } else {
        drawn.load_style(NOTHING);
    }
    drawn.set_header(table.head.iter().map(|(name, align)| cell(name, *align)));
    for row in &table.rows {
        let align = |index: usize| table.head.get(index).map_or(Align::Left, |(_, align)| *align);
        drawn.add_row(row.iter().enumerate().map(|(i, value)| cell(value, align(i))));
    }
    if !borders {
        // Without borders the outer padding is only noise.
        let last = table.head.len().saturating_sub(1);
        for (index, column) in drawn.column_iter_mut().enumerate() {
            column.set_padding((0, if index == last { 0 } else { 2 }));
        }
    }
    let mut out = Vec::new();
    if !table.title.is_empty() {
        out.push(screen.paint(Tone::Heading, &table.title));
    }
    out.extend(drawn.lines().map(|line| line.trim_end().to_owned()));
    out.extend(table.notes.iter().map(|note| screen.paint(Tone::Faint, note)));
    out.join("\n")
}

/// Most columns of a cell. A name may be a megabyte long, and breaking it into lines takes the square of that.
const WIDEST: usize = 200;

fn cell(value: &str, align: Align) -> Cell {
    let align = match align {
        Align::Left => CellAlignment::Left,
        Align::Right => CellAlignment::Right,
    };
    Cell::new(text::truncate(&text::escape(value), WIDEST)).set_alignment(align)
}

#[cfg(test)]
mod tests {
    use super::super::style::Ink;
    use super::*;

    fn table() -> Table {
        let head = [("model", Align::Left), ("layers", Align::Right), ("C", Align::Right)];
        let mut table = Table::new("Models", &head);
        table.row(["org/first-model", "30", "0.4000"]);
        table.row(["a 東京 model with a rather long name that must be broken", "8", "-0.0100"]);
        table.notes.push("C: concentration".into());
        table
    }

    #[test]
    fn on_a_terminal() {
        insta::assert_snapshot!(render(&table(), Screen { width: 50, ink: Ink::None }, true));
    }

    #[test]
    fn in_a_pipe() {
        insta::assert_snapshot!(render(&table(), Screen { width: 50, ink: Ink::None }, false));
    }

    #[test]
    fn a_name_of_a_megabyte_is_cut() {
        let mut table = table();
        table.row(["word ".repeat(100_000), "é".repeat(500_000), "\u{202e}".repeat(100_000)]);
        for borders in [false, true] {
            let start = std::time::Instant::now();
            let drawn = render(&table, Screen { width: 80, ink: Ink::None }, borders);
            assert!(drawn.len() < 10_000 && drawn.contains('…'), "{} bytes", drawn.len());
            assert!(start.elapsed().as_secs() < 2, "{:?}", start.elapsed());
        }
    }

    #[test]
    fn an_empty_table_is_its_head() {
        let table = Table::new("", &[("a", Align::Left)]);
        assert_eq!(render(&table, Screen { width: 50, ink: Ink::None }, false), "a");
    }
}
