//! The worker: owns the engine, answers the page's messages (`engram_core::protocol`), keeps models and studies in the
//! browser's private file system.

#[cfg(target_family = "wasm")]
mod device;
#[cfg(target_family = "wasm")]
mod host;
#[cfg(target_family = "wasm")]
mod js;
#[cfg(target_family = "wasm")]
mod log;
#[cfg(target_family = "wasm")]
mod models;
#[cfg(target_family = "wasm")]
mod opfs;
#[cfg(target_family = "wasm")]
mod queue;
#[cfg(target_family = "wasm")]
mod studies;

#[cfg(target_family = "wasm")]
fn main() {
    host::start();
}

#[cfg(not(target_family = "wasm"))]
#[expect(clippy::print_stderr, reason = "the only thing that this program does outside a browser")]
fn main() -> std::process::ExitCode {
    eprintln!("This is the worker of a web page. Build both with `cargo xtask web`.");
    std::process::ExitCode::FAILURE
}
