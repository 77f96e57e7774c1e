//! `cargo xtask test`: every test of the workspace, what was skipped, and a closing summary.

use crate::shell::{cargo, words};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

/// A test that cannot run here appends one line, `test name: reason`, to the file that this variable names.
const SKIPPED: &str = "ENGRAM_SKIPPED";

#[derive(Debug, Default, PartialEq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs the tests; further arguments go to `cargo test`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let start = Instant::now();
    let skipped = skip_file()?;
    let mut command = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    command.args(arguments);
    // Snapshots are compared here, never rewritten; wide terminals must not change what tests read.
    command.env("INSTA_UPDATE", "no").env("INSTA_WORKSPACE_ROOT", crate::shell::root());
    command.env(SKIPPED, &skipped).env_remove("COLUMNS").env_remove("NO_COLOR");
    // Without a desktop session Linux's window libraries complain at every look for a graphics adapter.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    }
    println!("$ {}", words(&command));

    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo test")?;
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cargo test printed what is not text")?;
            let _ = writeln!(std::io::stdout(), "{line}");
            counts.add(&line);
            if let Some(name) = line.strip_prefix("test ").and_then(|l| l.strip_suffix(" ... FAILED")) {
                failures.push(name.to_owned());
            }
        }
    }
    let status = child.wait()?;

    let lines = std::fs::read_to_string(&skipped).unwrap_or_default();
    let _ = std::fs::remove_file(&skipped);
    let mut lines: Vec<&str> = lines.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.sort_unstable();
    println!("\nsummary:");
    for line in &lines {
        println!("  skipped  {line}");
    }
    for name in &failures {
        println!("  FAILED   {name}");
    }
    println!(
        "  {} passed, {} failed, {} skipped, {} ignored, {:.0} s",
        counts.passed.saturating_sub(lines.len() as u64),
        counts.failed,
        lines.len(),
        counts.ignored,
        start.elapsed().as_secs_f64()
    );
    if !status.success() {
        bail!("the tests failed ({status})");
    }
    if counts == Counts::default() {
        bail!("no test was run");
    }
    Ok(())
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
