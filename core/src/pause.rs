//! Giving way: a browser's event loop runs on the engine's own thread, so long work has to let it in, or messages that
//! cancel it are never heard. The engine calls [`point`] between blocks of a model. Natively nothing is installed and it
//! costs a look at a thread-local.
//!
//! A hook per thread rather than an argument: every function between a study and a block would have to hand it on.

use crate::error::{Error, Result};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// What to do at a point where the work can be left alone.
pub trait Pause {
    /// Somebody wants the work to stop.
    fn cancelled(&self) -> bool;
    /// Lets others run, when it is time to; `None` when it is not.
    fn rest(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>>;
}

thread_local! {
    static HOOK: RefCell<Option<Rc<dyn Pause>>> = const { RefCell::new(None) };
}

/// Installs a hook for this thread, or takes it away.
pub fn install(hook: Option<Rc<dyn Pause>>) {
    HOOK.with(|slot| *slot.borrow_mut() = hook);
}

/// Somebody wants the work at hand to stop.
pub fn is_cancelled() -> bool {
    HOOK.with(|slot| slot.borrow().clone()).is_some_and(|hook| hook.cancelled())
}

/// A point where work may rest, or end because it was cancelled.
///
/// # Errors
/// [`Kind::Cancelled`](crate::Kind::Cancelled) when the hook says so.
pub async fn point() -> Result<()> {
    let Some(hook) = HOOK.with(|slot| slot.borrow().clone()) else { return Ok(()) };
    if let Some(rest) = hook.rest() {
        rest.await;
    }
    match hook.cancelled() {
        true => Err(Error::cancelled()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    struct Counter(Cell<usize>);

    impl Pause for Counter {
        fn cancelled(&self) -> bool {
            self.0.get() >= 2
        }
        fn rest(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
            self.0.set(self.0.get() + 1);
            Some(Box::pin(std::future::ready(())))
        }
    }

    #[test]
    fn work_goes_on_until_the_hook_ends_it() {
        assert!((0..9).all(|_| pollster::block_on(point()).is_ok()), "without a hook nothing stops it");
        install(Some(Rc::new(Counter(Cell::new(0)))));
        assert!(pollster::block_on(point()).is_ok());
        assert_eq!(pollster::block_on(point()).map_err(|error| error.kind), Err(crate::Kind::Cancelled));
        install(None);
        assert!(pollster::block_on(point()).is_ok());
    }
}
