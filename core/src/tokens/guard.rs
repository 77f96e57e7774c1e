//! The tokenizer library panics over some files that are not as it expects; here that becomes an error.

use crate::caught::caught;
use crate::error::{Error, Result};

/// What the library gives, or an error where it panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T> {
    // The library's tokenizer is only read, and this file's is not used again where it was being made.
    caught(work).map_err(|said| {
        Error::input(format!("tokenizer.json: the tokenizer library cannot work with it: {said}"))
            .hint("take tokenizer.json from the model's own repository")
    })
}
