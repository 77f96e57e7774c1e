//! Running other programs, and steps of which one may fail without stopping the next.

use crate::times::{Timed, spoken};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Makes the root the current folder, wherever the task was called.
pub(crate) fn enter_root() -> Result<()> {
    std::env::set_current_dir(root()).context("cannot enter the repository")
}

/// The cargo that runs this task.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Builds the program; gives its path. With the whole workspace, so that it shares its dependencies with the tests.
pub(crate) fn engram() -> Result<PathBuf> {
    let timed = Timed::start("the program (a first build takes half an hour of one core)");
    run(&mut cargo(&["build", "--release", "--workspace"]))?;
    timed.keep();
    Ok(root().join(target()).join("release").join(format!("engram{}", std::env::consts::EXE_SUFFIX)))
}

/// Runs this tool again with a feature that has heavy dependencies.
pub(crate) fn again(feature: &str, task: &str, arguments: &[String]) -> Result<()> {
    let words = ["run", "--quiet", "--release", "--package", "xtask", "--features", feature, "--", task];
    run(cargo(&words).args(arguments))
}

/// Runs a command to its end; an error names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = words(command);
    println!("$ {line}");
    let status = command.status().with_context(|| format!("cannot start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// What a command prints; `None` when it is missing or fails.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs a named step and keeps its duration and outcome.
pub(crate) struct Steps(Vec<(String, Outcome, Duration)>);

/// How a step ended.
pub(crate) enum Outcome {
    /// It was done.
    Done,
    /// It could not be done here, for this reason.
    Skipped(String),
    /// It failed, for this reason.
    Failed(String),
}

impl Steps {
    /// No steps yet.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// Runs a step; a failed one does not stop the next.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        let timed = Timed::start(name);
        let outcome = work().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
        match &outcome {
            Outcome::Skipped(why) => println!("skipped: {why}"),
            Outcome::Failed(why) => println!("failed: {why}"),
            Outcome::Done => timed.keep(),
        }
        self.0.push((name.to_owned(), outcome, timed.elapsed()));
    }

    /// The closing summary; an error when a step failed.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\nsummary:");
        for (name, outcome, time) in &self.0 {
            let outcome = match outcome {
                Outcome::Done => "ok".to_owned(),
                Outcome::Skipped(why) => format!("skipped: {why}"),
                Outcome::Failed(_) => "FAILED".to_owned(),
            };
            println!("  {:>11}  {name}: {outcome}", spoken(*time));
        }
        let failed = self.0.iter().filter(|(_, o, _)| matches!(o, Outcome::Failed(_))).count();
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.0.len());
        }
        Ok(())
    }
}
