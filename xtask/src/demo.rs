//! `cargo xtask demo`: the whole study on the bundled models, with nothing but what is in the repository.

use crate::check;
use crate::shell::{self, cargo, output, run as call};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the viewer of result pages, unless it is there, or says why the demo's page will have none.
fn viewer() {
    let frame = shell::root().join("dist").join("frame.html");
    let made = frame.is_file() || {
        let mut web = cargo(&["run", "--quiet", "--release", "--package", "xtask", "--features", "web", "--", "web"]);
        installed(check::WASM) && call(web.arg("--frame-only")).is_ok()
    };
    if !made {
        println!(
            "the demo's page will be one to read, without a viewer: for that, `rustup target add {}`",
            check::WASM
        );
    }
}

/// A target of the compiler is there.
fn installed(target: &str) -> bool {
    let folder = output("rustc", &["--print", "target-libdir", "--target", target]);
    folder.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Builds the program and runs `engram demo`; arguments go to it, and the records to `target/demo` unless they say so.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    viewer();
    call(&mut cargo(&["build", "--release", "--workspace"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let mut demo = Command::new(target.join("release").join("engram"));
    demo.arg("demo").args(arguments);
    let named = |flag: &str| arguments.iter().any(|word| word == flag || word.starts_with(&format!("{flag}=")));
    if !named("--out") {
        demo.arg("--out").arg(target.join("demo"));
    }
    call(&mut demo)
}
