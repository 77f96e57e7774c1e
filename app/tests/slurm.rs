//! A study in shards on a real Slurm of one node, which the script starts and stops: one task is killed and one told to stop, both
//! start again, and the merged record is that of one process, byte for byte.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "this test needs no Python")]
mod common;

use common::skipped;
use std::path::Path;
use std::process::{Command, Stdio};

/// The script's code where no Slurm can run here.
const NO_SLURM: i32 = 77;

#[test]
fn a_study_on_slurm_is_the_study_of_one_process() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/slurm/cluster.sh");
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("bash");
    command.arg(script).arg(env!("CARGO_BIN_EXE_engram")).arg(folder.path().join("cluster"));
    command.env("NO_COLOR", "1").env("ENGRAM_CACHE", folder.path().join("cache")).stdin(Stdio::null());
    let output = command.output().expect("bash starts");
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.code() == Some(NO_SLURM) {
        return skipped(told(&output.stderr).lines().last().unwrap_or("no Slurm can run here"));
    }
    assert!(output.status.success(), "{}\n{}", told(&output.stdout), told(&output.stderr));
    assert!(told(&output.stdout).contains("the merged record is that of one process"), "{}", told(&output.stdout));
}
