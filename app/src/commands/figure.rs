//! `engram figure`: one figure of finished studies as SVG or PNG.

use crate::export;
use crate::options::{self, OUTPUT};
use crate::progress;
use crate::records::{self, ShownArgs};
use crate::render::text;
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use engram_core::Error;
use engram_core::journal::write_atomic;
use engram_web::print::{self, Picture};
use std::path::{Path, PathBuf};

/// Arguments of `engram figure`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FigureArgs {
    /// Records, or folders of records, or a result page
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<PathBuf>,
    /// Which figure: sufficiency, ablations, maps and so on, or its number such as 2 or D
    #[arg(long, value_name = "NAME", value_parser = options::text, required_unless_present = "list")]
    pub name: Option<String>,
    /// The file to write, .svg or .png [default: SVG, printed]
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub out: Option<PathBuf>,
    /// Pixels of a PNG to a unit of the SVG, 96 units to the inch
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u8).range(1..=8), default_value_t = 2, help_heading = OUTPUT)]
    pub scale: u8,
    /// List the figures that these records have
    #[arg(long, conflicts_with_all = ["name", "out", "scale"], help_heading = OUTPUT)]
    pub list: bool,
    /// List them as JSON
    #[arg(long, requires = "list", help_heading = OUTPUT)]
    pub json: bool,
    #[command(flatten)]
    shown: ShownArgs,
}

const EXAMPLES: &str = "\
Examples:
  engram figure studies/ --list
  engram figure a.engram.json --name sufficiency -o sufficiency.svg
  engram figure a.engram.json b.engram.json --name 4 -o metrics.png --scale 4";

/// Runs the command.
pub fn run(args: &FigureArgs, ui: &Ui) -> Result<()> {
    // Before anything is read or drawn.
    let kind = args.out.as_deref().map(kind).transpose()?;
    let records = records::read(&args.records, ui)?;
    args.shown.check(&records)?;
    let all = print::pictures(&records, args.shown.state())?;
    if args.list {
        if args.json {
            let list: Vec<_> =
                all.iter().map(|one| serde_json::json!({ "name": one.name, "title": one.title })).collect();
            return ui.print_json(&list);
        }
        let widest = all.iter().map(|one| one.name.len()).max().unwrap_or_default();
        for one in &all {
            ui.print(&format!("{:widest$}  {}", one.name, text::escape(one.title)))?;
        }
        return Ok(());
    }
    let Some(name) = &args.name else { unreachable!("the grammar asks for it") };
    let picture = wanted(all, name)?;
    let Some((out, kind)) = args.out.as_ref().zip(kind) else {
        ui.print(picture.svg.trim_end())?;
        return Ok(());
    };
    let bytes = match kind {
        Kind::Svg => picture.svg.into_bytes(),
        Kind::Png => export::png(&picture.svg, f32::from(args.scale))?,
    };
    write_atomic(out, &bytes)?;
    progress::wrote(ui, "figure", out);
    Ok(())
}

/// The figure of a name or a number.
fn wanted(all: Vec<Picture>, name: &str) -> Result<Picture> {
    let here: Vec<&str> = all.iter().map(|one| one.name).collect();
    let here = here.join(", ");
    let wish = name.to_lowercase();
    let number = format!("figure-{}", wish.trim_start_matches("figure").trim_start_matches([' ', '-', '_']));
    let found = all.into_iter().find(|one| one.name == wish || one.id == number);
    let known = print::NAMES.iter().any(|(_, known)| *known == wish);
    found.ok_or_else(|| {
        let what = if known { "these records have nothing of this figure" } else { "there is no such figure" };
        let hint = if here.is_empty() { "these records have no figure".into() } else { format!("they have: {here}") };
        Error::input(format!("--name {name}: {what}")).hint(hint).into()
    })
}

enum Kind {
    Svg,
    Png,
}

fn kind(out: &Path) -> Result<Kind> {
    match out.extension().map(|end| end.to_string_lossy().to_lowercase()).as_deref() {
        Some("svg") => Ok(Kind::Svg),
        Some("png") => Ok(Kind::Png),
        _ => Err(Error::input(format!("--out {}: a figure's name ends in .svg or .png", out.display()))
            .hint("LaTeX takes PDF: convert an SVG with Inkscape or rsvg-convert")
            .into()),
    }
}
