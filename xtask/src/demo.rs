//! `cargo xtask demo`: the whole study on the bundled models, with nothing but what is in the repository.

use crate::shell::{engram, run as call, target};
use anyhow::Result;
use std::process::Command;

/// Builds the program and runs `engram demo`; arguments go to it, and the records to `target/demo` unless they say so.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut demo = Command::new(engram()?);
    demo.arg("demo").args(arguments);
    let named = |flag: &str| arguments.iter().any(|word| word == flag || word.starts_with(&format!("{flag}=")));
    if !named("--out") {
        demo.arg("--out").arg(target().join("demo"));
    }
    call(&mut demo)
}
