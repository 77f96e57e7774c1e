//! `cargo fuzz run safetensors --features engine`

#![no_main]

libfuzzer_sys::fuzz_target!(init: engram_fuzz::begin("safetensors"), |bytes: &[u8]| engram_fuzz::outside::models::safetensors(bytes));
