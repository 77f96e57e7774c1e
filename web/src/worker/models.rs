//! Models for the engine: bundled ones, files from disk, addresses, and what is kept in the browser.

pub(crate) mod bundled;
pub(crate) mod cache;
mod fetch;
mod files;
mod hub;
mod preflight;
mod remote;

pub(crate) use preflight::preflight;

use super::queue::Engine;
use super::{device, host, js, moments, studies};
use engram_core::lab::Lab;
use engram_core::load::fit::Place;
use engram_core::load::{Model, look};
use engram_core::names::HubId;
use engram_core::protocol::{DeviceChoice, Event, Loaded, ModelRef, Phase};
use engram_core::record::Precision;
use engram_core::weights::{ByteSource, Checkpoint};
use engram_core::{Error, Kind, Result};
use js_sys::Array;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::File;

/// Where a model comes from, with the files that travelled beside the message.
pub(crate) struct Origin {
    model: ModelRef,
    files: Vec<File>,
}

impl Origin {
    /// From a request.
    pub(crate) fn of(model: &ModelRef, message: &JsValue) -> Self {
        let files = js::get(message, "files").dyn_into::<Array>().unwrap_or_default();
        Self { model: model.clone(), files: files.iter().filter_map(|file| file.dyn_into().ok()).collect() }
    }
}

/// Takes reports of how far loading is.
type Report = Box<dyn Fn(Phase)>;

/// Counts what passes, and tells of it now and then.
pub(crate) struct Meter {
    tell: Option<Report>,
    tensors: Cell<(usize, usize)>,
    bytes: Cell<u64>,
    hashed: Cell<u64>,
    all: Cell<u64>,
    file: RefCell<String>,
    told_ms: Cell<f64>,
    peak: Cell<u64>,
}

/// Milliseconds between two reports.
const REPORT_MS: f64 = 100.0;

impl Meter {
    fn new(tell: Option<Report>) -> Rc<Self> {
        Rc::new(Self {
            tell,
            tensors: Cell::default(),
            bytes: Cell::default(),
            hashed: Cell::default(),
            all: Cell::default(),
            file: RefCell::default(),
            told_ms: Cell::default(),
            peak: Cell::default(),
        })
    }

    /// Bytes that are here already, of how many.
    fn begin(&self, here: u64, all: u64) {
        self.bytes.set(here);
        self.all.set(all);
    }

    /// Bytes arrived from network or disk.
    pub(crate) fn came(&self, file: &str, bytes: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        if *self.file.borrow() != file {
            *self.file.borrow_mut() = file.to_owned();
        }
        self.report(false);
    }

    /// Bytes were read; once all tensors are there, that is hashing.
    pub(crate) fn read(&self, bytes: u64) {
        self.peak.set(self.peak.get().max(js::heap()));
        let (done, of) = self.tensors.get();
        if of > 0 && done >= of {
            self.hashed.set(self.hashed.get() + bytes);
            self.report(false);
        }
    }

    /// A transfer is tried again.
    pub(crate) fn retry(&self, attempt: usize, why: String) {
        self.send(Phase::Retry { attempt, why });
    }

    fn report(&self, now: bool) {
        let time = js::now_ms();
        if !now && time - self.told_ms.get() < REPORT_MS {
            return;
        }
        self.told_ms.set(time);
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

/// The files of a model, open.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) sources: Vec<Box<dyn ByteSource>>,
    /// Bytes of all files, and those that are here.
    pub(crate) all: u64,
    pub(crate) here: u64,
    pub(crate) licence: Option<String>,
    /// What the weights' digest must be, where the source names it.
    pub(crate) weights_sha256: Option<String>,
    /// And the tokenizer's.
    pub(crate) tokenizer_sha256: Option<String>,
    pub(crate) kept: Option<cache::Kept>,
    pub(crate) remarks: Vec<String>,
}

/// Opens a model's files. With `store` they are kept in the browser as they come.
pub(crate) async fn open(origin: &Origin, store: bool, meter: &Rc<Meter>) -> Result<Opened> {
    match &origin.model {
        ModelRef::Bundled { name } => bundled::open(name).await,
        ModelRef::Files { name } => files::open(name, &origin.files, meter),
        ModelRef::Hub { id, revision, file } => {
            let found =
                match hub::look_up(&HubId { name: id, revision: revision.as_deref(), file: file.as_deref() }).await {
                    Ok(found) => found,
                    // Without a connection a kept copy does.
                    Err(error) if error.kind == Kind::Io => match cache::Kept::whole_of(&origin.model).await {
                        Some(kept) => return remote::reopen(&kept.key, meter).await,
                        None => return Err(error),
                    },
                    Err(error) => return Err(error),
                };
            remote::open(found, origin.model.clone(), store, meter).await
        }
        ModelRef::Url { url } => {
            // An address is taken to go on meaning the same files; deleting the kept ones asks again.
            if let Some(kept) = cache::Kept::whole_of(&origin.model).await.filter(|_| store) {
                return remote::reopen(&kept.key, meter).await;
            }
            let found = remote::look_up(url).await?;
            remote::open(found, origin.model.clone(), store, meter).await
        }
        ModelRef::Cached { key } => remote::reopen(key, meter).await,
    }
}

/// Loads a model in place of the present one, its matrices held in a precision.
pub(crate) async fn load(engine: &mut Engine, origin: &Origin, wanted: Option<Precision>) -> Result<Event> {
    let start = js::now_ms();
    if engine.device.is_none() {
        device::start(engine, DeviceChoice::Auto).await?;
    }
    let compute = match &engine.device {
        Some((compute, _)) => compute.clone(),
        None => return Err(Error::device("no device is open").hint("reload the page")),
    };
    // The old model goes first: two may not fit.
    engine.lab = None;
    let before = js::heap();
    let id = host::running();
    let meter = Meter::new(Some(Box::new(move |phase| host::post(id, Event::Loading(phase), None))));
    let opened = open(origin, true, &meter).await?;
    meter.begin(opened.here, opened.all);
    meter.report(true);
    let Opened { name, sources, weights_sha256, tokenizer_sha256, kept, .. } = opened;
    let checkpoint = Checkpoint::from_sources(sources).await.map_err(|error| error.at(&name))?;
    let counted = meter.clone();
    let progress = move |done: usize, of: usize| {
        counted.tensors.set((done, of));
        counted.report(done == of);
    };
    let looked = look(&checkpoint).await.map_err(|error| error.at(&name))?;
    let (precision, precision_why) = looked.takes.choose(&Place::of(&compute), wanted);
    let compute = compute.holding(precision)?;
    let model = Model::load_looked(looked, &checkpoint, &name, compute, &progress).await;
    let mut model = model.map_err(|error| error.at(&name))?;
    let verified = weights_sha256.as_ref().map(|wanted| *wanted == model.info.weights_sha256);
    let other_tokenizer = tokenizer_sha256.is_some_and(|wanted| wanted != model.info.tokenizer_sha256);
    if verified == Some(false) || other_tokenizer {
        if let Some(kept) = kept {
            drop(checkpoint);
            cache::remove(Some(&kept.key)).await?;
        }
        let what = if other_tokenizer { "the tokenizer is not the one" } else { "the weights are not those" };
        return Err(Error::input(format!("{name}: {what} that the hub describes (SHA-256 differs)"))
            .hint("load it again: what was kept is deleted"));
    }
    drop(checkpoint);
    if let Some(kept) = kept {
        kept.finished(verified).await?;
    }
    let (info, shape) = (model.info.clone(), &model.net.shape);
    let loaded = Loaded {
        model: origin.model.clone(),
        info,
        precision,
        precision_why,
        positions: shape.positions,
        vocabulary: shape.vocab,
        seconds: (js::now_ms() - start) / 1000.0,
        heap: [before, meter.peak.get().max(js::heap()), js::heap()],
        verified,
        understood: model.understood(),
        notes: model.notes.clone(),
    };
    let facts = studies::bundled_facts().await?;
    model.second_moments.store = Some(Box::new(moments::Kept));
    engine.lab = Some((Lab::new(model, facts, host::PROGRAM), origin.model.clone()));
    Ok(Event::Loaded(Box::new(loaded)))
}
