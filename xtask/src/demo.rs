//! `cargo xtask demo`: the whole study on the bundled models, with nothing but what is in the repository.

use crate::shell::{cargo, run as call};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Builds the program and runs `engram demo`; arguments go to it, and the records to `target/demo` unless they say so.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    call(&mut cargo(&["build", "--release", "--workspace"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let mut demo = Command::new(target.join("release").join("engram"));
    demo.arg("demo").args(arguments);
    let named = |flag: &str| arguments.iter().any(|word| word == flag || word.starts_with(&format!("{flag}=")));
    if !named("--out") {
        demo.arg("--out").arg(target.join("demo"));
    }
    call(&mut demo)
}
