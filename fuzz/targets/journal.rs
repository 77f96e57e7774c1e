//! `cargo fuzz run journal`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("journal"), |bytes: &[u8]| engram_fuzz::outside::files::journal(bytes));
