//! How much is computed at a time: planned from memory, halved where the plan was too bold.

use crate::error::{Error, Kind, Result};
use crate::model::{Sizes, Transformer};
use std::future::Future;

/// How much is computed at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Rows (token positions) computed at a time.
    pub rows: usize,
    /// Rows that go through the head at a time.
    pub head_rows: usize,
    /// Bytes that activations may use.
    pub bytes: u64,
    /// The CPU backend computes.
    pub cpu: bool,
}

/// On the CPU more rows than this gain nothing: the matrix kernels are saturated and activations leave the cache.
const CPU_ROWS: usize = 2048;

/// Rows of a pass on the CPU, which one thread takes through all blocks.
const LEAST_PASS: usize = 16;
pub(super) const MOST_PASS: usize = 256;

/// Threads that passes are divided among; no number depends on it.
pub(super) fn threads() -> usize {
    #[cfg(not(target_family = "wasm"))]
    return rayon::current_num_threads();
    #[cfg(target_family = "wasm")]
    1
}

/// Rows that a fact's cells bring at each layer: six of two patch positions, and three ablations of nine tokens each.
const FACT_ROWS: usize = 33;
const MOST_FACTS: usize = 64;

/// On a GPU more rows than this gain little, even for the smallest models.
const GPU_ROWS: usize = 16_384;

/// Bytes of a row of the head: its logits, and what becomes of them.
fn head_row(sizes: &Sizes) -> u64 {
    sizes.vocab.max(1) as u64 * 4 * 2
}

impl Plan {
    /// Fewer rows than this are planned for no model.
    const LEAST_ROWS: usize = 64;

    /// A plan for a model. `free` bytes may be used for activations, `binding` is the largest single buffer.
    pub fn of(net: &Transformer, cpu: bool, free: u64, binding: u64) -> Self {
        Self::sized(&Sizes::of(net), cpu, free, binding)
    }

    /// The same for a model that is known by its sizes only.
    pub fn sized(sizes: &Sizes, cpu: bool, free: u64, binding: u64) -> Self {
        let by_binding = binding / (sizes.widest as u64 * 4);
        let by_memory = free / sizes.row.max(1);
        let most = if cpu { CPU_ROWS } else { GPU_ROWS };
        let rows = by_memory.min(by_binding).clamp(Self::LEAST_ROWS as u64, most as u64) as usize;
        let head_bytes = (free / 4).min(binding).min(256 << 20);
        let head_rows = (head_bytes / head_row(sizes)).clamp(1, 256) as usize;
        Self { rows, head_rows, bytes: free, cpu }
    }

    /// Bytes of activations at the peak of a batch.
    pub fn activations(&self, sizes: &Sizes) -> u64 {
        let (rows, head) = (self.rows as u64 * sizes.row, self.head_rows as u64 * head_row(sizes));
        rows.saturating_add(head)
    }

    /// Bytes of activations of the smallest batch that is planned for any model.
    pub fn least_activations(sizes: &Sizes) -> u64 {
        (Self::LEAST_ROWS as u64 * sizes.row).saturating_add(head_row(sizes))
    }

    /// Rows of a pass: on the CPU few enough that every thread has work and activations stay in its cache.
    pub(super) fn pass_rows(&self, all: usize) -> usize {
        match self.cpu {
            true => all.div_ceil(threads()).clamp(LEAST_PASS, MOST_PASS).min(self.rows.max(1)),
            false => self.rows.max(1),
        }
    }

    /// Facts that are traced at a time, `least` on the CPU: on a device as many as a pass has rows for.
    pub fn facts(&self, layers: usize, least: usize) -> usize {
        match self.cpu {
            true => least,
            false => (self.rows / (FACT_ROWS * layers.max(1))).clamp(least, MOST_FACTS),
        }
    }

    /// Rows of a pass that goes back too, and keeps so many bytes of each row for it.
    pub(super) fn turned_rows(&self, all: usize, bytes: u64) -> usize {
        let threads = if self.cpu { threads() } else { 1 };
        let most = (self.bytes / threads as u64 / bytes.max(1)).min(usize::MAX as u64) as usize;
        self.pass_rows(all).min(most).max(1)
    }

    /// Half of it.
    #[must_use]
    pub fn halved(self) -> Self {
        let Self { rows, head_rows, bytes, .. } = self;
        Self { rows: (rows / 2).max(1), head_rows: (head_rows / 2).max(1), bytes: bytes / 2, ..self }
    }
}

/// Bytes that a row keeps in each block for the way back.
pub(super) fn kept_bytes(net: &Transformer) -> u64 {
    let (shape, heads) = (&net.shape, net.heads(1));
    let heads = (2 * heads.count + 4 * heads.kv) * heads.dim;
    4 * (5 * shape.width as u64 + 2 * shape.ff as u64 + heads as u64)
}

/// Calls `work(plan)`; when the device runs out of memory, again with half the rows, down to one.
pub async fn with_halving<T, F>(plan: Plan, mut work: impl FnMut(Plan) -> F) -> Result<(T, Plan)>
where
    F: Future<Output = Result<T>>,
{
    let mut plan = plan;
    loop {
        match work(plan).await {
            Err(error) if error.kind == Kind::Memory && plan.rows > 1 => {
                log::warn!("out of memory with batches of {} rows; trying {}", plan.rows, plan.rows / 2);
                plan = plan.halved();
            }
            Err(error) if error.kind == Kind::Memory => {
                return Err(Error::new(Kind::Memory, format!("{}, even for a single row", error.message()))
                    .hint("close other programs, use --device cpu, or take a smaller model")
                    .in_page("close other tabs, switch the device to CPU, or take a smaller model"));
            }
            other => return other.map(|value| (value, plan)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn ready<T>(future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("nothing here waits"),
        }
    }

    #[test]
    fn an_allocation_failure_halves_the_batch_and_goes_on() {
        let tried = RefCell::new(Vec::new());
        let plan = Plan { rows: 1000, head_rows: 8, bytes: 1 << 20, cpu: true };
        let work = |plan: Plan| {
            tried.borrow_mut().push(plan.rows);
            async move {
                match plan.rows > 200 {
                    true => Err(Error::new(Kind::Memory, "no")),
                    false => Ok(plan.rows),
                }
            }
        };
        let (value, used) = ready(with_halving(plan, work)).expect("125 rows fit");
        assert_eq!((value, used.rows, used.head_rows), (125, 125, 1));
        assert_eq!(*tried.borrow(), [1000, 500, 250, 125]);
    }

    #[test]
    fn other_failures_are_not_retried_and_nothing_loops_forever() {
        let plan = Plan { rows: 8, head_rows: 8, bytes: 1 << 20, cpu: true };
        let mut calls = 0;
        let result: Result<((), _)> = ready(with_halving(plan, |_| {
            calls += 1;
            async { Err(Error::input("wrong")) }
        }));
        assert_eq!((result.unwrap_err().kind, calls), (Kind::Input, 1));
        let result: Result<((), _)> = ready(with_halving(plan, |_| async { Err(Error::new(Kind::Memory, "no")) }));
        assert!(result.unwrap_err().to_string().contains("single row"));
    }
}
