//! `engram compare`: several models' records side by side (METHODS, section 3).

use crate::engine::{self, Aggregate, Indices, NecessityAt};
use crate::options::{self, METHOD, OUTPUT};
use crate::render::table::{Align, Table};
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use engram_core::Error;
use engram_core::record::{Reading, Record};
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
    /// Reading whose dominant layers count: subject-last, last-token or same-index
    #[arg(long, value_name = "READING", value_parser = options::reading(), default_value = "subject-last", help_heading = METHOD)]
    #[arg(hide_possible_values = true)]
    pub reading: Reading,
    /// Count facts that no layer's patch helps at their argmax, as the paper does
    #[arg(long, help_heading = METHOD)]
    pub argmax_always: bool,
    /// Layer at which necessity is read: lstar (the global dominant) or per-fact
    #[arg(long, value_name = "WHERE", value_enum, default_value_t, hide_possible_values = true, help_heading = METHOD)]
    #[arg(help = "Layer at which necessity is read: lstar (the global dominant) or per-fact")]
    pub necessity_at: NecessityAt,
    /// Aggregate of r_MLP: mean-of-ratios or ratio-of-means
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Aggregate::MeanOfRatios, hide_possible_values = true, help_heading = METHOD)]
    #[arg(help = "Aggregate of r_MLP: mean-of-ratios or ratio-of-means")]
    pub mlp_ratio: Aggregate,
    /// Aggregate of R: ratio-of-means or mean-of-ratios
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Aggregate::RatioOfMeans, hide_possible_values = true, help_heading = METHOD)]
    #[arg(help = "Aggregate of R: ratio-of-means or mean-of-ratios")]
    pub redundancy: Aggregate,
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

/// Runs the command.
pub fn run(args: &CompareArgs, ui: &Ui) -> Result<()> {
    let files = files(&args.records)?;
    let records: Vec<Record> = files.iter().map(|path| engine::read_record(path)).collect::<Result<_>>()?;
    let indices = Indices {
        baseline: args.baseline.as_deref().map(|name| baseline(name, &records)).transpose()?,
        reading: args.reading,
        argmax_always: args.argmax_always,
        necessity_at: args.necessity_at,
        mlp_ratio: args.mlp_ratio,
        redundancy: args.redundancy,
    };
    let comparison = engine::compare(&records, &indices)?;
    match args.format {
        Format::Json => ui.print_json(&comparison.json)?,
        Format::Table => {
            for (index, table) in comparison.tables.iter().enumerate() {
                if index > 0 {
                    ui.print("")?;
                }
                ui.print_table(table)?;
            }
        }
        Format::Md => ui.print(&joined(&comparison.tables, markdown))?,
        Format::Csv => ui.print(&joined(&comparison.tables, csv))?,
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

fn joined(tables: &[Table], write: impl Fn(&Table) -> String) -> String {
    tables.iter().map(write).collect::<Vec<_>>().join("\n\n")
}

fn markdown(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let plain = |cell: &String| cell.replace('|', "\\|").replace('\n', " ");
    let mut out = Vec::new();
    if !table.title.is_empty() {
        out.push(format!("**{}**\n", table.title));
    }
    out.push(line(table.head.iter().map(|(name, _)| plain(name)).collect()));
    let rule = |align: &Align| if *align == Align::Right { "---:" } else { "---" }.to_owned();
    out.push(line(table.head.iter().map(|(_, align)| rule(align)).collect()));
    out.extend(table.rows.iter().map(|row| line(row.iter().map(plain).collect())));
    out.extend(table.notes.iter().map(|note| format!("\n{note}")));
    out.join("\n")
}

/// RFC 4180, a line break in a cell included; notes are talk and stay out.
fn csv(table: &Table) -> String {
    let cell = |value: &str| {
        if value.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", value.replace('"', "\"\""))
        } else {
            value.to_owned()
        }
    };
    let line = |cells: Vec<String>| cells.join(",");
    let mut out = vec![line(table.head.iter().map(|(name, _)| cell(name)).collect())];
    out.extend(table.rows.iter().map(|row| line(row.iter().map(|value| cell(value)).collect())));
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("T", &[("model", Align::Left), ("C", Align::Right)]);
        table.row(["a|b, \"c\"", "0.5"]);
        table.notes.push("note".into());
        table
    }

    #[test]
    fn markdown_and_csv_quote() {
        assert_eq!(markdown(&table()), "**T**\n\n| model | C |\n| --- | ---: |\n| a\\|b, \"c\" | 0.5 |\n\nnote");
        assert_eq!(csv(&table()), "model,C\n\"a|b, \"\"c\"\"\",0.5");
    }
}
