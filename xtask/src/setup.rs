//! `cargo xtask setup`: what a fresh Debian machine lacks for the tests, above all a software Vulkan device.

use crate::shell::{output, run};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];

/// Installs what is missing, where that is possible; says what it leaves out otherwise.
pub(crate) fn run_task(arguments: &[String]) -> Result<()> {
    if let Some(extra) = arguments.first() {
        bail!("`cargo xtask setup` takes no arguments, not `{extra}`");
    }
    if !cfg!(target_os = "linux") {
        println!("skipped: nothing to set up on {}", std::env::consts::OS);
        return Ok(());
    }
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        println!("nothing is missing: {}", PACKAGES.join(", "));
        return Ok(());
    }
    let list = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        println!("skipped: no apt here; tests on a software GPU need {list}");
        return Ok(());
    }
    if output("id", &["-u"]).as_deref().map(str::trim) != Some("0") {
        println!("skipped: not root; to test on a software GPU: sudo apt-get install {list}");
        return Ok(());
    }
    // Without these the GPU tests are skipped, and say so; that is no reason to fail the rest.
    if let Err(error) = install(&missing) {
        println!("skipped: {error:#}; tests on a software GPU will be skipped");
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    run(apt().arg("update"))?;
    run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

fn installed(package: &str) -> bool {
    let state = output("dpkg-query", &["-W", "-f", "${Status}", package]);
    state.is_some_and(|state| state.contains("install ok installed"))
}
