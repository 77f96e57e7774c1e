//! `engram demo`: the three stages on the bundled models, and what they show, next to what the paper claims.

mod lessons;

use super::{compare, study};
use crate::bundled::{self, Bundled};
use crate::engine;
use crate::options::{self, MODEL, OUTPUT};
use crate::progress::{self, Progress, duration};
use crate::render::bars::{self, Chart, Column};
use crate::render::style::Tone;
use crate::render::text;
use crate::report::Frame;
use crate::ui::Ui;
use crate::wanted::{Facts, Model, Place, Source};
use anyhow::Result;
use clap::Args;
use engram_core::device::DeviceChoice;
use engram_core::metrics::{MetricConvention, judge, summarize};
use engram_core::record::{EditRecord, EditSettings, Record, Settings};
use engram_core::tables;
use std::path::PathBuf;
use std::time::Instant;

/// Validated facts a model; the paper has 459 to 495.
const FACTS: usize = 450;
/// The same, and edits, with `--quick`.
const QUICK: (usize, usize) = (60, 5);
/// Edits a model. The paper has 5 to 8 editable ones, which is too few to hold rates against each other.
const EDITS: usize = 30;
/// Token × layer maps a model.
const MAPS: usize = 2;

/// Arguments of `engram demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Fewer facts and edits: under a minute on two cores
    #[arg(long)]
    pub quick: bool,
    /// Where to compute: auto, gpu or cpu; auto picks the faster one for the model
    #[arg(long, value_name = "WHERE", value_parser = options::device, default_value = "auto", help_heading = MODEL)]
    pub device: DeviceChoice,
    /// Folder for the records; made when missing
    #[arg(long, value_name = "DIR", value_parser = options::folder, default_value = "engram-demo", help_heading = OUTPUT)]
    pub out: PathBuf,
    /// Open the page in the browser when it is made
    #[arg(long, help_heading = OUTPUT)]
    pub open: bool,
    /// Start again instead of resuming an interrupted demo
    #[arg(long, help_heading = OUTPUT)]
    pub fresh: bool,
}

const EXAMPLES: &str = "\
Examples:
  engram demo --quick
  engram demo --out demo
  engram compare demo --position last-token

It ends with page.html, which holds all of it and opens in any browser.

It needs no network, no GPU and no files. The models are small transformers
that were trained to know some 2,270 facts; `engram study --model engram-llama
--facts bundled` studies one of them in your own way.";

/// Runs the command; `false` says that a model failed.
pub fn run(args: &DemoArgs, ui: &Ui) -> Result<bool> {
    let start = Instant::now();
    let settings = settings(args.quick);
    // Quick and full are different studies; each resumes its own.
    let out = if args.quick { args.out.join("quick") } else { args.out.clone() };
    let place = Place { out: out.clone(), fresh: args.fresh, strict: false };
    let mut records = Vec::new();
    for (index, bundled) in bundled::studied().iter().enumerate() {
        let step = format!("model {} of {}", index + 1, bundled::studied().len());
        ui.say(&ui.talk.paint(Tone::Heading, &format!("{step}: {}", bundled.name)));
        let (source, device) = (Source::Bundled(bundled), args.device);
        let model = Model { source, tokenizer: None, device, precision: None, stats_text: None };
        let progress = Progress::new(*ui);
        let studied = engine::study(&model, &Facts::Bundled, &settings, &place, &progress)?;
        progress.finish();
        ui.say(&study::summary(&studied));
        records.push(studied.record);
    }
    show(&records, ui)?;
    progress::wrote(ui, "records", &out);
    let page = out.join("page.html");
    Frame::choose(None)?.write(&page, &records)?;
    progress::wrote(ui, "page", &page);
    if args.open
        && let Err(error) = open::that_detached(&page)
    {
        ui.warn(&format!("no browser could be opened: {error}"));
    }
    ui.note(&format!("time: {}", duration(start.elapsed())));
    Ok(true)
}

/// The settings of the demo's studies.
pub fn settings(quick: bool) -> Settings {
    let (n, edits) = if quick { QUICK } else { (FACTS, EDITS) };
    Settings { n, maps: MAPS, edit: EditSettings { facts: edits, ..EditSettings::default() }, ..Settings::default() }
}

/// Figures, tables, an edited fact, and what there is to learn.
fn show(records: &[Record], ui: &Ui) -> Result<()> {
    for record in records {
        ui.print(&bars::render(&sufficiency(record), ui.screen))?;
        ui.print("")?;
    }
    let baseline = records.last().map(|record| record.model.name.as_str());
    compare::print_tables(&tables::all(records, &MetricConvention::default(), baseline), ui)?;
    ui.print("")?;
    let width = ui.screen.width.min(100);
    if let Some(lines) = records.iter().find_map(edited) {
        ui.print(&ui.screen.paint(Tone::Heading, "An edited fact"))?;
        ui.print(&text::wrap(&lines, width))?;
        ui.print("")?;
    }
    let lessons = lessons::all(records, &recipes());
    for lesson in lessons {
        ui.print(&ui.screen.paint(Tone::Heading, lesson.question))?;
        for line in lesson.lines {
            // A point of a list hangs on its dash.
            let (first, more) = if line.starts_with("- ") { (width - 2, "\n  ") } else { (width, "\n") };
            ui.print(&text::wrap(&line, first).replace('\n', more))?;
        }
        ui.print("")?;
    }
    Ok(())
}

/// The edit of a record with the best verdict, and of these the one that raised the new answer most, in words.
fn edited(record: &Record) -> Option<String> {
    let edits = record.edits.as_ref()?;
    let rise = |edit: &EditRecord| edit.p_false_after - edit.p_false;
    let verdict = |edit: &EditRecord| judge(edit).verdict;
    let best = edits.iter().min_by(|a, b| verdict(a).cmp(&verdict(b)).then(rise(b).total_cmp(&rise(a))))?;
    let fact = record.facts.iter().find(|fact| fact.order == best.fact)?;
    let judged = judge(best);
    let checks = judged.checks().map(|(_, told)| told).join(", ");
    Some(format!(
        "{}: \"{}\" {} {:.3} -> {:.3}, {} {:.3} -> {:.3}, by a rank-one change of the MLP's down projection in layer {}. \
         Verdict: {}, {}; {checks}. The weights were restored afterwards{}.",
        record.model.name,
        text::escape(&fact.prompt),
        text::token(&fact.target_true),
        best.p_true,
        best.p_true_after,
        text::token(&fact.target_new),
        best.p_false,
        best.p_false_after,
        best.layer,
        judged.verdict.name(),
        judged.verdict.meaning(),
        if best.restored { ", bit for bit" } else { " but not exactly" },
    ))
}

/// How the bundled models were trained, in the order of [`bundled::studied`].
fn recipes() -> Vec<engram_core::train::Recipe> {
    let read = |model: &Bundled| engram_core::train::Recipe::parse(model.recipe).ok();
    bundled::studied().iter().filter_map(read).collect()
}

/// The paper's figures 2 and 3: mean sufficiency per layer, the global dominant layer marked.
fn sufficiency(record: &Record) -> Chart {
    let column = |position: &engram_core::record::PatchPosition| {
        let summary = summarize(record, &MetricConvention::default().with_position(*position));
        Column {
            name: position.name().into(),
            values: summary.sufficiency.iter().map(|mean| mean.mean as f32).collect(),
            mark: summary.l_star,
        }
    };
    Chart {
        least: 0.0,
        title: format!("{}: mean sufficiency per layer, the most common dominant layer marked", record.model.name),
        columns: record.settings.positions.iter().map(column).collect(),
    }
}
