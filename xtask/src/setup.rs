//! `cargo xtask setup`: what a fresh Debian machine lacks for the tests: a software Vulkan device, for the tests in a browser
//! Node.js, Chromium, Firefox and WebKitGTK, for tests of the Python module, of exports and of the model cache a few Python packages. Where
//! something cannot be had, its tests are skipped; that is no reason to fail the rest.

use crate::browser;
use crate::python;
use crate::shell::{output, run};
use crate::times::Timed;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// A software GPU for the native tests.
const VULKAN: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];

/// The other browsers in which the site is opened; WebKitGTK needs a display, if only one that nobody sees.
const FIREFOX: [&str; 1] = ["firefox-esr"];
const WEBKIT: [&str; 2] = ["webkit2gtk-driver", "xvfb"];

/// What studies in shards are run with over ssh. Slurm is fetched by its own test, and not installed.
const PARALLEL: [&str; 1] = ["parallel"];

/// Installs what is missing, where that is possible; says what it leaves out otherwise.
pub(crate) fn run_task(arguments: &[String]) -> Result<()> {
    if let Some(extra) = arguments.first() {
        bail!("`cargo xtask setup` takes no arguments, not `{extra}`");
    }
    if cfg!(target_os = "linux") {
        let wanted = [
            ("a software GPU", &VULKAN[..]),
            ("Firefox", &FIREFOX[..]),
            ("WebKitGTK", &WEBKIT[..]),
            ("GNU parallel", &PARALLEL[..]),
        ];
        for (what, packages) in wanted {
            let missing: Vec<&str> = packages.iter().copied().filter(|name| !installed(name)).collect();
            provide(what, &missing);
        }
        let missing: Vec<&str> = if browser::chromium().is_ok() { Vec::new() } else { vec!["chromium"] };
        provide("Chromium", &missing);
        let missing: Vec<&str> = if browser::node().is_ok() { Vec::new() } else { vec!["nodejs", "npm"] };
        provide("Node.js and npm", &missing);
    } else {
        println!("skipped: no packages to set up on {}", std::env::consts::OS);
    }
    match browser::node().and_then(|()| browser::packages()).and_then(|()| browser::chromium()) {
        Ok(browser) => println!("the tests in a browser can run: {browser}"),
        Err(why) => println!("skipped: {why:#}; the tests in a browser will be skipped"),
    }
    match python::provide() {
        Ok(()) => println!(
            "nothing is missing: Python with pandas, pyarrow, huggingface_hub, ipykernel, nbclient, mypy and maturin"
        ),
        Err(why) => println!("skipped: {why:#}; the tests that need them will be skipped"),
    }
    Ok(())
}

/// Installs packages, or says why not.
fn provide(what: &str, missing: &[&str]) {
    if missing.is_empty() {
        println!("nothing is missing: {what}");
        return;
    }
    let list = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        println!("skipped: no apt here; for {what} it would be {list}");
    } else if output("id", &["-u"]).as_deref().map(str::trim) != Some("0") {
        println!("skipped: not root; for {what}: sudo apt-get install {list}");
    } else {
        let timed = Timed::start(&format!("installing {what}"));
        match install(missing) {
            Ok(()) => timed.keep(),
            Err(error) => println!("skipped: {error:#}; tests that need {what} will be skipped"),
        }
    }
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
