//! Engram's core: what both the native program and the browser tab share.
//!
//! The pure half (`--no-default-features`) is plain data and pure functions. The engine half (feature `engine`) runs
//! real language models on the CPU or GPU through burn. Formulas are in docs/METHODS.md, the shape of the code in
//! docs/ARCHITECTURE.md.

pub mod error;
pub mod facts;
mod gz;
pub mod journal;
pub mod metrics;
pub mod record;
pub mod tables;
#[cfg(feature = "engine")]
pub mod weights;

pub use error::{Error, Kind, Result};
