//! `cargo fuzz run gguf --features engine`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("gguf"), |bytes: &[u8]| engram_fuzz::outside::models::gguf(bytes));
