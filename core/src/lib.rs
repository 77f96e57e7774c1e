//! Engram's core: what both the native program and the browser tab share.
//!
//! The pure half (`--no-default-features`) is plain data and pure functions. The engine half (feature `engine`) runs
//! real language models on the CPU or GPU through burn. Formulas are in docs/METHODS.md, the shape of the code in
//! docs/ARCHITECTURE.md.

#[cfg(feature = "engine")]
mod bounds;
#[cfg(any(feature = "engine", feature = "parquet"))]
mod caught;
#[cfg(feature = "engine")]
pub mod device;
#[cfg(feature = "engine")]
pub mod edit;
pub mod emit;
pub mod error;
pub mod facts;
mod foreign;
#[cfg(feature = "engine")]
pub mod generate;
mod gz;
pub mod journal;
#[cfg(feature = "engine")]
pub mod lab;
pub mod lfs;
#[cfg(feature = "engine")]
pub mod load;
pub mod memory;
pub mod metrics;
#[cfg(feature = "engine")]
pub mod model;
pub mod names;
pub mod pack;
#[cfg(feature = "engine")]
pub mod pause;
pub mod protocol;
#[cfg(feature = "engine")]
pub mod question;
pub mod record;
#[cfg(feature = "engine")]
pub mod rope;
#[cfg(feature = "engine")]
pub mod run;
#[cfg(feature = "engine")]
pub mod second_moment;
#[cfg(feature = "engine")]
pub mod service;
#[cfg(feature = "engine")]
pub mod study;
pub mod tables;
#[cfg(feature = "engine")]
pub mod tensor;
pub mod text;
#[cfg(feature = "engine")]
pub mod tokens;
#[cfg(feature = "engine")]
pub mod trace;
#[cfg(feature = "train")]
pub mod train;
pub mod verify;
#[cfg(feature = "engine")]
pub mod weights;

pub use error::{Error, Kind, Result};

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
