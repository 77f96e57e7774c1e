//! What the tests share: fixtures, devices, and the naive run that everything faster is held against.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

pub mod editing;
pub mod everything;
pub mod fixtures;
pub mod gguf;
pub mod host;
pub mod made;
pub mod naive;
pub mod odd;
pub mod oracle;
pub mod outside;
pub mod texts;
