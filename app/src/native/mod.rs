//! The engine on this computer, for pages that this program serves: a thread of its own, and what it needs of the system.

mod models;
mod places;
mod studies;

pub use places::data;

use crate::bundled;
use crate::engine;
use engram_core::Result;
use engram_core::device::Compute;
use engram_core::facts::{FactFile, parse};
use engram_core::protocol::{DeviceChoice, DeviceReport, Event, ModelRef};
use engram_core::second_moment::Store;
use engram_core::service::{Address, Engine, Host, Later, Meter, Opened, Queue, Storage, report};
use models::Models;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a request carries: a facts file.
pub type Beside = Option<Vec<u8>>;
/// The engine's queue.
pub type Requests = Arc<Mutex<Queue<Beside>>>;
/// Where events go: they are sent to the page, and bytes beside them.
pub type Post = Arc<dyn Fn(Address, Event, Option<Vec<u8>>) + Send + Sync>;

/// What the owner of this computer allows and wants.
#[derive(Debug, Clone, Default)]
pub struct Owner {
    /// Folders of models, besides the Hub's cache.
    pub models: Vec<PathBuf>,
    /// Where studies are kept.
    pub studies: PathBuf,
    /// Which device.
    pub device: DeviceChoice,
}

/// A running engine.
pub struct Native {
    /// Its queue.
    pub requests: Requests,
    thread: Option<JoinHandle<()>>,
}

impl Native {
    /// Starts one. Nothing is opened until somebody asks for it.
    ///
    /// # Errors
    /// When the system has no thread for it.
    pub fn start(owner: Owner, post: Post) -> std::io::Result<Self> {
        // As far as there is memory, models of several pages are loaded together.
        let requests = Arc::new(Mutex::new(Queue::new(true)));
        let queue = Arc::clone(&requests);
        let work = move || {
            let studies = studies::Folder(owner.studies);
            let host = Computer { models: Models { folders: owner.models }, studies, device: owner.device, post };
            pollster::block_on(Engine::new(Rc::new(host), queue).work());
        };
        let thread = std::thread::Builder::new().name("engine".into()).spawn(work)?;
        Ok(Self { requests, thread: Some(thread) })
    }
}

impl Drop for Native {
    /// Ends it; a study's journal is whole up to its last line.
    fn drop(&mut self) {
        let wake = self.requests.lock().unwrap_or_else(PoisonError::into_inner).close();
        wake.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Computer {
    models: Models,
    studies: studies::Folder,
    device: DeviceChoice,
    post: Post,
}

impl Host for Computer {
    type Beside = Beside;
    type Studies = studies::Folder;

    fn program(&self) -> String {
        engine::program()
    }

    fn place(&self) -> &'static str {
        "this computer"
    }

    fn now_ms(&self) -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64() * 1e3)
    }

    fn post(&self, to: Address, news: Event, bytes: Option<Vec<u8>>) {
        (self.post)(to, news, bytes);
    }

    fn rest(&self) -> Option<Later<'static, ()>> {
        None
    }

    fn bytes(&self, beside: &Beside) -> Option<Vec<u8>> {
        beside.clone()
    }

    async fn device(&self, wish: DeviceChoice) -> Result<(Compute, DeviceReport)> {
        let wish = if self.device == DeviceChoice::Auto { wish } else { self.device };
        let compute = engine::choose(wish)?;
        let report = report(&compute, None).await?;
        Ok((compute, report))
    }

    async fn facts(&self) -> Result<FactFile> {
        parse("bundled facts", bundled::FACTS)
    }

    async fn open(&self, model: &ModelRef, _: &Beside, _: bool, _: &Rc<Meter>) -> Result<Opened> {
        self.models.open(model).await
    }

    async fn storage(&self) -> Storage {
        Storage::default()
    }

    async fn models(&self) -> Result<Event> {
        Ok(Event::Cache { models: self.models.list(), used: None, quota: None })
    }

    async fn forget(&self, _: Option<&str>) -> Result<()> {
        Err(engram_core::Error::input("a page deletes no models of this computer")
            .hint("`engram models --delete NAME` does"))
    }

    fn studies(&self) -> &studies::Folder {
        &self.studies
    }

    fn second_moments(&self) -> Option<Arc<dyn Store>> {
        Some(engine::moments_store())
    }
}
