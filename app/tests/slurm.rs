//! A study in shards on a real Slurm of one node, which the script starts and stops, and with GNU parallel: one shard is killed on the way
//! and starts again, and the merged record is that of one process, byte for byte.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "this test needs no Python")]
mod common;

use common::skipped;
use std::path::Path;
use std::process::{Command, Stdio};

/// A script's code where it cannot run here.
const CANNOT: i32 = 77;

#[test]
fn a_study_on_slurm_is_the_study_of_one_process() {
    runs("cluster.sh");
}

#[test]
fn a_study_with_gnu_parallel_is_the_study_of_one_process() {
    runs("parallel_test.sh");
}

fn runs(script: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/slurm").join(script);
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("bash");
    command.arg(script).arg(env!("CARGO_BIN_EXE_engram")).arg(folder.path().join("cluster"));
    command.env("NO_COLOR", "1").env("ENGRAM_CACHE", folder.path().join("cache")).stdin(Stdio::null());
    let output = command.output().expect("bash starts");
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.code() == Some(CANNOT) {
        return skipped(told(&output.stderr).lines().last().unwrap_or("it cannot run here"));
    }
    assert!(output.status.success(), "{}\n{}", told(&output.stdout), told(&output.stderr));
    assert!(told(&output.stdout).contains("the merged record is that of one process"), "{}", told(&output.stdout));
}
