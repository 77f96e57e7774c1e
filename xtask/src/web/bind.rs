//! WebAssembly bound to the browser, and made smaller where Binaryen is there.

use super::link::Program;
use crate::shell;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What rustc uses of WebAssembly beyond its first version; wasm-opt refuses what it is not told of.
const FEATURES: [&str; 8] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
];

/// Binds what rustc has built. `alone`: the glue is not to look for the WebAssembly beside itself.
pub(crate) fn bind(name: &'static str, built: &Path, alone: bool) -> Result<Program> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(built).out_name(name).typescript(false).omit_default_module_path(alone);
    let mut output = bindgen
        .remove_name_section(true)
        .remove_producers_section(true)
        .web(true)?
        .generate_output()
        .with_context(|| format!("cannot bind {}", built.display()))?;
    let inline = output.snippets().iter().flat_map(|(id, texts)| {
        texts.iter().enumerate().map(move |(at, text)| (format!("snippets/{id}/inline{at}.js"), text.clone()))
    });
    let mut snippets: Vec<_> = inline.collect();
    let local = output.local_modules().iter();
    snippets.extend(local.map(|(path, text)| (format!("snippets/{path}"), text.clone())));
    snippets.sort();
    if !output.npm_dependencies().is_empty() {
        bail!("{name} wants packages of npm");
    }
    let glue = output.js().to_owned();
    Ok(Program { name, glue, wasm: output.wasm_mut().emit_wasm(), snippets })
}

/// Binaryen's optimizer: on the path, or where the browser's tests have installed it.
pub(crate) fn optimizer() -> Option<PathBuf> {
    let local = shell::root().join("tests").join("browser").join("node_modules").join(".bin").join("wasm-opt");
    let works = |program: &Path| shell::output(&program.to_string_lossy(), &["--version"]).is_some();
    [PathBuf::from("wasm-opt"), local].into_iter().find(|program| works(program))
}

/// Runs the optimizer on a program.
pub(crate) fn optimize(program: &mut Program, optimizer: &Path, scratch: &Path) -> Result<()> {
    let (from, to) = (scratch.join("before.wasm"), scratch.join("after.wasm"));
    std::fs::create_dir_all(scratch)?;
    std::fs::write(&from, &program.wasm)?;
    // Rust puts the end of the stack into the first kilobyte, where nothing is pointed to.
    let how = ["-Oz", "--low-memory-unused"];
    shell::run(Command::new(optimizer).args(how).args(FEATURES).arg(&from).arg("--output").arg(&to))?;
    program.wasm = super::site::read(&to)?;
    std::fs::remove_dir_all(scratch)?;
    Ok(())
}
