//! `engram verify`: whether records can be trusted, and their indices computed anew.

use crate::engine;
use crate::options::{self, MODEL, OUTPUT};
use crate::progress::Progress;
use crate::records;
use crate::render::style::{Screen, Tone};
use crate::render::table::{self, Align, Table};
use crate::render::text;
use crate::ui::Ui;
use crate::wanted::{Facts, Model, Proof, Source};
use anyhow::Result;
use clap::Args;
use engram_core::metrics::{EditSummary, Mean, Share, edit_summaries};
use engram_core::record::Record;
use engram_core::tables::Cell;
use engram_core::verify::{self, Check, Indices, State, TOLERANCE};
use engram_core::{Error, Kind};
use std::path::{Path, PathBuf};

/// Arguments of `engram verify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    /// Records, or folders of records
    #[arg(value_name = "RECORD", required = true)]
    pub records: Vec<PathBuf>,
    /// The facts that were studied, or `bundled` [default: the bundled facts, where the record was made from them]
    #[arg(long, value_name = "FILE", value_parser = options::facts)]
    pub facts: Option<Facts>,
    /// Recompute COUNT validated facts, spread evenly over the record
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub rerun: usize,
    /// Largest difference that passes, in probability; another device or batch moves the last bits
    #[arg(long, value_name = "P", value_parser = tolerance, default_value_t = TOLERANCE)]
    pub tolerance: f64,
    /// The record's model; the flag again for another record's [default: bundled or cached, by the record's name for it]
    #[arg(long, value_name = "MODEL", value_parser = options::source, help_heading = MODEL)]
    pub model: Vec<Source>,
    #[command(flatten)]
    run: options::RunArgs,
    /// Print everything as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  engram verify studies/
  engram verify gpt2.engram.json --facts counterfact.json --model gpt2
  engram verify engram-llama.engram.json --rerun 5
  engram verify studies/ --json > checks.json

Exit code 0: every check that could be made holds. 1: one does not.";

/// What `--json` prints of a record.
#[derive(Debug, serde::Serialize)]
struct Report {
    file: PathBuf,
    /// Every check that could be made holds.
    ok: bool,
    /// The program that wrote the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<engram_core::record::ModelInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    facts: usize,
    validated: usize,
    indices: Vec<Indices>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    edits: Vec<EditSummary>,
    checks: Vec<Check>,
}

/// Runs the command; `false` says that a check failed.
pub fn run(args: &VerifyArgs, ui: &Ui) -> Result<bool> {
    let progress = Progress::new(*ui);
    let proof = Proof {
        models: args.model.iter().map(|source| args.run.model(source)).collect::<Vec<Model>>(),
        device: args.run.device,
        precision: args.run.precision.0,
        facts: args.facts.clone(),
        rerun: args.rerun,
        tolerance: args.tolerance,
    };
    if args.model.is_empty() && args.run.tokenizer.is_some() {
        return Err(Error::input("`--tokenizer` without `--model`").hint("name the model too").into());
    }
    let (mut reports, mut shown) = (Vec::new(), 0);
    for path in records::files(&args.records)? {
        match records::open(&path) {
            Err(error) => reports.push(unreadable(&path, &error)),
            Ok(found) => {
                let found: Vec<Record> = found
                    .into_iter()
                    .map(|(record, warning)| {
                        warning.into_iter().for_each(|warning| ui.warn(&format!("{}: {warning}", path.display())));
                        record
                    })
                    .collect();
                // A page is one thing; what is said of it stands with its first record.
                let mut page = crate::report::verify(&path, &found)?;
                for record in &found {
                    let mut report = report(&path, record, &proof, &progress)?;
                    report.checks.extend(page.take());
                    report.ok = report.checks.iter().all(|check| check.state != State::Failed);
                    reports.push(report);
                }
            }
        }
        if !args.json {
            for report in &reports[shown..] {
                if shown > 0 {
                    ui.print("")?;
                }
                ui.print(&draw(report, ui.screen, ui.terminal))?;
                shown += 1;
            }
        }
    }
    let failed = reports.iter().filter(|report| !report.ok).count();
    if args.json {
        ui.print_json(&reports)?;
    } else if reports.len() > 1 {
        ui.print(&match failed {
            0 => format!("\n{} records: every check that could be made holds", reports.len()),
            _ => format!("\n{failed} of {} records have problems", reports.len()),
        })?;
    }
    Ok(failed == 0)
}

fn tolerance(value: &str) -> engram_core::Result<f64> {
    match value.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => {
            Err(Error::input("it is not a difference of probabilities").hint("give a number from 0 to 1, such as 1e-4"))
        }
    }
}

fn unreadable(path: &Path, error: &Error) -> Report {
    let mut check = Check::new("readable", State::Failed, error.message());
    check.hint = error.next_step().map(str::to_owned);
    Report {
        file: path.into(),
        ok: false,
        program: None,
        model: None,
        sha256: None,
        facts: 0,
        validated: 0,
        indices: Vec::new(),
        edits: Vec::new(),
        checks: vec![check],
    }
}

fn report(path: &Path, record: &Record, proof: &Proof, progress: &Progress) -> Result<Report> {
    let mut checks = verify::record(record);
    match engine::verify(record, proof, progress) {
        Ok(more) => checks.extend(more),
        Err(error) if engine::kind(&error) == Some(Kind::Cancelled) => return Err(error),
        // A model or facts file that does not open is no reason to keep quiet about the record.
        Err(error) => {
            progress.finish();
            let hint = error.downcast_ref::<Error>().and_then(Error::next_step).map(str::to_owned);
            let told = error.downcast_ref::<Error>().map_or_else(|| format!("{error:#}"), |e| e.message().to_owned());
            checks.push(Check { hint, ..Check::new("facts and model", State::Failed, told) });
        }
    }
    Ok(Report {
        file: path.into(),
        ok: checks.iter().all(|check| check.state != State::Failed),
        program: Some(record.program.clone()),
        model: Some(record.model.clone()),
        sha256: Some(verify::digest(record)?),
        facts: record.facts.len(),
        validated: record.validated().count(),
        indices: verify::indices(record),
        edits: edit_summaries(record),
        checks,
    })
}

fn draw(report: &Report, screen: Screen, borders: bool) -> String {
    let mut lines = vec![screen.paint(Tone::Heading, &text::told(&report.file.display().to_string()))];
    let mut line = |name: &str, value: String| lines.push(format!("{}  {}", text::pad(name, 10), text::told(&value)));
    if let Some(model) = &report.model {
        line("model", format!("{}, {} layers, {}", model.name, model.layers, model.family));
        line("facts", format!("{} validated of {} screened", report.validated, report.facts));
    }
    if let Some(program) = &report.program {
        line("written by", program.clone());
    }
    if let Some(digest) = &report.sha256 {
        line("SHA-256", format!("{digest} (of its compact JSON)"));
    }
    if !report.indices.is_empty() {
        lines.extend([String::new(), indices(&report.indices, screen, borders)]);
    }
    for edits in &report.edits {
        let success = share(edits.success);
        lines.push(format!(
            "edits by {}: {} tried, {} editable, {success} succeed by the paper's criterion",
            edits.method, edits.tried, edits.editable
        ));
        let ended = edits.verdicts.iter().filter(|(_, count)| **count > 0);
        let ended: Vec<String> = ended.map(|(verdict, count)| format!("{count} {}", verdict.name())).collect();
        if !ended.is_empty() {
            lines.push(format!("all measures together: {}", ended.join("; ")));
        }
    }
    lines.push(String::new());
    lines.push(checks(&report.checks, screen));
    lines.join("\n")
}

fn share(share: Option<Share>) -> String {
    share.map_or(Cell::Missing, Cell::Share).display()
}

fn indices(all: &[Indices], screen: Screen, borders: bool) -> String {
    let mean =
        |mean: Option<Mean>, decimals| mean.map_or(Cell::Missing, |mean| Cell::Mean { mean, decimals }).display();
    let names = ["l*", "facts at l*", "no peak", "not localized", "C", "Δ_nec", "r_MLP", "R"];
    let names = names.map(|name| (name, Align::Right));
    let head: Vec<_> = std::iter::once(("patch position", Align::Left)).chain(names).collect();
    let mut table = Table::new("", &head);
    for one in all {
        let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.3}"));
        table.row([
            one.position.name().to_owned(),
            one.l_star.map_or_else(|| "–".into(), |layer| layer.to_string()),
            share(one.at_l_star),
            share(one.no_peak),
            share(one.not_localized),
            number(one.concentration.map(|found| found.c)),
            mean(one.necessity, 4),
            mean(one.mlp_ratio, 3),
            mean(one.redundancy.map(|found| found.r), 3),
        ]);
    }
    table::render(&table, screen, borders)
}

/// Checks in the order of how they ended, problems last, and a closing line.
fn checks(checks: &[Check], screen: Screen) -> String {
    let width = checks.iter().map(|check| text::width(&check.name)).max().unwrap_or(0);
    let indent = 6 + width + 2;
    let mut lines = Vec::new();
    for state in [State::Ok, State::NotApplicable, State::NotChecked, State::Failed] {
        let (word, tone) = match state {
            State::Ok => ("ok  ", Tone::Good),
            State::NotApplicable => ("–   ", Tone::Faint),
            State::NotChecked => ("?   ", Tone::Warning),
            State::Failed => ("FAIL", Tone::Bad),
        };
        let of_state: Vec<&Check> = checks.iter().filter(|check| check.state == state).collect();
        for (at, check) in of_state.iter().enumerate() {
            let same = |other: &&&Check| state == State::NotApplicable && other.detail == check.detail;
            // What a record simply does not have is said once.
            if of_state[..at].iter().any(|other| same(&other)) {
                continue;
            }
            let more = of_state[at + 1..].iter().filter(same).count();
            let name = if more > 0 { format!("{} checks", more + 1) } else { check.name.clone() };
            let name = text::pad(&name, width);
            let room = screen.width.saturating_sub(indent).max(40);
            let detail =
                text::wrap(&text::told(&check.detail), room).replace('\n', &format!("\n{}", " ".repeat(indent)));
            lines.push(format!("{}  {name}  {detail}", screen.paint(tone, word)));
            if let Some(hint) = &check.hint {
                let hint = text::told(hint);
                lines.push(format!("{}{} {hint}", " ".repeat(indent), screen.paint(Tone::Hint, "hint:")));
            }
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let (ok, failed, left) = (count(State::Ok), count(State::Failed), count(State::NotChecked));
    let left = if left > 0 { format!(", {left} could not be made") } else { String::new() };
    lines.push(match failed {
        0 => screen.paint(Tone::Good, &format!("all {ok} checks hold{left}")),
        1 => screen.paint(Tone::Bad, &format!("1 check failed, {ok} hold{left}")),
        _ => screen.paint(Tone::Bad, &format!("{failed} checks failed, {ok} hold{left}")),
    });
    lines.join("\n")
}
