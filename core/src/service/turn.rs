//! Which of the two that run on an engine's thread is at work: a command or a study. A block of a model asks at its end
//! whether it may go on ([`crate::pause`]), and the answer is another for each.

use super::Later;
use super::queue::{Kind, Queue};
use crate::pause::Pause;
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use web_time::Instant;

thread_local! {
    static AT_WORK: Cell<Kind> = const { Cell::new(Kind::Command) };
}

/// A queue that whatever carries messages has a hand on, too.
pub(super) type Shared<B> = Arc<Mutex<Queue<B>>>;

pub(super) fn lock<B>(queue: &Shared<B>) -> MutexGuard<'_, Queue<B>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work of a kind.
pub(super) struct Turn<F> {
    pub(super) kind: Kind,
    pub(super) work: Pin<Box<F>>,
}

impl<F: Future> Future for Turn<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = AT_WORK.replace(self.kind);
        let polled = self.work.as_mut().poll(context);
        AT_WORK.set(before);
        polled
    }
}

/// Looks at the queue between blocks.
pub(super) struct Turns<B> {
    pub(super) queue: Shared<B>,
    /// The host's event loop.
    pub(super) rest: Rc<dyn Fn() -> Option<Later<'static, ()>>>,
}

impl<B: 'static> Pause for Turns<B> {
    fn cancelled(&self) -> bool {
        lock(&self.queue).is_cancelled(AT_WORK.get())
    }

    fn rest(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        if AT_WORK.get() == Kind::Study && lock(&self.queue).gives_way(Instant::now()) {
            return Some(Box::pin(Parked { queue: self.queue.clone() }));
        }
        (self.rest)()
    }
}

/// A study that waits for commands.
struct Parked<B> {
    queue: Shared<B>,
}

impl<B> Future for Parked<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let wake = {
            let mut queue = lock(&self.queue);
            if !queue.gives_way(Instant::now()) {
                return Poll::Ready(());
            }
            let wake = queue.others(Kind::Study);
            queue.listen(Kind::Study, context.waker());
            wake
        };
        wake.wake();
        Poll::Pending
    }
}
