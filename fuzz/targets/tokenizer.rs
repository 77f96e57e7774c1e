//! `cargo fuzz run tokenizer --features engine`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("tokenizer"), |bytes: &[u8]| engram_fuzz::outside::models::tokenizer(bytes));
