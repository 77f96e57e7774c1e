//! `cargo xtask lab`: the site, the program that carries it, and a browser.

use crate::shell::{engram, run as call};
use crate::web;
use anyhow::Result;
use std::process::Command;

/// Builds the site and the program and runs `engram lab`; arguments go to it, but for what belongs to `cargo xtask web`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (site, lab): (Vec<String>, Vec<String>) = arguments.iter().cloned().partition(|word| word == "--page-only");
    web::run(&site)?;
    call(Command::new(engram()?).arg("lab").args(lab))
}
