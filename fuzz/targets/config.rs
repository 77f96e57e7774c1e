//! `cargo fuzz run config --features engine`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("config"), |bytes: &[u8]| engram_fuzz::outside::models::config(bytes));
