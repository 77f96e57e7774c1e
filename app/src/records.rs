//! Records that a command line names, and how they are read: shared by the commands that read finished studies.

use crate::options::{self, METHOD};
use crate::ui::Ui;
use clap::Args;
use clap::builder::PossibleValuesParser;
use engram_core::metrics::{MetricConvention, MlpRatio, NecessityAt, RedundancyAggregate};
use engram_core::record::{PatchPosition, Record};
use engram_core::{Error, Result, journal, pack};
use engram_web::state::ViewState;
use std::path::{Path, PathBuf};

/// What of the records is shown, in figures as in tables.
#[derive(Debug, Args)]
pub struct ShownArgs {
    /// Show this patch position only: subject-last, last-token or same-index [default: all of a record's]
    #[arg(long, alias = "reading", value_name = "POSITION", value_parser = options::position(), help_heading = METHOD)]
    #[arg(hide_possible_values = true)]
    pub position: Option<PatchPosition>,
    /// Always assign a layer (paper's convention): facts that no layer's patch helps count at their argmax
    #[arg(long, help_heading = METHOD)]
    pub argmax_always: bool,
}

impl ShownArgs {
    /// The view as a page has it.
    pub fn state(&self) -> ViewState {
        let position = self.position.unwrap_or(PatchPosition::SubjectLast);
        ViewState { position, argmax_always: self.argmax_always, ..ViewState::default() }
    }

    /// Refuses a patch position that a record lacks.
    ///
    /// # Errors
    /// Naming those that it has.
    pub fn check(&self, records: &[Record]) -> Result<()> {
        self.position.map_or(Ok(()), |position| records.iter().try_for_each(|record| has(record, position)))
    }
}

/// How the indices are computed, see METHODS.
#[derive(Debug, Args)]
pub struct ViewArgs {
    /// Baseline model, by its name or the end of it
    #[arg(long, value_name = "NAME", value_parser = options::text, help_heading = METHOD)]
    pub baseline: Option<String>,
    #[command(flatten)]
    pub shown: ShownArgs,
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
}

impl ViewArgs {
    /// The view that the flags ask for.
    pub fn view(&self) -> MetricConvention {
        MetricConvention {
            position: self.shown.position.unwrap_or(PatchPosition::SubjectLast),
            argmax_always: self.shown.argmax_always,
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

    /// Leaves the asked patch position in the records' settings, which is what the tables go by, and gives the
    /// baseline's whole name.
    ///
    /// # Errors
    /// When a record lacks the patch position, or the baseline is no record's model or that of several.
    pub fn apply(&self, records: &mut [Record]) -> Result<Option<String>> {
        if let Some(position) = self.shown.position {
            keep(position, records)?;
        }
        self.baseline.as_deref().map(|name| baseline(name, records)).transpose()
    }
}

/// Reads all records of some files and folders; tells what was dropped from a journal.
///
/// # Errors
/// When one is missing or is not a record.
pub fn read(paths: &[PathBuf], ui: &Ui) -> Result<Vec<Record>> {
    let mut all = Vec::new();
    for path in files(paths)? {
        for (record, warning) in open(&path)? {
            if let Some(warning) = warning {
                ui.warn(&format!("{}: {warning}", path.display()));
            }
            all.push(record);
        }
    }
    Ok(all)
}

/// The records in one file, each with what was dropped from it: a record, a journal, or a result page.
///
/// # Errors
/// When it cannot be read or holds none.
pub fn open(path: &Path) -> Result<Vec<(Record, Option<String>)>> {
    let bytes = std::fs::read(path).ok();
    if let Some(found) = bytes.and_then(|bytes| pack::from_page(&bytes)) {
        let records = found.map_err(|error| error.at(path.display()))?;
        return Ok(records.into_iter().map(|record| (record, None)).collect());
    }
    let read = journal::read(path)?;
    Ok(vec![(read.record, read.dropped)])
}

/// A record without a patch position is an error that names those it has.
fn has(record: &Record, position: PatchPosition) -> Result<()> {
    if record.settings.positions.contains(&position) {
        return Ok(());
    }
    let names: Vec<&str> = record.settings.positions.iter().map(|position| position.name()).collect();
    let (model, wanted) = (&record.model.name, position.name());
    Err(Error::input(format!("the record of {model} has no patch position {wanted}"))
        .hint(format!("it has: {}", names.join(", "))))
}

/// Leaves one patch position; a record without it is an error, for its numbers cannot be made up.
fn keep(position: PatchPosition, records: &mut [Record]) -> Result<()> {
    for record in records {
        has(record, position)?;
        record.settings.positions = vec![position];
    }
    Ok(())
}

/// Files as they are; folders as the records in them, by name.
///
/// # Errors
/// When one is missing or named twice, or a folder has no records.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
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
fn baseline(wanted: &str, records: &[Record]) -> Result<String> {
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
