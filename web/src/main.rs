//! The page's entry. In the browser it mounts [`engram_web::app::App`]; elsewhere it only says how the page is built.

#[cfg(all(target_family = "wasm", feature = "page"))]
fn main() {
    engram_web::app::start();
}

#[cfg(not(all(target_family = "wasm", feature = "page")))]
#[expect(clippy::print_stderr, reason = "the only thing that this program does outside a browser")]
fn main() -> std::process::ExitCode {
    eprintln!("This is a web page. Build it with `cargo xtask web`, or serve it with `trunk serve`.");
    std::process::ExitCode::FAILURE
}
