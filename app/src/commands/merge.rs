//! `engram merge`: one record of a planned study's shards.

use super::shards::ended;
use super::study::summary;
use crate::engine;
use crate::progress::{self, Progress};
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Arguments of `engram merge`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MergeArgs {
    /// The plan whose shards are merged
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// The record's file [default: named after the model, beside the plan]
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Leave out who computed what: the bytes are then those of a study in one process
    #[arg(long)]
    pub no_runs: bool,
    /// Seconds to wait for what other machines have written: on a network's disk it is seen up to a minute late
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub wait: u64,
}

const EXAMPLES: &str = "\
Examples:
  engram merge study.plan
  engram verify *.engram.json --rerun 5

It needs neither model nor device. The record is the one that a study in one
process would have written, byte for byte, but for `runs`: who computed what.
Where units are missing it ends with code 3, and says which line computes them.";

/// Runs the command.
pub fn run(args: &MergeArgs, ui: &Ui) -> Result<ExitCode> {
    let progress = Progress::new(*ui);
    let merged =
        engine::merge(&args.plan, args.out.as_deref(), !args.no_runs, Duration::from_secs(args.wait), &progress);
    progress.finish();
    let done = match merged {
        Ok(Ok(studied)) => {
            ui.print(&summary(&studied))?;
            progress::wrote(ui, "record", &studied.path);
            Ok(Ok(()))
        }
        Ok(Err(missing)) => Ok(Err(missing)),
        Err(error) => Err(error),
    };
    Ok(ended(done, &args.plan, ui))
}
