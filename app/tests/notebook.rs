//! The Python module beside the program: with the real pandas, in a real notebook, and before a type checker.

mod common;

use common::{python, skipped};
use std::path::Path;
use std::process::Command;

/// What the scripts import at most, without the type checker.
const PACKAGES: &str = "pandas, pyarrow, ipykernel, nbclient";

/// Runs a script of `tests/python` in an empty folder, with the module as it is in the sources and this build's program.
fn runs(packages: &str, script: &str, before: &[&str], after: &[&str]) {
    let Some(python) = python(packages) else {
        return skipped(&format!("no Python with {packages} here; `cargo xtask setup` installs them"));
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(python);
    command.arg(here.join("tests/python").join(script)).args(before).arg(folder.path()).args(after);
    command.env("ENGRAM", env!("CARGO_BIN_EXE_engram"));
    command.env("PYTHONPATH", here.join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
    // No cache and no network: whoever asks for either fails here.
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.path().join("no-cache"));
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_notebook_goes_from_import_to_figure() {
    runs(PACKAGES, "notebook.py", &[], &["--installed"]);
}

#[test]
fn its_numbers_are_those_of_the_record() {
    runs(PACKAGES, "api.py", &["numbers"], &[]);
}

#[test]
fn what_goes_wrong_is_told_in_the_words_of_the_program() {
    runs(PACKAGES, "api.py", &["errors"], &[]);
}

#[test]
fn the_program_is_found_or_it_is_said_where_it_was_looked_for() {
    runs(PACKAGES, "api.py", &["program"], &[]);
}

/// Signals are what Unix has; elsewhere a kernel is interrupted in other ways.
#[cfg(unix)]
#[test]
fn an_interrupted_kernel_keeps_what_was_done() {
    runs(PACKAGES, "api.py", &["interrupt"], &[]);
}

#[test]
fn the_stubs_name_every_flag() {
    runs("pandas", "api.py", &["stubs"], &[]);
}

#[test]
fn a_type_checker_is_content() {
    runs("pandas, mypy", "api.py", &["types"], &[]);
}
