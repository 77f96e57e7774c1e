//! `engram export`: finished studies as files for papers, spreadsheets and notebooks.

use crate::engine;
use crate::export::{self, Folder};
use crate::options::{self, OUTPUT};
use crate::records::{self, ViewArgs};
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `engram export`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// Records, or folders of records
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<PathBuf>,
    #[command(flatten)]
    view: ViewArgs,
    /// Folder to write into: a new one, an empty one, or that of an earlier export
    #[arg(short, long, value_name = "DIR", value_parser = options::folder, help_heading = OUTPUT)]
    pub out: PathBuf,
    /// Write these parts only: tables, records, parquet, figures
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', hide_possible_values = true, help_heading = OUTPUT)]
    #[arg(help = "Write these parts only: tables, records, parquet, figures")]
    pub only: Vec<Part>,
    /// Write into a folder that is not empty
    #[arg(long, help_heading = OUTPUT)]
    pub force: bool,
    /// Print the files that were written as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// `--only`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Tables as CSV, Markdown, LaTeX and JSON
    Tables,
    /// Records as plain JSON
    Records,
    /// Raw values as Parquet
    Parquet,
    /// Figures as SVG and PNG
    Figures,
}

const EXAMPLES: &str = "\
Examples:
  engram export studies/ -o export
  engram export a.engram.json b.engram.json --baseline a -o paper --only tables
  engram export studies/ -o raw --only parquet

Parquet for pandas, polars and DuckDB: docs/RECORD.md names every column.";

/// Runs the command.
pub fn run(args: &ExportArgs, ui: &Ui) -> Result<()> {
    options::distinct("--only", &args.only, |part| format!("{part:?}").to_lowercase())?;
    let records = records::read(&args.records, ui)?;
    // The patch position is a choice of the tables; the raw values stay whole.
    let mut shown = records.clone();
    let baseline = args.view.apply(&mut shown)?;
    let wanted = |part| args.only.is_empty() || args.only.contains(&part);
    let program = engine::program();
    let mut folder = Folder::open(&args.out, args.force, &program)?;
    if wanted(Part::Tables) {
        export::tables(&mut folder, &shown, &args.view.view(), baseline.as_deref())?;
    }
    if wanted(Part::Records) {
        export::records(&mut folder, &records)?;
    }
    if wanted(Part::Parquet) {
        for name in export::parquet(&mut folder, &records, &program)? {
            ui.note(&format!("no {name}.parquet: the records have none of it"));
        }
    }
    if wanted(Part::Figures) {
        export::figures(&mut folder, &engram_web::print::pictures(&records, args.view.shown.state())?)?;
    }
    let (written, stale) = folder.finish()?;
    if args.only.is_empty() && !stale.is_empty() {
        let (some, more) = stale.split_at(stale.len().min(3));
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        ui.warn(&format!("left there from an earlier export, not written now: {}{more}", some.join(", ")));
    }
    if args.json {
        return ui.print_json(&written);
    }
    for file in &written {
        ui.print(&file.path.display().to_string())?;
    }
    Ok(())
}
