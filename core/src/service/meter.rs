//! How far the loading of a model is: counts what passes, and tells of it now and then.

use crate::memory::heap;
use crate::protocol::Phase;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use web_time::Instant;

/// Takes reports.
type Report = Box<dyn Fn(Phase)>;

/// Between two reports.
const REPORT: Duration = Duration::from_millis(100);

/// Counts what passes.
pub struct Meter {
    tell: Option<Report>,
    tensors: Cell<(usize, usize)>,
    bytes: Cell<u64>,
    hashed: Cell<u64>,
    all: Cell<u64>,
    file: RefCell<String>,
    told: Cell<Option<Instant>>,
    peak: Cell<u64>,
}

impl Meter {
    /// A meter that tells nobody.
    pub fn silent() -> Rc<Self> {
        Self::new(None)
    }

    pub(super) fn new(tell: Option<Report>) -> Rc<Self> {
        Rc::new(Self {
            tell,
            tensors: Cell::default(),
            bytes: Cell::default(),
            hashed: Cell::default(),
            all: Cell::default(),
            file: RefCell::default(),
            told: Cell::default(),
            peak: Cell::default(),
        })
    }

    /// Bytes that are here already, of how many.
    pub(super) fn begin(&self, here: u64, all: u64) {
        self.bytes.set(here);
        self.all.set(all);
        self.report(true);
    }

    /// Tensors that are on the device.
    pub(super) fn loaded(&self, done: usize, of: usize) {
        self.tensors.set((done, of));
        self.report(done == of);
    }

    /// Most memory that was seen in use.
    pub(super) fn peak(&self) -> u64 {
        self.peak.get().max(heap())
    }

    /// Bytes arrived from network or disk.
    pub fn came(&self, file: &str, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        if *self.file.borrow() != file {
            *self.file.borrow_mut() = file.to_owned();
        }
        self.report(false);
    }

    /// Bytes were read; once all tensors are there, that is hashing.
    pub fn read(&self, bytes: u64) {
        self.peak.set(self.peak());
        let (done, of) = self.tensors.get();
        if of > 0 && done >= of {
            self.hashed.set(self.hashed.get() + bytes);
            self.report(false);
        }
    }

    /// A transfer is tried again.
    pub fn retry(&self, attempt: usize, why: String) {
        self.send(Phase::Retry { attempt, why });
    }

    fn report(&self, now: bool) {
        if !now && self.told.get().is_some_and(|told| told.elapsed() < REPORT) {
            return;
        }
        self.told.set(Some(Instant::now()));
        let (tensors, of) = self.tensors.get();
        self.send(match self.hashed.get() {
            0 => Phase::Weights {
                tensors,
                of,
                bytes: self.bytes.get(),
                all: self.all.get(),
                file: self.file.borrow().clone(),
            },
            bytes => Phase::Hashing { bytes, all: self.all.get() },
        });
    }

    fn send(&self, phase: Phase) {
        if let Some(tell) = &self.tell {
            tell(phase);
        }
    }
}
