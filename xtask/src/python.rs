//! Python with a few packages, in a folder of its own beside the build: for the test that reads an export as a notebook
//! would, and the one that shares a model cache with the hub's own library. The system's Python is never changed.

use crate::shell::{output, root, run};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// What the tests import.
const PACKAGES: [&str; 3] = ["pandas", "pyarrow", "huggingface_hub"];

/// Where it is made.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target).join("python")
}

/// Makes it, unless it is there.
///
/// # Errors
/// When there is no Python, or the packages cannot be had.
pub(crate) fn provide() -> Result<()> {
    let program = folder().join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python3" });
    let program = program.to_string_lossy().into_owned();
    if output(&program, &["-c", &format!("import {}", PACKAGES.join(", "))]).is_some() {
        return Ok(());
    }
    let names = ["python3", "python"];
    let Some(system) = names.into_iter().find(|name| output(name, &["-c", "import venv, ensurepip"]).is_some()) else {
        bail!("no Python that makes environments here (Debian: python3-venv)");
    };
    run(Command::new(system).args(["-m", "venv"]).arg(folder()))?;
    run(Command::new(&program).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES))
}
