//! `engram study` in shards: planning, computing a part of a wave, looking how far it is. docs/SCALE.md is how to use them.

use super::study::StudyArgs;
use crate::engine::{self, ShardState, ShareState};
use crate::progress::{self, Progress};
use crate::render::text;
use crate::slurm::quoted;
use crate::ui::Ui;
use anyhow::Result;
use clap::{Args, Command};
use engram_core::study::shards::{Missing, Shard};
use engram_core::{Error, Kind};
use engram_web::words;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr as _;
use std::time::Duration;

const SHARDS: &str = "Shards (docs/SCALE.md)";

/// Exit codes of shards, by which a batch system knows what to do.
const MISSING: u8 = 3;
const DISK: u8 = 74;
const AGAIN: u8 = 75;
/// A process whose units take so many times the average is named.
const SLOW: f64 = 1.5;

/// Arguments of a study in shards.
#[derive(Debug, Args)]
pub struct ShardArgs {
    /// Plan the study into FILE instead of running it; with --wave, compute units of the plan in FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "fresh", "strict"], help_heading = SHARDS)]
    pub plan: Option<PathBuf>,
    /// Compute the units of this wave: 1, then 2, then 3 where an editor needs second moments
    #[arg(long, value_name = "WAVE", value_parser = clap::value_parser!(u8).range(1..=3), help_heading = SHARDS)]
    #[arg(requires_all = ["plan", "shard"], conflicts_with = "status")]
    pub wave: Option<u8>,
    /// Which part of them: K/N, from 0/N to N-1/N
    #[arg(long, value_name = "K/N", value_parser = Shard::from_str, requires = "wave", help_heading = SHARDS)]
    pub shard: Option<Shard>,
    /// Seconds from a signal to stop until the process is ended; a unit that ends within half of them is kept
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "wave", help_heading = SHARDS)]
    pub notice: u64,
    /// Seconds to wait for what other machines have written, where a wave before is not whole: on a network's disk it is seen up to a minute late
    #[arg(long, value_name = "SECONDS", default_value_t = 0, requires = "wave", help_heading = SHARDS)]
    pub wait: u64,
    /// Show how far the shards of a plan are
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["plan", "device"], help_heading = SHARDS)]
    pub status: Option<PathBuf>,
}

/// Arguments that are not settings of a study.
const NOT_PLANNED: [&str; 8] = ["plan", "wave", "shard", "notice", "wait", "status", "json", "device"];

/// With a shard, or a plan's state, the plan decides everything else: what would be taken and not heard is refused.
pub fn refuse_settings(study: Command) -> Command {
    study.mut_args(|arg| match NOT_PLANNED.contains(&arg.get_id().as_str()) {
        true => arg,
        false => arg.conflicts_with_all(["wave", "status"]),
    })
}

/// Runs what is about shards; `None` where nothing is.
pub fn run(args: &StudyArgs, ui: &Ui) -> Result<Option<ExitCode>> {
    let shards = &args.shards;
    let progress = Progress::new(*ui);
    match (&shards.status, &shards.plan, shards.wave.zip(shards.shard)) {
        (Some(plan), ..) => {
            let state = engine::shard_states(plan)?;
            match args.json {
                true => ui.print_json(&state)?,
                false => ui.print(&status(plan, &state))?,
            }
        }
        (None, Some(plan), Some((wave, shard))) => {
            progress::end_units(Duration::from_secs(shards.notice / 2));
            let wait = Duration::from_secs(shards.wait);
            let done = engine::shard(plan, (shard, wave), args.device(), wait, &progress);
            progress.finish();
            return Ok(Some(ended(done, plan, ui)));
        }
        (None, Some(plan), None) => plan_study(args, plan, ui, &progress)?,
        (None, None, _) => return Ok(None),
    }
    Ok(Some(ExitCode::SUCCESS))
}

/// How a shard, or a merge, has ended.
pub fn ended(done: Result<std::result::Result<(), Missing>>, plan: &Path, ui: &Ui) -> ExitCode {
    let (error, code) = match done {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(missing)) => (lacks(&missing, plan).into(), MISSING),
        Err(error) => {
            let code = match engine::kind(&error) {
                Some(Kind::Io) => DISK,
                Some(Kind::Cancelled) => AGAIN,
                Some(Kind::Input) => 2,
                _ => 1,
            };
            (error, code)
        }
    };
    ui.failure(&error);
    ExitCode::from(code)
}

/// What is missing, and the lines that compute it.
pub fn lacks(missing: &Missing, plan: &Path) -> Error {
    const SHOWN: usize = 8;
    let list = |all: &mut dyn Iterator<Item = String>, count: usize| {
        let shown: Vec<String> = all.take(SHOWN).collect();
        let more = if count > SHOWN { format!(" and {} more", count - SHOWN) } else { String::new() };
        format!("{}{more}", shown.join(", "))
    };
    let count = missing.units.len();
    let units = list(&mut missing.units.iter().map(ToString::to_string), count);
    let owners = missing.owners();
    let shards = list(&mut owners.iter().map(ToString::to_string), owners.len());
    let first = owners.first().map(ToString::to_string).unwrap_or_default();
    let (plan, wave) = (quoted(&plan.display().to_string()), missing.wave);
    Error::input(format!("wave {wave} is not whole: {count} units are missing ({units}), of the shards {shards}"))
        .hint(format!("engram study --plan {plan} --wave {wave} --shard {first}"))
}

fn plan_study(args: &StudyArgs, path: &Path, ui: &Ui, progress: &Progress) -> Result<()> {
    let settings = args.settings()?;
    let [source] = args.model.as_slice() else {
        return Err(Error::input("`--plan` with several models").hint("plan a study of each").into());
    };
    let Some(facts) = &args.facts else { unreachable!("the grammar asks for them") };
    let planned = engine::plan(&args.of(source), facts, &settings, path, progress)?;
    progress.finish();
    let plan = &planned.plan;
    let name = quoted(&path.display().to_string());
    let mut lines =
        vec![format!("{}: {} facts, {} waves", text::escape(&plan.header.model.name), settings.n, plan.waves)];
    if let Some([first, second]) = planned.estimate {
        let later = if second > 0.0 { format!(", redundancy and maps about {}", told(second)) } else { String::new() };
        lines.push(format!(
            "  tracing takes about {}{later}, measured on this device with the first facts",
            told(first)
        ));
    }
    lines.push("  on each machine or in each job, K from 0 to N-1, a wave after the other:".into());
    lines.push(format!("    engram study --plan {name} --wave 1 --shard K/N"));
    lines.push(format!("  then: engram merge {name}"));
    ui.print(&lines.join("\n"))?;
    progress::wrote(ui, "plan", path);
    Ok(())
}

/// A duration in words.
fn told(seconds: f64) -> String {
    progress::duration(Duration::from_secs_f64(seconds.clamp(0.0, 1e9)))
}

/// How far the shards are: a machine after the other, the slowest of its processes first.
fn status(plan: &Path, state: &ShardState) -> String {
    let mut lines = vec![format!("{} of {} facts traced", state.traced, state.of)];
    let hosts: BTreeSet<&str> = state.processes.iter().map(|process| process.host.as_str()).collect();
    for host in hosts {
        let mut here: Vec<&ShareState> = state.processes.iter().filter(|process| process.host == host).collect();
        here.sort_by(|one, other| other.slower.total_cmp(&one.slower));
        let units: usize = here.iter().map(|process| process.units).sum();
        let active = here.iter().filter(|process| process.at_work).count();
        let at_work = match state.wave {
            Some(_) => format!(", {active} of {} at work", here.len()),
            None => String::new(),
        };
        let processes = words::count(here.len(), "process");
        lines.push(format!("{}: {} in {processes}{at_work}", text::escape(host), words::count(units, "unit")));
        lines.extend(here.into_iter().map(process));
    }
    let Some(wave) = state.wave else {
        lines.push(format!("everything is there: engram merge {}", quoted(&plan.display().to_string())));
        return lines.join("\n");
    };
    let left = state.seconds_left.map_or_else(String::new, |left| format!(", about {}", told(left)));
    lines.push(format!("wave {wave} of {}: {} units left{left}", state.waves, state.units_left));
    let shown: Vec<&str> = state.owners.iter().take(20).map(String::as_str).collect();
    lines.push(format!("  of the shards {}", shown.join(", ")));
    lines.join("\n")
}

fn process(one: &ShareState) -> String {
    let ago = one.silent.map_or_else(String::new, |silent| format!(", last {} ago", told(silent)));
    let pace = match one.slower {
        slower if slower >= SLOW => format!(", SLOW: {slower:.1} times the average"),
        _ => String::new(),
    };
    let (shard, units, median) = (&one.shard, words::count(one.units, "unit"), one.median);
    format!("  {shard:>7} on {}: {units}, {median:.1} s each in the middle{ago}{pace}", text::escape(&one.device))
}
