//! `engram demo --quick`, as a newcomer runs it: no network, no files, every table, and again in no time.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

fn demo(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.current_dir(folder).args(["demo", "--quick", "--device", "cpu", "--out", "out"]).args(more);
    // No cache and no network: whoever asks for either fails here.
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.join("no-cache")).env("NO_COLOR", "1");
    command.stdin(Stdio::null()).output().expect("engram starts")
}

#[test]
fn it_shows_everything_and_resumes() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = demo(folder.path(), &[]);
    let (out, talk) = (String::from_utf8_lossy(&first.stdout), String::from_utf8_lossy(&first.stderr));
    assert!(first.status.success(), "{talk}");
    for wanted in [
        "Table 1.",
        "Table 2.",
        "Table 3.",
        "Table 4.",
        "mean sufficiency per layer",
        "Which of the facts do they hold?",
        "Does the dominant layer move with the patched position?",
        "Is the larger sibling more redundant?",
        "Does less redundancy mean more editable?",
        "An edited fact",
    ] {
        assert!(out.contains(wanted), "no {wanted:?} in\n{out}");
    }
    for name in ["engram-llama", "engram-qwen2", "engram-gemma2", "engram-phi", "engram-llama-large"] {
        let file = folder.path().join(format!("out/quick/{name}.engram.json"));
        let record = engram_core::journal::read(&file).expect("a record").record;
        assert_eq!(record.validated().count(), 60, "{name}");
        assert_eq!(record.edits.map(|edits| edits.len()), Some(5), "{name}");
    }
    let page = std::fs::read_to_string(folder.path().join("out/quick/page.html")).expect("a page");
    assert!(page.contains("Where 5 language models store their facts"), "{talk}");
    assert!(talk.contains("page.html"), "{talk}");
    assert!(!out.contains("NaN") && !out.contains("inf"), "{out}");

    let start = Instant::now();
    let second = demo(folder.path(), &["--quiet"]);
    assert!(second.status.success());
    assert_eq!(second.stdout, first.stdout, "the same records say the same");
    assert!(second.stderr.is_empty(), "{}", String::from_utf8_lossy(&second.stderr));
    println!("again in {:?}", start.elapsed());
}
