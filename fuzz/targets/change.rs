//! `cargo fuzz run change --features engine`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("change"), |bytes: &[u8]| engram_fuzz::outside::models::change(bytes));
