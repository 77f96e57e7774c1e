//! A host of the engine in memory: bundled models, studies in a map, events in a box that a test waits at.

use engram_core::device::Compute;
use engram_core::facts::{FactFile, parse};
use engram_core::lab::Log;
use engram_core::protocol::{Command, DeviceChoice, DeviceReport, Event, Failure, Message, ModelRef, Request};
use engram_core::second_moment::Store;
use engram_core::service::{
    About, Address, Engine, Host, Later, Meter, Opened, Parts, Queue, SeatId, Storage, Studies, report,
};
use engram_core::weights::Checkpoint;
use engram_core::{Error, Result};
use futures_util::future::join;
use pollster::block_on;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A study in memory.
#[derive(Debug, Clone)]
struct Kept {
    about: About,
    journal: Vec<u8>,
    facts: Option<Vec<u8>>,
}

/// Studies in memory, whose disk can be full.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    kept: Rc<RefCell<BTreeMap<String, Kept>>>,
    /// Journal lines until the disk is full.
    room: Rc<Cell<Option<usize>>>,
}

impl Memory {
    fn look<T>(&self, key: &str, look: impl FnOnce(&mut Kept) -> T) -> Result<T> {
        self.kept.borrow_mut().get_mut(key).map(look).ok_or_else(|| Error::io("no such study"))
    }

    /// The disk is full after so many lines.
    pub fn full_after(&self, lines: Option<usize>) {
        self.room.set(lines);
    }

    /// Cuts a journal within its last line, as a process does that is killed while it writes.
    pub fn tear(&self, key: &str) {
        let tear = |study: &mut Kept| study.journal.truncate(study.journal.len() - 3);
        self.look(key, tear).expect("a study");
    }
}

/// The journal of one.
pub struct Journal(Memory, String);

impl Log for Journal {
    fn append(&mut self, line: &[u8]) -> Result<()> {
        match self.0.room.get() {
            Some(0) => return Err(Error::io("the disk is full")),
            Some(more) => self.0.room.set(Some(more - 1)),
            None => {}
        }
        self.0.look(&self.1, |study| study.journal.extend_from_slice(line))
    }
}

impl Studies for Memory {
    type Log = Journal;

    async fn keys(&self) -> Vec<String> {
        self.kept.borrow().keys().cloned().collect()
    }

    async fn about(&self, key: &str) -> Option<About> {
        self.look(key, |study| study.about.clone()).ok()
    }

    async fn journal(&self, key: &str) -> Result<Vec<u8>> {
        self.look(key, |study| study.journal.clone())
    }

    async fn facts(&self, key: &str) -> Result<Vec<u8>> {
        self.look(key, |study| study.facts.clone())?.ok_or_else(|| Error::io("no facts"))
    }

    async fn create(&self, key: &str, about: &About, facts: Option<&[u8]>) -> Result<()> {
        let study = Kept { about: about.clone(), journal: Vec::new(), facts: facts.map(<[u8]>::to_vec) };
        self.kept.borrow_mut().insert(key.to_owned(), study);
        Ok(())
    }

    async fn log(&self, key: &str, end: u64) -> Result<Journal> {
        self.look(key, |study| study.journal.truncate(end as usize))?;
        Ok(Journal(self.clone(), key.to_owned()))
    }

    async fn note(&self, key: &str, about: &About) -> Result<()> {
        self.look(key, |study| study.about = about.clone())
    }

    async fn remove(&self, key: &str) -> Result<()> {
        self.kept.borrow_mut().remove(key).map(drop).ok_or_else(|| Error::io("no such study"))
    }
}

/// What a request carries: a file.
pub type Beside = Option<Vec<u8>>;

/// What was told, in order.
#[derive(Default)]
struct Mail {
    all: VecDeque<(Address, Event)>,
    waker: Option<Waker>,
}

/// The host.
#[derive(Default)]
pub struct Bench {
    mail: Rc<RefCell<Mail>>,
    studies: Memory,
    clock: Cell<f64>,
    opened: Rc<Cell<usize>>,
}

impl Host for Bench {
    type Beside = Beside;
    type Studies = Memory;

    fn program(&self) -> String {
        "tests".into()
    }

    fn place(&self) -> &'static str {
        "this test"
    }

    fn now_ms(&self) -> f64 {
        self.clock.set(self.clock.get() + 1.0);
        self.clock.get()
    }

    fn post(&self, to: Address, news: Event, _: Option<Vec<u8>>) {
        // Everything passes through JSON, as it does on its way to a page.
        let (json, arrays) = Message { id: to.id, news }.sealed(None);
        let Message { news, .. } = Message::opened(&json, || arrays.unwrap_or_default()).expect("readable");
        let mut mail = self.mail.borrow_mut();
        mail.all.push_back((to, news));
        if let Some(waker) = mail.waker.take() {
            waker.wake();
        }
    }

    /// Lets the test in, as a browser's event loop is let in.
    fn rest(&self) -> Option<Later<'static, ()>> {
        let mut rested = false;
        Some(Box::pin(poll_fn(move |context| {
            if std::mem::replace(&mut rested, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })))
    }

    fn bytes(&self, beside: &Beside) -> Option<Vec<u8>> {
        beside.clone()
    }

    async fn device(&self, _: DeviceChoice) -> Result<(Compute, DeviceReport)> {
        let compute = Compute::cpu("tests");
        let report = report(&compute, None).await?;
        Ok((compute, report))
    }

    async fn facts(&self) -> Result<FactFile> {
        parse("bundled facts", include_bytes!("../../core/bundled/facts.json"))
    }

    async fn open(&self, model: &ModelRef, _: &Beside, _: bool, _: &Rc<Meter>) -> Result<Opened> {
        self.opened.set(self.opened.get() + 1);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled/models").join(model.name());
        let checkpoint = Checkpoint::open(&folder, None).await?;
        Ok(Opened {
            name: model.name().to_owned(),
            parts: Parts::Whole(Box::new(checkpoint)),
            all: 0,
            here: 0,
            licence: None,
            weights_sha256: None,
            tokenizer_sha256: None,
            kept: None,
            remarks: Vec::new(),
        })
    }

    async fn storage(&self) -> Storage {
        Storage::default()
    }

    async fn models(&self) -> Result<Event> {
        Ok(Event::Cache { models: Vec::new(), used: None, quota: None })
    }

    async fn forget(&self, _: Option<&str>) -> Result<()> {
        Ok(())
    }

    fn studies(&self) -> &Memory {
        &self.studies
    }

    fn second_moments(&self) -> Option<Arc<dyn Store>> {
        None
    }
}

/// A page's end of an engine in memory.
#[derive(Clone)]
pub struct Line {
    queue: Arc<Mutex<Queue<Beside>>>,
    mail: Rc<RefCell<Mail>>,
    next: Rc<Cell<u32>>,
    /// Its studies.
    pub studies: Memory,
    opened: Rc<Cell<usize>>,
}

/// Runs a script beside an engine, and ends the engine with it. `several`: models are loaded while a study runs.
pub fn beside<T>(several: bool, script: impl AsyncFnOnce(Line) -> T) -> T {
    let bench = Rc::new(Bench::default());
    let queue = Arc::new(Mutex::new(Queue::new(several)));
    let line = Line {
        queue: queue.clone(),
        mail: bench.mail.clone(),
        next: Rc::default(),
        studies: bench.studies.clone(),
        opened: bench.opened.clone(),
    };
    let engine = Engine::new(bench, queue);
    let end = line.clone();
    let script = async {
        let found = script(line).await;
        let wake = end.queue().close();
        wake.wake();
        found
    };
    // The script first: what it asks at once is there when the engine looks.
    block_on(join(script, engine.work())).0
}

impl Line {
    /// What waits and runs.
    pub fn queue(&self) -> MutexGuard<'_, Queue<Beside>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Models that were opened so far.
    pub fn opened(&self) -> usize {
        self.opened.get()
    }

    /// Asks; the answers are waited for with [`Self::end`].
    pub fn send(&self, seat: u64, ask: Command) -> Address {
        self.next.set(self.next.get() + 1);
        let to = Address { seat: SeatId(seat), id: self.next.get() };
        let wake = self.queue().push(to.seat, Request { id: to.id, ask }, None);
        wake.wake();
        to
    }

    /// Cancels.
    pub fn cancel(&self, to: Address) -> bool {
        self.queue().cancel(to)
    }

    /// The next event that `wanted` takes, of whatever request; it is taken out of the box.
    pub async fn until(&self, wanted: impl Fn(Address, &Event) -> bool) -> (Address, Event) {
        poll_fn(|context| {
            let mut mail = self.mail.borrow_mut();
            if let Some(at) = mail.all.iter().position(|(to, news)| wanted(*to, news)) {
                return Poll::Ready(mail.all.remove(at).expect("it is there"));
            }
            mail.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Takes all that was told so far out of the box.
    pub fn clear(&self) {
        self.mail.borrow_mut().all.clear();
    }

    /// A request's final event.
    ///
    /// # Errors
    /// When it failed.
    pub async fn end(&self, to: Address) -> Result<Event, Failure> {
        match self.until(|at, news| at == to && news.is_final()).await.1 {
            Event::Failed(failure) => Err(failure),
            news => Ok(news),
        }
    }

    /// Asks and waits.
    ///
    /// # Errors
    /// When it failed.
    pub async fn ask(&self, seat: u64, ask: Command) -> Result<Event, Failure> {
        self.end(self.send(seat, ask)).await
    }

    /// Seats a page at a bundled model.
    ///
    /// # Panics
    /// When it cannot be loaded.
    pub async fn load(&self, seat: u64, name: &str) {
        let model = ModelRef::Bundled { name: name.into() };
        let answer = self.ask(seat, Command::Load { model, precision: None }).await;
        assert!(matches!(answer, Ok(Event::Loaded(_))), "{answer:?}");
    }
}
