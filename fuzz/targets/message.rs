//! `cargo fuzz run message`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("message"), |bytes: &[u8]| engram_fuzz::outside::files::message(bytes));
