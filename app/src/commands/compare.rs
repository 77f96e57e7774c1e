//! `engram compare`: several models' records side by side (METHODS, section 3).

use super::sweep;
use crate::options::OUTPUT;
use crate::records::{self, ViewArgs};
use crate::render::table::{Align, Table};
use crate::render::text;
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use engram_core::facts::ReferenceTexts;
use engram_core::record::Record;
use engram_core::{Error, tables};
use std::path::{Path, PathBuf};

/// Arguments of `engram compare`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompareArgs {
    /// Records, or folders of records
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<PathBuf>,
    #[command(flatten)]
    view: ViewArgs,
    /// Add what others have published of edits on CounterFact, with its source
    #[arg(long)]
    pub published: bool,
    /// Add RS: the model's own texts (studies with --fluency) beside reference texts, CounterFact's attribute_snippets.json
    #[arg(long, value_name = "FILE")]
    pub reference_texts: Option<PathBuf>,
    /// How to print it: table, md, csv or json
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, hide_possible_values = true, help_heading = OUTPUT)]
    #[arg(help = "How to print it: table, md, csv or json")]
    pub format: Format,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people, in the terminal
    #[default]
    Table,
    /// Markdown
    Md,
    /// Comma-separated values
    Csv,
    /// JSON, unrounded
    Json,
}

const EXAMPLES: &str = "\
Examples:
  engram compare studies/
  engram compare a.engram.json b.engram.json --baseline SmolLM2-135M --format md
  engram compare studies/ --position last-token --format csv > models.csv";

/// Runs the command.
pub fn run(args: &CompareArgs, ui: &Ui) -> Result<()> {
    let mut records = records::read(&args.records, ui)?;
    let baseline = args.view.apply(&mut records)?;
    let mut tables = tables::all(&records, &args.view.view(), baseline.as_deref());
    tables.extend(args.published.then(tables::published));
    if let Some(path) = &args.reference_texts {
        tables.push(beside_references(&records, path)?);
    }
    match args.format {
        Format::Table => {
            print_tables(&tables, ui)?;
            records.iter().try_for_each(|record| sweep::print(record, ui))?;
        }
        Format::Md => {
            let tables: Vec<String> = tables.iter().map(tables::Table::to_markdown).collect();
            ui.print(tables.join("\n").trim_end())?;
        }
        Format::Csv => {
            let tables: Vec<String> = tables.iter().map(tables::Table::to_csv).collect::<engram_core::Result<_>>()?;
            ui.print(tables.join("\n").trim_end())?;
        }
        Format::Json => {
            ui.print_json(&tables.iter().map(tables::Table::to_json).collect::<Vec<_>>())?;
        }
    }
    Ok(())
}

/// Table 9.
fn beside_references(records: &[Record], path: &Path) -> Result<tables::Table> {
    let bytes = std::fs::read(path)
        .map_err(|error| Error::input(format!("{}: {error}", path.display())).hint("check --reference-texts"))?;
    let references = ReferenceTexts::parse(&path.display().to_string(), &bytes)?;
    let none = || {
        Error::input("no edit of these records has texts of its own and reference texts").hint(
            "run the study with --fluency, on facts with generation_prompts and the relations and answers of the file",
        )
    };
    Ok(tables::table9(records, &references).ok_or_else(none)?)
}

/// Tables for people, an empty line between two.
pub fn print_tables(tables: &[tables::Table], ui: &Ui) -> Result<()> {
    for (index, table) in tables.iter().enumerate() {
        if index > 0 {
            ui.print("")?;
        }
        ui.print_table(&drawn(table, ui.screen.width))?;
    }
    Ok(())
}

fn drawn(table: &tables::Table, width: usize) -> Table {
    let align = |align| match align {
        tables::Align::Left => Align::Left,
        tables::Align::Right => Align::Right,
    };
    Table {
        title: format!("Table {}. {}", table.number, table.title),
        head: table.columns.iter().map(|column| (column.name.clone(), align(column.align))).collect(),
        rows: table.rows.iter().map(|row| row.iter().map(tables::Cell::display).collect()).collect(),
        notes: table.notes.iter().map(|note| text::wrap(&text::escape(note), width)).collect(),
    }
}
