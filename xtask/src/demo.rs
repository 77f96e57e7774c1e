//! `cargo xtask demo`: a trace, a study and its tables with nothing but what is in the repository.

use crate::shell::{cargo, run as call};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// A transformer of 60,000 random weights, made for the tests. It happens to answer one prompt right; it knows nothing.
const MODEL: &str = "tests/fixtures/models/llama";
const FACTS: &str = "tests/fixtures/demo.csv";

/// Builds the program and runs it.
pub(crate) fn run(_arguments: &[String]) -> Result<()> {
    call(&mut cargo(&["build", "--release", "--package", "engram"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let engram = || Command::new(target.join("release").join("engram"));
    let out = std::env::temp_dir().join("engram-demo");
    println!(
        "\nThe model is a tiny random one from the tests: it shows what the program does, not what models know.\n"
    );
    let trace = ["trace", "The capital of France is", "--subject", "France", "--target", "Paris", "--model", MODEL];
    call(engram().args(trace))?;
    let study = ["study", "--model", MODEL, "--facts", FACTS, "-n", "3", "--fresh", "--out"];
    call(engram().args(study).arg(&out))
}
