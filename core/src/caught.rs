//! Libraries that panic over a file that is not as they expect.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// This thread is in a library, so a panic is told by an error and not on the terminal.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// What the work gives, or what was said where it panics. In a browser a panic is the end of the worker, and the page
/// starts another one. What the work has changed by then is not used again.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
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
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    WITHIN.set(outer);
    outcome.map_err(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("it gives no reason").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(caught(|| 1), Ok(1));
        assert_eq!(caught(|| panic!("number {}", 7)), Err::<(), _>("number 7".into()));
        assert_eq!(caught(|| panic!("plain")), Err::<(), _>("plain".into()));
        assert_eq!(caught(|| caught(|| panic!("inner")).unwrap_or(2)), Ok(2));
        assert!(!WITHIN.get());
    }
}
