//! The tokenizer library panics over some files that are not as it expects; here that becomes an error.

use crate::error::{Error, Result};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// This thread is in the library, so a panic is told by an error and not on the terminal.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// What the library gives, or an error where it panics. In a browser a panic is the end of the worker, and the page starts
/// another one.
pub(super) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T> {
    if cfg!(panic = "abort") {
        return Ok(work());
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !WITHIN.get() {
                before(info);
            }
        }));
    });
    let outer = WITHIN.replace(true);
    // The library's tokenizer is only read, and this file's is not used again where it was being made.
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    WITHIN.set(outer);
    outcome.map_err(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("it gives no reason");
        Error::input(format!("tokenizer.json: the tokenizer library cannot work with it: {text}"))
            .hint("take tokenizer.json from the model's own repository")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded(|| 1).ok(), Some(1));
        let said = |error: Result<()>| error.expect_err("a panic").message().to_owned();
        assert!(said(guarded(|| panic!("number {}", 7))).ends_with("with it: number 7"));
        assert!(said(guarded(|| panic!("plain"))).ends_with("with it: plain"));
        assert!(said(guarded(|| guarded(|| panic!("inner")).expect("outer"))).contains("inner"));
        assert!(!WITHIN.get());
    }
}
