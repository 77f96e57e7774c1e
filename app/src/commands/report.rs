//! `engram report`: finished studies as one page that opens anywhere.

use crate::options::{self, OUTPUT};
use crate::records;
use crate::report::Frame;
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use engram_core::Error;
use std::path::{Path, PathBuf};

/// Arguments of `engram report`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// Records, or folders of records
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<PathBuf>,
    /// The page to write; its name ends in .html
    #[arg(short, long, value_name = "FILE", value_parser = options::text, help_heading = OUTPUT)]
    pub out: String,
    /// Take the viewer from this folder, which `cargo xtask web` has made, instead of the program's own
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub site: Option<PathBuf>,
    /// Open the page in the browser
    #[arg(long, help_heading = OUTPUT)]
    pub open: bool,
    /// Print what was written as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  engram report studies/ -o page.html
  engram report a.engram.json b.engram.json -o models.html --open

The page holds everything: the records with every raw number, the figures and
the viewer. Of facts that are edited at several layers a page above 2 MB leaves
out the losses of searches off the dominant layer, and says so. It opens from disk, asks nobody for anything, and can be read
without scripting. It is a record, too: `engram compare page.html`,
`engram export` and `engram verify` take it.";

/// Runs the command.
pub fn run(args: &ReportArgs, ui: &Ui) -> Result<()> {
    let out = Path::new(&args.out);
    if !out.extension().is_some_and(|end| end.eq_ignore_ascii_case("html") || end.eq_ignore_ascii_case("htm")) {
        let error = Error::input(format!("--out {}: a page's name ends in .html", args.out));
        return Err(error.hint(format!("give --out {}.html", args.out)).into());
    }
    let frame = Frame::choose(args.site.as_deref())?;
    let records = records::read(&args.records, ui)?;
    let bytes = frame.write(out, &records)?;
    if args.open
        && let Err(error) = open::that_detached(out)
    {
        ui.warn(&format!("no browser could be opened: {error}"));
    }
    if args.json {
        return ui.print_json(&serde_json::json!({ "path": out, "bytes": bytes, "records": records.len() }));
    }
    ui.print(&out.display().to_string())?;
    Ok(())
}
