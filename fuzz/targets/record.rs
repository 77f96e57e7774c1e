//! `cargo fuzz run record`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("record"), |bytes: &[u8]| engram_fuzz::outside::files::record(bytes));
