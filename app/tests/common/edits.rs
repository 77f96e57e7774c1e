//! Edits of the fixture models through the program, for the tests of what is taken away from one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The clean prompt.
pub(crate) const PROMPT: &str = "The capital of France is";
/// Every fixture.
pub(crate) const MODELS: [&str; 8] =
    ["llama", "llama-tied", "qwen2", "gemma2", "gemma3", "gemma3-multimodal", "phi", "gpt2"];
/// Largest difference of two probabilities.
pub(crate) const APART: f64 = 1e-4;
/// The same as a share of a probability.
pub(crate) const SHARE: f64 = 2e-3;

/// A fixture's folder.
pub(crate) fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/models").join(name)
}

/// The program, run within a folder.
pub(crate) fn engram(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.current_dir(folder).env("NO_COLOR", "1").env("HF_HUB_OFFLINE", "1").args(arguments);
    command.output().expect("engram starts")
}

/// A line that edits a fixture.
pub(crate) fn edit(folder: &Path, name: &str, more: &[&str]) -> Output {
    let path = model(name);
    let fact = ["edit", PROMPT, "--subject", "France", "--target", "Paris", "--new", "London", "--device", "cpu"];
    engram(folder, &[&fact[..], &["--model", path.to_str().expect("UTF-8")], more].concat())
}

/// The flags of a search that is short and strong.
pub(crate) fn search(method: &str) -> Vec<&str> {
    let mut flags = vec!["--layer", "2", "--method", method];
    match method {
        "ultraedit" => flags.extend(["--lr", "0.05"]),
        "lora" => flags.extend(["--steps", "5", "--rank", "3", "--lr", "0.05"]),
        "memit" => flags.extend(["--steps", "3", "--layers", "2", "--lambda", "0.01"]),
        "alphaedit" => flags.extend(["--steps", "3", "--layers", "2", "--lr", "0.5", "--l2", "0.01"]),
        _ => flags.extend(["--steps", "3"]),
    }
    flags
}

/// What it printed, where it succeeded.
pub(crate) fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Holds a probability here against the same one elsewhere.
pub(crate) fn near(ours: f64, theirs: f64, what: &str) {
    let apart = (ours - theirs).abs();
    assert!(apart < APART && apart < SHARE * theirs.abs(), "{what}: {ours} here, {theirs} there");
}
