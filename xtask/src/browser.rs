//! The tests in a real browser (`tests/browser`): what they need, and how they are run. Chromium and Node.js come from
//! the system; without them the tests are skipped, and say so.

use crate::shell::{engram, output, root, run};
use crate::web::shipped;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// Names under which systems install Chromium, the first that is there is taken. `CHROMIUM` names another.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Oldest Node.js whose test runner is enough.
const NODE: (u32, u32) = (18, 19);

/// Where the tests are.
pub(crate) fn folder() -> PathBuf {
    root().join("tests").join("browser")
}

/// The installed browser's program.
///
/// # Errors
/// When there is none, or none that starts (Ubuntu's package is a hull that fetches another).
pub(crate) fn chromium() -> Result<String> {
    let named = std::env::var("CHROMIUM").ok().filter(|name| !name.is_empty());
    let candidates: Vec<String> = match named {
        Some(name) => vec![name],
        None => BROWSERS.map(str::to_owned).to_vec(),
    };
    let works = |name: &String| output(name, &["--version"]).is_some_and(|version| version.contains("Chrom"));
    match candidates.iter().find(|name| works(name)) {
        Some(name) => Ok(name.clone()),
        None => bail!("no Chromium here (looked for {})", candidates.join(", ")),
    }
}

/// Whether there is a Node.js that is new enough, with npm.
///
/// # Errors
/// When there is not.
pub(crate) fn node() -> Result<()> {
    let version = output("node", &["--version"]).context("no Node.js here")?;
    if !new_enough(&version) {
        bail!("Node.js is {}, older than {}.{}", version.trim(), NODE.0, NODE.1);
    }
    output("npm", &["--version"]).context("no npm here")?;
    Ok(())
}

/// Reads `v20.11.1`.
fn new_enough(version: &str) -> bool {
    let mut parts = version.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= NODE,
        _ => false,
    }
}

/// Fetches the tests' two packages as the lock file names them, unless they are there.
///
/// # Errors
/// When npm cannot.
pub(crate) fn packages() -> Result<()> {
    let folder = folder();
    let there = modified(&folder.join("node_modules").join(".package-lock.json"));
    if there.is_some() && there >= modified(&folder.join("package-lock.json")) {
        return Ok(());
    }
    run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))
}

/// Puts the site into `dist/`: the one that the repository carries, or, where its sources have changed, one that is
/// built now.
fn site() -> Result<()> {
    if let Err(why) = shipped::check() {
        println!("{why:#}");
        return crate::web::run(&[]);
    }
    shipped::unpack(&root().join("dist"))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// Builds the page and the program, and gives the command that runs the tests; or the reason why they cannot run here.
///
/// # Errors
/// When a build fails.
pub(crate) fn prepare(files: &[String]) -> Result<std::result::Result<Command, String>> {
    let here = node().and_then(|()| chromium()).and_then(|browser| packages().map(|()| browser));
    let browser = match here.and_then(|browser| crate::check::wasm_target().map(|()| browser)) {
        Ok(browser) => browser,
        Err(why) => return Ok(Err(format!("{why:#}; `cargo xtask setup` installs what is missing"))),
    };
    site()?;
    let program = engram()?;
    let mut command = Command::new("node");
    command.arg(folder().join("run.mjs")).args(files);
    command.env("CHROMIUM", browser).env("ENGRAM_BIN", program).env("ENGRAM_DIST", root().join("dist"));
    Ok(Ok(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_of_node_are_known() {
        assert!(new_enough("v18.19.0\n") && new_enough("v20.1.0") && new_enough("v100.0.0"));
        assert!(!new_enough("v18.18.2") && !new_enough("v16.20.0") && !new_enough("what"));
    }
}
