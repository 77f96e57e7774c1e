//! What is made of bytes from outside, as one function a kind of file or message: whatever the bytes are, nothing in it
//! may panic, abort, hang or take much memory. The fuzz targets (`fuzz/`) and an ordinary test (`tests/hostile.rs`) call
//! the same functions.

pub mod files;
pub mod models;
pub mod seeds;
