//! The lab's printer: makes result pages in a browser, the same ones as `engram report`.

#[cfg(target_family = "wasm")]
use wasm_bindgen::prelude::*;

/// A result page over packed records (`engram_core::pack`), in a frame.
#[cfg(target_family = "wasm")]
#[wasm_bindgen]
pub fn page(frame: &str, packed: &[u8]) -> Result<String, JsError> {
    let made = engram_core::pack::unpack(packed).and_then(|records| engram_web::print::page(frame, &records));
    made.map_err(|error| JsError::new(error.message()))
}

fn main() {}
