//! `engram compare`: several models' records side by side (METHODS, section 3).

use crate::options::{self, METHOD, OUTPUT};
use crate::render::table::{Align, Table};
use crate::render::text;
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use clap::builder::PossibleValuesParser;
use engram_core::metrics::{MlpRatio, NecessityAt, RedundancyAggregate, View};
use engram_core::record::{Reading, Record};
use engram_core::{Error, journal, tables};
use std::path::{Path, PathBuf};

/// Arguments of `engram compare`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompareArgs {
    /// Records, or folders of records
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<PathBuf>,
    /// Model that the others are held against, by its name or the end of it
    #[arg(long, value_name = "NAME", value_parser = options::text, help_heading = METHOD)]
    pub baseline: Option<String>,
    /// Show this reading only: subject-last, last-token or same-index [default: all of a record's]
    #[arg(long, value_name = "READING", value_parser = options::reading(), help_heading = METHOD)]
    #[arg(hide_possible_values = true)]
    pub reading: Option<Reading>,
    /// Count facts that no layer's patch helps at their argmax, as the paper does
    #[arg(long, help_heading = METHOD)]
    pub argmax_always: bool,
    /// Layer at which necessity is read: lstar (the global dominant) or per-fact
    #[arg(long, value_name = "WHERE", default_value = "lstar", help_heading = METHOD)]
    #[arg(value_parser = PossibleValuesParser::new(["lstar", "per-fact"]), hide_possible_values = true)]
    pub necessity_at: String,
    /// Aggregate of r_MLP: mean-of-ratios or ratio-of-means
    #[arg(long, value_name = "HOW", default_value = "mean-of-ratios", help_heading = METHOD)]
    #[arg(value_parser = PossibleValuesParser::new(["mean-of-ratios", "ratio-of-means"]), hide_possible_values = true)]
    pub mlp_ratio: String,
    /// Aggregate of R: ratio-of-means or mean-of-clipped
    #[arg(long, value_name = "HOW", default_value = "ratio-of-means", help_heading = METHOD)]
    #[arg(value_parser = PossibleValuesParser::new(["ratio-of-means", "mean-of-clipped"]), hide_possible_values = true)]
    pub redundancy: String,
    /// How to print it: table, md, csv or json
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, hide_possible_values = true, help_heading = OUTPUT)]
    #[arg(help = "How to print it: table, md, csv or json")]
    pub format: Format,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For reading here
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
  engram compare studies/ --reading last-token --format csv > models.csv";

impl CompareArgs {
    fn view(&self) -> View {
        View {
            reading: self.reading.unwrap_or(Reading::SubjectLast),
            argmax_always: self.argmax_always,
            necessity_at: match self.necessity_at.as_str() {
                "per-fact" => NecessityAt::PerFact,
                _ => NecessityAt::LStar,
            },
            mlp_ratio: match self.mlp_ratio.as_str() {
                "ratio-of-means" => MlpRatio::RatioOfMeans,
                _ => MlpRatio::MeanOfRatios,
            },
            redundancy: match self.redundancy.as_str() {
                "mean-of-clipped" => RedundancyAggregate::MeanOfClipped,
                _ => RedundancyAggregate::RatioOfMeans,
            },
        }
    }
}

/// Runs the command.
pub fn run(args: &CompareArgs, ui: &Ui) -> Result<()> {
    let mut records = Vec::new();
    for path in files(&args.records)? {
        let read = journal::read(&path)?;
        if let Some(dropped) = read.dropped {
            ui.warn(&format!("{}: {dropped}", path.display()));
        }
        records.push(read.record);
    }
    if let Some(reading) = args.reading {
        keep(reading, &mut records)?;
    }
    let baseline = args.baseline.as_deref().map(|name| baseline(name, &records)).transpose()?;
    let tables = tables::all(&records, &args.view(), baseline.as_deref());
    match args.format {
        Format::Table => print_tables(&tables, ui)?,
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
        notes: table.notes.iter().map(|note| text::wrap(note, width)).collect(),
    }
}

/// Leaves one reading; a record without it is an error, for its numbers cannot be made up.
fn keep(reading: Reading, records: &mut [Record]) -> engram_core::Result<()> {
    for record in records {
        if !record.settings.readings.contains(&reading) {
            let names: Vec<&str> = record.settings.readings.iter().map(|reading| reading.name()).collect();
            let (model, wanted) = (&record.model.name, reading.name());
            return Err(Error::input(format!("the record of {model} has no reading {wanted}"))
                .hint(format!("it has: {}", names.join(", "))));
        }
        record.settings.readings = vec![reading];
    }
    Ok(())
}

/// Files as they are; folders as the records in them, by name.
fn files(paths: &[PathBuf]) -> engram_core::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_file() {
            files.push(path.clone());
            continue;
        }
        if !path.is_dir() {
            return Err(Error::input(format!("{}: there is no such file or folder", path.display()))
                .hint("records are written by `engram study`"));
        }
        let entries = path.read_dir().map_err(|e| Error::io(e.to_string()).at(path.display()))?;
        let mut found: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|p| is_record(p)).collect();
        if found.is_empty() {
            return Err(Error::input(format!("{}: there are no records in it", path.display()))
                .hint("a record's name ends in .engram.json or .engram.json.gz"));
        }
        found.sort();
        files.extend(found);
    }
    options::distinct("RECORD", &files, |path| path.display().to_string())?;
    Ok(files)
}

fn is_record(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".engram.json") || name.ends_with(".engram.json.gz")
}

/// The one model whose name is, or ends in, the given text.
fn baseline(wanted: &str, records: &[Record]) -> engram_core::Result<String> {
    let names: Vec<&str> = records.iter().map(|record| record.model.name.as_str()).collect();
    if let Some(name) = names.iter().find(|name| **name == wanted) {
        return Ok((*name).to_owned());
    }
    let ends: Vec<&&str> = names.iter().filter(|name| name.ends_with(wanted)).collect();
    match ends[..] {
        [name] => Ok((*name).to_owned()),
        [] => Err(Error::input(format!("no record is of a model `{wanted}`"))
            .hint(format!("the models are: {}", names.join(", ")))),
        _ => Err(Error::input(format!("several models end in `{wanted}`"))
            .hint(format!("the models are: {}", names.join(", ")))),
    }
}
