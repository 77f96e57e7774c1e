//! Little memory: under every limit of the address space there is a result, or a message that says what to do, and never
//! a signal.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A stored study.
const STUDY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/sample.engram.json.gz");

/// Ten limits in megabytes.
fn limits() -> impl Iterator<Item = u64> {
    (1..=10).map(|step| 200 * step)
}

/// A command line under a limit, in a folder of its own.
fn limited(megabytes: u64, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {} && exec \"$0\" \"$@\"", megabytes * 1000);
    command.args(["-c", &script, env!("CARGO_BIN_EXE_engram")]).args(arguments);
    command.current_dir(folder).stdin(Stdio::null());
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.join("no-cache")).env("NO_COLOR", "1");
    command
}

/// `ok`, or the first line of the message; panics on a signal, on silence and on advice that is missing.
fn outcome(output: &Output, place: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), None, "{place}: a signal\n{said}");
    match output.status.code() {
        Some(0) => "ok".into(),
        Some(1 | 2) => {
            let error = said.lines().find(|line| line.starts_with("error: "));
            let error = error.unwrap_or_else(|| panic!("{place}: no message\n{said}"));
            assert!(said.contains("hint: "), "{place}: no advice\n{said}");
            error.into()
        }
        code => panic!("{place}: exit code {code:?}\n{said}"),
    }
}

#[expect(clippy::print_stderr, reason = "the table is for people who run this by hand")]
fn ladder(name: &str, arguments: &[&str]) {
    let mut last = String::new();
    for megabytes in limits() {
        let folder = tempfile::tempdir().expect("a folder");
        let output = limited(megabytes, folder.path(), arguments).output().expect("engram starts");
        last = outcome(&output, &format!("{name} with {megabytes} MB"));
        eprintln!("{name:>8} {megabytes:>5} MB  {last}");
    }
    assert_eq!(last, "ok", "{name}: 2 GB are enough");
}

const QUESTION: [&str; 5] = ["--model", "engram-llama", "The capital of France is", "--subject", "France"];

#[test]
fn bundled_models_give_a_result_or_a_message() {
    for device in ["cpu", "auto"] {
        ladder("trace", &[&["trace", "--device", device], &QUESTION[..]].concat());
    }
    let study =
        ["study", "--model", "engram-llama", "--facts", "bundled", "-n", "3", "--device", "cpu", "--out", "out"];
    ladder("study", &study);
    let edit = ["edit", "--model", "engram-llama", "--device", "cpu", "--steps", "3", "The capital of France is"];
    ladder("edit", &[&edit[..], &["--subject", "France", "--target", "Paris", "--new", "Rome"]].concat());
}

#[test]
fn records_give_a_result_or_a_message() {
    ladder("compare", &["compare", STUDY]);
    ladder("report", &["report", STUDY, "-o", "page.html"]);
    ladder("export", &["export", STUDY, "-o", "out", "--quiet"]);
    ladder("verify", &["verify", STUDY]);
    ladder("models", &["models"]);
    ladder("doctor", &["doctor"]);
}

/// A software GPU's compiler ends the process where it has no memory, so it is not started without.
#[test]
fn a_gpu_that_is_asked_for_gives_a_result_or_a_message() {
    for megabytes in limits() {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = [&["trace", "--device", "gpu"], &QUESTION[..]].concat();
        let output = limited(megabytes, folder.path(), &arguments).output().expect("engram starts");
        let said = outcome(&output, &format!("gpu with {megabytes} MB"));
        told("gpu", megabytes, &said);
    }
}

#[test]
fn the_lab_starts_or_says_why_not() {
    let site = tempfile::tempdir().expect("a folder");
    std::fs::write(site.path().join("index.html"), "<!doctype html><title>Engram</title>").expect("a page");
    for megabytes in limits() {
        let site = site.path().to_string_lossy();
        let arguments = ["lab", "--no-open", "--port", "0", "--site", &site];
        let mut command = limited(megabytes, Path::new("."), &arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("engram starts");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut address).expect("a line");
        if address.starts_with("http://") {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            told("lab", megabytes, "ok");
        } else {
            let output = child.wait_with_output().expect("it ended");
            told("lab", megabytes, &outcome(&output, &format!("lab with {megabytes} MB")));
        }
    }
}

#[expect(clippy::print_stderr, reason = "the table is for people who run this by hand")]
fn told(name: &str, megabytes: u64, said: &str) {
    eprintln!("{name:>8} {megabytes:>5} MB  {said}");
}

/// A real model, where there is one.
#[test]
fn a_real_model_gives_a_result_or_a_message() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("ENGRAM_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("models/smollm2-135m-instruct");
    let gguf = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let Some(model) = gguf.filter(|path| path.extension().is_some_and(|end| end == "gguf")).min() else {
        told("SmolLM2", 0, "skipped: not in ENGRAM_SHARED or beside the workspace");
        return;
    };
    let model = model.to_string_lossy();
    let question = ["The capital of France is", "--subject", "France"];
    ladder("trace", &[&["trace", "--device", "cpu", "--model", &model], &question[..]].concat());
    let edit =
        ["edit", "--device", "cpu", "--steps", "2", "--layer", "5", "--target", "Paris", "--new", "Rome", "--model"];
    ladder("edit", &[&edit[..], &[&*model], &question[..]].concat());
}
