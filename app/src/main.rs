#![allow(missing_docs)]
#[allow(dead_code)]
mod hub;
fn main() {}
