//! The repository's own tool: `cargo xtask demo | test | check | setup | web | lab | dist | facts | gpu | models`. It needs nothing but cargo.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task's output is for a person or a log")]

mod browser;
#[cfg(feature = "core")]
mod card;
mod check;
mod demo;
mod dist;
mod facts;
mod gpu;
mod lab;
mod models;
mod order;
mod python;
mod setup;
mod shell;
mod suite;
mod tidy;
mod times;
mod web;

use std::process::ExitCode;

/// A task's name, what it does, and how.
type Task = (&'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const TASKS: [Task; 10] = [
    ("demo", "the three stages on the bundled models, without network, GPU or data; --quick for a minute", demo::run),
    (
        "test",
        "run every test of the workspace, in release, and those in a browser (`test browser`: only these); arguments go to cargo test",
        suite::run,
    ),
    ("check", "formatting, lints (native and browser), the pure half, and tidiness", check::run),
    (
        "setup",
        "install what a fresh Debian machine needs: a software Vulkan device, a browser and Node.js",
        setup::run_task,
    ),
    (
        "web",
        "build the site into app/site and dist/: the page and its engine; --page-only leaves the engine as it is",
        web::run,
    ),
    ("lab", "build the site and the program that serves it, and open it; arguments go to engram lab", lab::run),
    ("dist", "build the program for others: an archive, a Python wheel and their checksums in target/dist", dist::run),
    ("facts", "make the bundled facts again from their tables and templates", facts::run),
    (
        "gpu",
        "stage 1 of a model of a real size with random weights, on every device and in every precision, as a table",
        gpu::run,
    ),
    ("models", "train the bundled models again and write their cards (hours)", models::run),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map(String::as_str).unwrap_or_default();
    if matches!(name, "" | "help" | "-h" | "--help") {
        println!("{}", usage());
        return ExitCode::SUCCESS;
    }
    let Some((_, _, run)) = TASKS.iter().find(|(task, _, _)| *task == name) else {
        eprintln!("error: there is no task `{name}`\n\n{}", usage());
        return ExitCode::from(2);
    };
    match shell::enter_root().and_then(|()| run(&arguments[1..])) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    let tasks = TASKS.iter().map(|(name, what, _)| format!("  cargo xtask {name:<6}  {what}"));
    format!("usage:\n{}", tasks.collect::<Vec<_>>().join("\n"))
}
