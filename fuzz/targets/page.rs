//! `cargo fuzz run page`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("page"), |bytes: &[u8]| engram_fuzz::outside::files::page(bytes));
