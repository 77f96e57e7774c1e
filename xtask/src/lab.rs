//! `cargo xtask lab`: the site, the program that carries it, and a browser.

use crate::shell::{cargo, run as call};
use crate::web;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Builds the site and the program and runs `engram lab`; arguments go to it, but for what belongs to `cargo xtask web`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (site, lab): (Vec<String>, Vec<String>) = arguments.iter().cloned().partition(|word| word == "--page-only");
    web::run(&site)?;
    call(&mut cargo(&["build", "--release", "--workspace"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    call(Command::new(target.join("release").join("engram")).arg("lab").args(lab))
}
