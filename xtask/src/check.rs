//! `cargo xtask check`: all that can be said about the code without running it, cheapest first.

use crate::shell;
use crate::shell::{Outcome, Steps, cargo, output};
use crate::tidy;
use crate::web::shipped;
use anyhow::{Result, bail};
use std::process::Command;

/// The browser's target.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Runs every check, also after one has failed.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(extra) = arguments.first() {
        bail!("`cargo xtask check` takes no arguments, not `{extra}`");
    }
    let mut steps = Steps::new();
    steps.step("tidy", tidy);
    steps.step("the site that the program carries", || shipped::check().map(|()| Outcome::Done));
    steps.step("format", || done(&["fmt", "--all", "--check"]));
    // Outside the workspace. Only looked at: nobody compiles it who does not ask for it.
    steps.step("format of the fuzz targets", || done(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]));
    steps.step("the pure half without an engine", || {
        done(&["check", "--release", "-p", "engram-core", "--no-default-features"])
    });
    let deny = ["--", "-D", "warnings"];
    steps.step("lints", || {
        let native = ["clippy", "--release", "--workspace", "--all-targets"];
        done(&[&native[..], &deny[..]].concat())
    });
    steps.step("lints for the browser", || match wasm_target() {
        Ok(()) => {
            let web = ["clippy", "--release", "-p", "engram-core", "--target", WASM];
            done(&[&web[..], &deny[..]].concat())
        }
        Err(why) => Ok(Outcome::Skipped(format!("{why:#}"))),
    });
    // A step each: together with the engine the page would be checked against an engine that it does not have.
    let programs = [
        ("lints of the page", "page", "engram-web"),
        ("lints of the viewer", "viewer", "engram-viewer"),
        ("lints of the printer", "print", "engram-printer"),
        ("lints of the worker", "worker", "engram-worker"),
    ];
    for (step, features, program) in programs {
        steps.step(step, || match wasm_target() {
            Ok(()) => {
                let web = ["clippy", "--release", "-p", "engram-web", "--features", features, "--bin", program];
                done(&[&web[..], &["--lib", "--target", WASM][..], &deny[..]].concat())
            }
            Err(why) => Ok(Outcome::Skipped(format!("{why:#}"))),
        });
    }
    steps.finish()
}

fn done(arguments: &[&str]) -> Result<Outcome> {
    shell::run(&mut cargo(arguments))?;
    Ok(Outcome::Done)
}

fn tidy() -> Result<Outcome> {
    let complaints = tidy::complaints(&shell::root())?;
    if complaints.is_empty() {
        return Ok(Outcome::Done);
    }
    for complaint in &complaints {
        println!("{complaint}");
    }
    bail!("{} untidy places", complaints.len())
}

/// Installs the browser's target when rustup is there and the target is not.
pub(crate) fn wasm_target() -> Result<()> {
    let installed = output("rustup", &["target", "list", "--installed"]);
    match installed {
        // A Rust without rustup may bring the target all the same; clippy will say so if it does not.
        None => match output("rustc", &["--print", "target-libdir", "--target", WASM]) {
            Some(folder) if std::path::Path::new(folder.trim()).is_dir() => Ok(()),
            _ => bail!("no rustup here, and this Rust has no {WASM}"),
        },
        Some(list) if list.lines().any(|line| line.trim() == WASM) => Ok(()),
        Some(_) => shell::run(Command::new("rustup").args(["target", "add", WASM])),
    }
}
