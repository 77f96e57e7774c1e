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
mod moments;
#[cfg(target_family = "wasm")]
mod opfs;
#[cfg(target_family = "wasm")]
mod studies;

#[cfg(target_family = "wasm")]
fn main() {
    construct();
    host::start();
}

/// Runs the static constructors of the GPU library once. A program that does not call them itself is taken for a command:
/// the linker then wraps every export in them, and they run at each callback (WebGPU was thirteen times slower so).
#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "the linker's own function, called once before anything else")]
fn construct() {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    // SAFETY: it takes nothing, gives nothing, and nothing has run before it.
    unsafe { __wasm_call_ctors() }
}

#[cfg(not(target_family = "wasm"))]
#[expect(clippy::print_stderr, reason = "the only thing that this program does outside a browser")]
fn main() -> std::process::ExitCode {
    eprintln!("This is the worker of a web page. Build both with `cargo xtask web`.");
    std::process::ExitCode::FAILURE
}
