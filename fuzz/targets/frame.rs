//! `cargo fuzz run frame`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("frame"), |bytes: &[u8]| engram_fuzz::outside::files::frame(bytes));
