//! How much memory there is, and asking for some of it without dying where there is not enough.
//!
//! Rust ends the process where an allocation fails. So the large ones are planned: [`reserve`] looks before a model is
//! loaded, a batch computed or a graphics driver started, and buffers that only a file decides on go through [`grow`]. A
//! program's own allocator is the net below: it may ask [`is_fallible`] whether somebody waits for the failure.

use crate::{Error, Kind, Result};
use std::cell::Cell;

thread_local! {
    static FALLIBLE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the code that runs on this thread can go on without the memory that it asks for.
pub fn is_fallible() -> bool {
    FALLIBLE.try_with(Cell::get).unwrap_or(false)
}

/// Runs something that handles failed allocations itself.
pub fn fallible<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            FALLIBLE.with(|fallible| fallible.set(self.0));
        }
    }
    let _restore = Restore(FALLIBLE.with(|fallible| fallible.replace(true)));
    work()
}

/// Room for so many more entries of a vector.
///
/// # Errors
/// When there is none; `what` says what they are for.
pub fn grow<T>(list: &mut Vec<T>, more: usize, what: impl std::fmt::Display) -> Result<()> {
    let bytes = (more as u64).saturating_mul(size_of::<T>() as u64);
    fallible(|| list.try_reserve_exact(more)).map_err(|_| short(bytes, what, None))
}

/// The error for memory that is not there.
fn short(bytes: u64, what: impl std::fmt::Display, free: Option<u64>) -> Error {
    let there = match free {
        Some(free) => format!(", and {} are free", mib(free)),
        None => ", and so much is not free".into(),
    };
    let limit = if limited() { "; this process is limited (`ulimit -v`), so the limit can be raised" } else { "" };
    Error::new(Kind::Memory, format!("out of memory: {what} needs {}{there}", mib(bytes)))
        .hint(format!("close other programs, or take a smaller model{limit}"))
}

/// Bytes of this program's own memory where it is a browser tab's, which never shrinks; elsewhere 0.
pub fn heap() -> u64 {
    #[cfg(target_family = "wasm")]
    let pages = core::arch::wasm32::memory_size(0) as u64;
    #[cfg(not(target_family = "wasm"))]
    let pages = 0;
    pages * 65_536
}

/// Bytes for people.
pub fn said(bytes: u64) -> String {
    match bytes {
        small if small < 1 << 30 => mib(small),
        large => format!("{:.1} GiB", large as f64 / f64::from(1 << 30)),
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// Whether this process may use less than the machine has, by a limit of its own.
pub fn limited() -> bool {
    #[cfg(target_os = "linux")]
    {
        static LIMITED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *LIMITED.get_or_init(|| {
            let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
            let finite = |name: &str| {
                let rest = limits.lines().find_map(|line| line.strip_prefix(name));
                rest.and_then(|rest| rest.split_whitespace().next()).is_some_and(|soft| soft.parse::<u64>().is_ok())
            };
            finite("Max address space") || finite("Max data size")
        })
    }
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(all(feature = "engine", not(target_family = "wasm")))]
mod there {
    use super::{fallible, limited, short};
    use crate::Result;

    /// Bytes that are asked for at a time to find out how many there are; allocators round larger pieces up by much.
    const PIECE: usize = 15 << 20;
    /// More than this is not asked for: all that is planned by it fits.
    const ENOUGH: u64 = 16 << 30;

    /// Free main memory in bytes: of the machine, of the group of processes that this one belongs to, and of its own
    /// limit.
    pub fn free() -> u64 {
        let machine = machine();
        match if limited() { mapped(ENOUGH) } else { ENOUGH } {
            ENOUGH => machine,
            less => machine.min(less),
        }
    }

    /// What a model may take, with all that computing with it needs.
    pub fn room() -> u64 {
        free()
    }

    fn machine() -> u64 {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        let all = system.available_memory();
        system.cgroup_limits().map_or(all, |group| all.min(group.free_memory))
    }

    /// How much of `most` bytes the system would give now. Asking is the only way to know: an address space has holes.
    fn mapped(most: u64) -> u64 {
        let mut pieces = Vec::new();
        let mut had = 0;
        while had < most {
            let size = PIECE.min((most - had) as usize);
            let Ok(piece) = memmap2::MmapMut::map_anon(size) else { break };
            pieces.push(piece);
            had += size as u64;
        }
        had
    }

    /// How much of `most` bytes the allocator would give now. It has reserves of its own, but keeps what it got for this,
    /// so it comes second.
    fn obtainable(most: u64) -> u64 {
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        fallible(|| {
            let mut had = 0;
            while had < most {
                let mut piece = Vec::new();
                let size = PIECE.min((most - had) as usize);
                if pieces.try_reserve(1).is_err() || piece.try_reserve_exact(size).is_err() {
                    break;
                }
                had += size as u64;
                pieces.push(piece);
            }
            had
        })
    }

    /// Makes sure that there are so many bytes; `what` needs them.
    ///
    /// # Errors
    /// When there are not; the error says how many there are.
    pub fn reserve(bytes: u64, what: &str) -> Result<()> {
        let machine = machine();
        if machine < bytes {
            return Err(short(bytes, what, Some(machine)));
        }
        reserve_batch(bytes, what)
    }

    /// [`reserve`] for what is computed again and again: looks only where the process has a limit of its own.
    ///
    /// # Errors
    /// As [`reserve`].
    pub fn reserve_batch(bytes: u64, what: &str) -> Result<()> {
        if !limited() || mapped(bytes) >= bytes {
            return Ok(());
        }
        match obtainable(bytes) {
            had if had < bytes => Err(short(bytes, what, Some(had))),
            _ => Ok(()),
        }
    }
}

#[cfg(all(feature = "engine", target_family = "wasm"))]
mod there {
    use super::short;
    use crate::Result;

    /// A tab has 4 GiB of address space, of which the engine itself needs some.
    const TAB: u64 = (4 << 30) - (256 << 20);

    /// A tab's address space is shared with the weights.
    pub fn free() -> u64 {
        1 << 30
    }

    /// What a model may take of a tab's address space, with all that computing with it needs.
    pub fn room() -> u64 {
        TAB
    }

    /// Makes sure that a tab can have so many bytes.
    ///
    /// # Errors
    /// When it cannot; the error says how many it can.
    pub fn reserve(bytes: u64, what: &str) -> Result<()> {
        if bytes > TAB { Err(short(bytes, what, Some(TAB))) } else { Ok(()) }
    }

    /// As [`reserve`].
    ///
    /// # Errors
    /// None.
    pub fn reserve_batch(_: u64, _: &str) -> Result<()> {
        Ok(())
    }
}

#[cfg(feature = "engine")]
pub use there::{free, reserve, reserve_batch, room};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_an_error_that_says_how_much_was_wanted() {
        let mut list: Vec<u64> = Vec::new();
        let said = grow(&mut list, usize::MAX / 16, "a list").expect_err("half the address space");
        assert_eq!(said.kind, Kind::Memory);
        assert!(said.message().starts_with("out of memory: a list needs ") && said.next_step().is_some(), "{said}");
        assert!(grow(&mut list, 10, "a list").is_ok() && !is_fallible());
        assert!(fallible(|| fallible(is_fallible) && is_fallible()));
    }

    #[cfg(all(feature = "engine", not(target_family = "wasm")))]
    #[test]
    fn a_petabyte_is_not_free() {
        let said = reserve(1 << 50, "a petabyte").expect_err("no machine has it").to_string();
        assert!(said.contains("a petabyte needs 1073741824 MiB, and ") && said.contains(" MiB are free"), "{said}");
        assert!(reserve(1 << 20, "a megabyte").is_ok() && free() > 1 << 20);
    }
}
