//! Reading model files: every format, every layout, and files that are damaged.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod build;
mod gguf;
mod real;
mod safetensors;
