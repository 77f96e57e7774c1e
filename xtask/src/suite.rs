//! `cargo xtask test`: every test of the workspace, those in a browser, what was skipped, and a closing summary.

use crate::browser;
use crate::dist;
use crate::python;
use crate::shell::{cargo, words};
use crate::times::{Timed, spoken};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// A test that cannot run here appends one line, `test name: reason`, to the file that this variable names.
const SKIPPED: &str = "ENGRAM_SKIPPED";

#[derive(Debug, Default, PartialEq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// What the tests of all kinds said.
#[derive(Default)]
struct Told {
    counts: Counts,
    failures: Vec<String>,
}

/// Runs the tests. Arguments go to `cargo test`, and those in a browser are left out then; `browser` as the first one
/// runs these alone, and further ones name some of their files.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let start = Instant::now();
    let skipped = skip_file()?;
    let mut told = Told::default();
    let mut wrong = Vec::new();
    let only_browser = arguments.first().is_some_and(|argument| argument == "browser");
    if !only_browser {
        let timed = Timed::start("the workspace's tests");
        match native(arguments, &skipped, &mut told)?.success() {
            // Some of them alone say nothing about how long all will take.
            true if arguments.is_empty() => timed.keep(),
            true => {}
            false => wrong.push("the tests failed".to_owned()),
        }
        println!("the workspace's tests: {}", timed.told());
    }
    if arguments.is_empty() && !wheel(&skipped, &mut told)? {
        wrong.push("the wheel failed".to_owned());
    }
    if only_browser || arguments.is_empty() {
        let files = if only_browser { &arguments[1..] } else { &[] };
        match in_browser(files, &skipped, &mut told) {
            Ok(true) => {}
            Ok(false) => wrong.push("the tests in a browser failed".to_owned()),
            Err(error) => wrong.push(format!("the tests in a browser could not be run: {error:#}")),
        }
    }

    let lines = lines(&skipped);
    let _ = std::fs::remove_file(&skipped);
    let _ = std::fs::remove_dir_all(skipped.with_extension("cache"));
    println!("\nsummary:");
    for line in &lines {
        println!("  skipped  {line}");
    }
    for name in &told.failures {
        println!("  FAILED   {name}");
    }
    println!(
        "  {} passed, {} failed, {} skipped, {} ignored, {}",
        told.counts.passed.saturating_sub(lines.len() as u64),
        told.counts.failed,
        lines.len(),
        told.counts.ignored,
        spoken(start.elapsed())
    );
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    if told.counts == Counts::default() && lines.is_empty() {
        bail!("no test was run");
    }
    Ok(())
}

/// The workspace's tests.
fn native(arguments: &[String], skipped: &Path, told: &mut Told) -> Result<ExitStatus> {
    let mut command = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    command.args(arguments);
    // Snapshots are compared here, never rewritten; wide terminals must not change what tests read.
    command.env("INSTA_UPDATE", "no").env("INSTA_WORKSPACE_ROOT", crate::shell::root());
    command.env_remove("COLUMNS").env_remove("NO_COLOR");
    // What the program keeps for the next time is not kept in the user's own folder.
    command.env("ENGRAM_CACHE", skipped.with_extension("cache"));
    // Without a desktop session Linux's window libraries complain at every look for a graphics adapter.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    }
    told.listen(&mut command, skipped)
}

/// The program as a wheel, from a fresh environment; told and counted as cargo tells its tests.
fn wheel(skipped: &Path, told: &mut Told) -> Result<bool> {
    println!();
    let timed = Timed::start("the Python wheel");
    let why = match python::maturin() {
        Some(_) => python::system().err().map(|error| format!("{error:#}")),
        None => Some("no maturin here; `cargo xtask setup` installs it".to_owned()),
    };
    if let Some(why) = why {
        println!("skipped: {why}");
        note(skipped, &format!("wheel: {why}"))?;
        told.counts.passed += 1;
        return Ok(true);
    }
    const NAME: &str = "a wheel in a fresh environment runs the notebook and the demo";
    let outcome = dist::try_wheel();
    match &outcome {
        Ok(left_out) => {
            println!("test {NAME} ... ok ({})", timed.told());
            timed.keep();
            told.counts.passed += 1;
            if let Some(why) = left_out {
                println!("skipped: the notebook; {why}");
                note(skipped, &format!("notebook: {why}"))?;
                told.counts.passed += 1;
            }
        }
        Err(error) => {
            println!("test {NAME} ... FAILED\n{error:#}");
            told.counts.failed += 1;
            told.failures.push(NAME.to_owned());
        }
    }
    Ok(outcome.is_ok())
}

/// Adds a line to the file of what was skipped.
fn note(skipped: &Path, line: &str) -> Result<()> {
    let mut list = std::fs::OpenOptions::new().append(true).open(skipped)?;
    Ok(writeln!(list, "{line}")?)
}

/// The tests of the built page in a browser; all of them count as one that was skipped where they cannot run.
fn in_browser(files: &[String], skipped: &Path, told: &mut Told) -> Result<bool> {
    println!();
    let timed = Timed::start("the tests in a browser");
    match browser::prepare(files)? {
        Ok(mut command) => {
            let passed = told.listen(&mut command, skipped)?.success();
            if passed && files.is_empty() {
                timed.keep();
            }
            println!("the tests in a browser: {}", timed.told());
            Ok(passed)
        }
        Err(why) => {
            println!("skipped: {why}");
            note(skipped, &format!("browser: {why}"))?;
            told.counts.passed += 1;
            Ok(true)
        }
    }
}

impl Told {
    /// Runs tests that speak as cargo's do, and counts along.
    fn listen(&mut self, command: &mut Command, skipped: &Path) -> Result<ExitStatus> {
        let line = words(command);
        println!("$ {line}");
        let command = command.env(SKIPPED, skipped).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start `{line}`"))?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                let line = line.context("the tests printed what is not text")?;
                let _ = writeln!(std::io::stdout(), "{line}");
                self.counts.add(&line);
                if let Some(name) = line.strip_prefix("test ").and_then(|l| l.strip_suffix(" ... FAILED")) {
                    self.failures.push(name.to_owned());
                }
            }
        }
        Ok(child.wait()?)
    }
}

/// What was skipped so far, sorted.
fn lines(skipped: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(skipped).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// An empty file that this process alone uses.
fn skip_file() -> Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("engram-skipped-{}", std::process::id()));
    std::fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

impl Counts {
    /// Reads `test result: ok. 5 passed; 0 failed; 1 ignored; ...`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|l| l.split_once(". ")) else {
            return;
        };
        for part in counts.split("; ") {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_results_are_added_up() {
        let mut counts = Counts::default();
        counts.add("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s");
        counts.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.add("test a_test ... ok");
        assert_eq!(counts, Counts { passed: 7, failed: 3, ignored: 1 });
    }
}
