//! Memory for rows, used again rather than asked for anew: pages that the system maps for the first time are slower than
//! the arithmetic on them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

/// What a thread keeps at most, in numbers (32 MiB).
const KEPT: usize = 8 << 20;

/// Buffers that a thread has no use for now, by how many numbers they have room for.
#[derive(Default)]
struct Free {
    buffers: BTreeMap<usize, Vec<Vec<f32>>>,
    numbers: usize,
}

thread_local! {
    static FREE: RefCell<Free> = RefCell::default();
}

/// Numbers whose memory goes back to its thread.
#[derive(Debug, Default)]
pub(crate) struct Buffer(Vec<f32>);

impl Buffer {
    /// So many numbers, whatever they are: all of them are about to be written.
    pub(crate) fn scratch(n: usize) -> Self {
        let found = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            // One that is much too large would be missing elsewhere.
            let room = free.buffers.range(n..=2 * n + 64).next().map(|(&room, _)| room)?;
            let list = free.buffers.get_mut(&room)?;
            let buffer = list.pop();
            if list.is_empty() {
                free.buffers.remove(&room);
            }
            free.numbers -= room;
            buffer
        });
        let mut values = found.ok().flatten().unwrap_or_default();
        values.resize(n, 0.0);
        Self(values)
    }

    /// The numbers as a plain vector.
    pub(crate) fn into_vec(mut self) -> Vec<f32> {
        std::mem::take(&mut self.0)
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        Self(values)
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::scratch(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.0);
        let room = values.capacity();
        if room == 0 {
            return;
        }
        // A thread that ends has no list any more; then the memory is simply freed.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.numbers + room <= KEPT {
                free.numbers += room;
                free.buffers.entry(room).or_default().push(values);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again() {
        let buffer = Buffer::scratch(1000);
        let at = buffer.as_ptr();
        drop(buffer);
        let again = Buffer::scratch(900);
        assert_eq!((again.as_ptr(), again.len()), (at, 900));
        let other = Buffer::scratch(900);
        assert_ne!(other.as_ptr(), at);
        drop(again);
        assert_ne!(Buffer::scratch(100).as_ptr(), at, "ten times too large");
    }
}
