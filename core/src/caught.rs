//! Libraries that panic over a file that is not as they expect.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// This thread is in a library, so a panic is told by an error and not on the terminal.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// What the work gives, or nothing where it panics. In a browser a panic is the end of the worker, and the page starts
/// another one. What the work has changed by then is not used again.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    if cfg!(panic = "abort") {
        return Some(work());
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
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_nothing() {
        assert_eq!(caught(|| 1), Some(1));
        assert_eq!(caught(|| caught(|| panic!("inner")).unwrap_or(2)), Some(2));
        assert_eq!(caught::<u8>(|| panic!("outer")), None);
        assert!(!WITHIN.get());
    }
}
