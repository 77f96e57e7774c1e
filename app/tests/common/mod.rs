//! What tests of the program share.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says that a test cannot run here; `cargo xtask test` lists these lines at its end.
pub(crate) fn skipped(why: &str) {
    let name = std::thread::current().name().unwrap_or("main").to_string();
    if let Some(list) = std::env::var_os("ENGRAM_SKIPPED")
        && let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(list)
    {
        let _ = std::io::Write::write_all(&mut file, format!("{name}: {why}\n").as_bytes());
    }
}

/// A Python that can import these packages: the one that `cargo xtask setup` makes beside the build, else the system's.
pub(crate) fn python(packages: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_BIN_EXE_engram")).ancestors().nth(2)?;
    let own = ["bin/python3", "Scripts/python.exe"].map(|name| target.join("python").join(name));
    own.into_iter().chain([PathBuf::from("python3"), PathBuf::from("python")]).find(|python| {
        let mut command = Command::new(python);
        let run = command.args(["-c", &format!("import {packages}")]).stdout(Stdio::null()).stderr(Stdio::null());
        run.status().is_ok_and(|status| status.success())
    })
}
