//! The program's allocator, and how it ends where there is no more memory: with a message and exit code 1, not by a signal.
//! What is large is planned before (`engram_core::memory`); this is the net below, for what no plan foresees.

use engram_core::memory::is_fallible;
use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;
#[cfg(unix)]
use std::sync::atomic::{AtomicI32, Ordering};

/// Tensors of the CPU backend come and go by the megabyte; the system's allocator gives each back to the kernel and faults
/// its pages in again (a third of the time of a training step with glibc's).
#[global_allocator]
static ALLOCATOR: Honest = Honest;

/// mimalloc; where it fails and nobody waits for the failure, the program ends here. Rust would abort.
struct Honest;

// SAFETY: every call goes to mimalloc as it came, and what it gives is given on.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Honest {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { MiMalloc.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        checked(unsafe { MiMalloc.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { MiMalloc.dealloc(at, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        checked(unsafe { MiMalloc.realloc(at, layout, size) }, size)
    }
}

#[inline]
fn checked(at: *mut u8, size: usize) -> *mut u8 {
    if at.is_null() && !is_fallible() {
        end(format_args!("{size} bytes more are not free"));
    }
    at
}

/// Where stderr went when the program started: it is hushed while graphics drivers are looked for.
#[cfg(unix)]
static STDERR: AtomicI32 = AtomicI32::new(2);

const HINT: &str = "close other programs, take a smaller model, or raise the limit of this process (`ulimit -v`); what was \
                    recorded so far is kept";

/// Ends the program without asking for memory, and without handlers that would.
#[cold]
#[inline(never)]
fn end(why: std::fmt::Arguments<'_>) -> ! {
    let mut text = [0; 512];
    let mut rest = &mut text[..];
    let _ = write!(rest, "error: out of memory: {why}\nhint: {HINT}\n");
    let left = rest.len();
    let text = &text[..text.len() - left];
    #[cfg(unix)]
    // SAFETY: the pointer and the length are those of one slice; leaving is what is wanted.
    #[allow(unsafe_code)]
    unsafe {
        libc::write(STDERR.load(Ordering::Relaxed), text.as_ptr().cast(), text.len());
        libc::_exit(1)
    }
    #[cfg(not(unix))]
    {
        let _ = std::io::stderr().write_all(text);
        std::process::exit(1)
    }
}

/// What is needed before anything is computed: the main thread's stack, which could not grow any more where the address
/// space is full, and a word for threads that cannot start.
pub fn prepare() {
    deepen();
    #[cfg(unix)]
    {
        // SAFETY: a copy of a number.
        #[allow(unsafe_code)]
        let copy = unsafe { libc::fcntl(2, libc::F_DUPFD_CLOEXEC, 3) };
        if copy > 2 {
            STDERR.store(copy, Ordering::Relaxed);
        }
    }
    // The C library reserves 64 MiB of the address space for each thread that calls it.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if engram_core::memory::limited() {
        // SAFETY: a number is set before there are other threads.
        #[allow(unsafe_code)]
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let said = info.payload_as_str().unwrap_or_default().to_lowercase();
        let memory = ["failed to spawn thread", "cannot allocate memory", "out of memory", "os error 11)", "enomem"];
        if memory.iter().any(|words| said.contains(words)) {
            let first: String = said.lines().next().unwrap_or_default().chars().take(200).collect();
            end(format_args!("{first}"));
        }
        before(info);
    }));
}

/// Touches so much of the stack that it is there later.
#[inline(never)]
fn deepen() {
    let block = [0u8; 1 << 20];
    std::hint::black_box(&block);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_vector_that_may_fail_fails_and_the_program_goes_on() {
        let mut list: Vec<u8> = Vec::new();
        let most = isize::MAX as usize / 2;
        assert!(engram_core::memory::grow(&mut list, most, "a test").is_err());
    }
}
