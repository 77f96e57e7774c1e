//! `cargo fuzz run facts`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("facts"), |bytes: &[u8]| engram_fuzz::outside::files::facts(bytes));
