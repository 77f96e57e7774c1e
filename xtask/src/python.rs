//! Python with a few packages, in a folder of its own beside the build: for the tests of the Python module and of an export
//! in pandas, the one that shares a model cache with the hub's own library, and wheels. The system's Python is never changed.

use crate::shell::{output, root, run, target};
use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// What the tests import.
const PACKAGES: [&str; 6] = ["pandas", "pyarrow", "huggingface_hub", "ipykernel", "nbclient", "mypy"];
/// What the notebook imports, and what runs it.
pub(crate) const NOTEBOOK: &str = "import pandas, pyarrow, ipykernel, nbclient";
/// What builds wheels; it is a program, and imported by nothing.
const MATURIN: &str = "maturin";

/// Where it is made.
fn folder() -> PathBuf {
    root().join(target()).join("python")
}

/// Makes it, unless it is there.
///
/// # Errors
/// When there is no Python, or the packages cannot be had.
pub(crate) fn provide() -> Result<()> {
    let program = installed("python").to_string_lossy().into_owned();
    let there = output(&program, &["-c", &format!("import {}", PACKAGES.join(", "))]).is_some();
    if there && maturin().is_some() {
        return Ok(());
    }
    run(Command::new(system()?).args(["-m", "venv"]).arg(folder()))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", MATURIN];
    run(Command::new(&program).args(pip).args(PACKAGES))
}

/// Where its packages are, if it has what the notebook needs.
pub(crate) fn packages() -> Option<String> {
    let code = format!("{NOTEBOOK}; import sysconfig; print(sysconfig.get_path('purelib'))");
    output(&installed("python").to_string_lossy(), &["-c", &code])
}

/// A program of this folder.
fn installed(name: &str) -> PathBuf {
    let folder = folder().join(if cfg!(windows) { "Scripts" } else { "bin" });
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// The system's Python.
///
/// # Errors
/// When there is none that makes environments.
pub(crate) fn system() -> Result<&'static str> {
    let works = |name: &&str| output(name, &["-c", "import venv, ensurepip"]).is_some();
    match ["python3", "python"].into_iter().find(works) {
        Some(name) => Ok(name),
        None => bail!("no Python that makes environments here (Debian: python3-venv)"),
    }
}

/// What builds wheels: on the path, or in this folder.
pub(crate) fn maturin() -> Option<PathBuf> {
    let works = |program: &PathBuf| output(&program.to_string_lossy(), &["--version"]).is_some();
    [PathBuf::from(MATURIN), installed(MATURIN)].into_iter().find(works)
}
