//! The viewer within a result page: reads the records that the page carries, and draws the article anew, alive.

#[cfg(target_family = "wasm")]
fn main() {
    engram_web::view::start();
}

#[cfg(not(target_family = "wasm"))]
fn main() {}
