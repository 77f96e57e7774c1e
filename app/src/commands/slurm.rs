//! `engram slurm`: scripts that run a planned study on Slurm.

use crate::slurm::{Options, Refused, limit, quoted, scripts, together};
use crate::ui::Ui;
use anyhow::Result;
use clap::Args;
use engram_core::Error;
use engram_core::journal::write_atomic;
use engram_core::study::shards::Plan;
use std::path::PathBuf;

/// Arguments of `engram slurm`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SlurmArgs {
    /// The plan, as `engram study --plan` has made it
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// How many shards share the units of a wave
    #[arg(long, value_name = "COUNT")]
    pub shards: u32,
    /// Folder to write the scripts into; without one they are printed
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Time limit of a task: minutes, H:M:S or D-H
    #[arg(long, value_name = "TIME", default_value = "2:00:00", help_heading = TASKS)]
    pub time: String,
    /// Seconds before it at which a task is told to stop
    #[arg(long, value_name = "SECONDS", default_value_t = 120, help_heading = TASKS)]
    pub notice: u32,
    /// Processors of a shard
    #[arg(long, value_name = "COUNT", default_value_t = 8, help_heading = TASKS)]
    pub cpus: u32,
    /// GPUs of a shard, 0 or 1 [default: 1 where the plan was made on a GPU]
    #[arg(long, value_name = "COUNT", help_heading = TASKS)]
    pub gpus: Option<u32>,
    /// Shards at once on a node, for nodes that are given away whole with several GPUs
    #[arg(long, value_name = "COUNT", default_value_t = 1, help_heading = TASKS)]
    pub per_node: u32,
    /// Partition
    #[arg(long, value_name = "NAME", help_heading = TASKS)]
    pub partition: Option<String>,
    /// Account
    #[arg(long, value_name = "NAME", help_heading = TASKS)]
    pub account: Option<String>,
    /// Another option of sbatch, such as --sbatch=--mem=64G; repeat it for several
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true, help_heading = TASKS)]
    pub sbatch: Vec<String>,
    /// The program on the nodes [default: this one]
    #[arg(long, value_name = "PATH", help_heading = TASKS)]
    pub program: Option<String>,
}

const TASKS: &str = "Tasks";

const EXAMPLES: &str = "\
Examples:
  engram slurm study.plan --shards 16
  engram slurm study.plan --shards 64 --gpus 1 --time 4:00:00 --out jobs
  bash jobs/submit.sh

It submits nothing itself: submit.sh does, one job a wave and one that merges,
each after the one before. A task that is stopped or killed starts again by itself.";

/// Runs the command.
pub fn run(args: &SlurmArgs, ui: &Ui) -> Result<()> {
    let plan = Plan::read(&args.plan)?;
    let refused = |Refused { error, hint }| Error::input(error).hint(hint);
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path).display().to_string();
    let on_gpu = plan.header.device.kind == "gpu";
    let options = Options {
        plan: absolute(args.plan.clone()),
        waves: u32::from(plan.waves),
        shards: args.shards,
        program: match &args.program {
            Some(program) => program.clone(),
            None => absolute(std::env::current_exe()?),
        },
        // Shards compute where the plan was made: another kind of device is refused.
        arguments: vec!["--device".into(), if on_gpu { "gpu:slot".into() } else { plan.header.device.kind.clone() }],
        limit: limit(&args.time).map_err(refused)?,
        cpus: args.cpus,
        gpus: args.gpus.unwrap_or(u32::from(on_gpu)),
        per_node: args.per_node,
        partition: args.partition.clone(),
        account: args.account.clone(),
        further: args.sbatch.clone(),
        notice: args.notice,
    };
    let all = scripts(&options).map_err(refused)?;
    let Some(out) = &args.out else {
        ui.print(together(&all).trim_end())?;
        return Ok(());
    };
    std::fs::create_dir_all(out)
        .map_err(|error| Error::io(format!("{}: {error}", out.display())).hint("choose another --out"))?;
    for script in &all {
        write_atomic(&out.join(&script.name), script.text.as_bytes())?;
    }
    ui.print(&format!("bash {}", quoted(&out.join("submit.sh").display().to_string())))?;
    Ok(())
}
