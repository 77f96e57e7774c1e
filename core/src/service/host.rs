//! What differs between a browser's worker and a native program: device, files, storage, clock, event loop.

use super::studies::About;
use super::{Address, Meter};
use crate::device::Compute;
use crate::error::Result;
use crate::facts::FactFile;
use crate::lab::Log;
use crate::protocol::{DeviceChoice, DeviceReport, Event, ModelRef};
use crate::second_moment;
use crate::weights::{ByteSource, Checkpoint};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

/// What is there in time. An engine owns its thread, so nothing of it has to be sent to another.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Where an engine runs.
#[expect(async_fn_in_trait, reason = "an engine owns its thread, so no future has to be sent to another")]
pub trait Host {
    /// What travels beside a request: files, bytes.
    type Beside;
    /// Where studies are kept.
    type Studies: Studies;

    /// What records say of the program.
    fn program(&self) -> String;
    /// What people call the place: "this tab", "this computer".
    fn place(&self) -> &'static str;
    /// Milliseconds since 1970.
    fn now_ms(&self) -> f64;
    /// Sends an event, and bytes beside it.
    fn post(&self, to: Address, news: Event, bytes: Option<Vec<u8>>);
    /// Lets the event loop run, when it is time to; `None` when it is not, or there is none on this thread.
    fn rest(&self) -> Option<Later<'static, ()>>;
    /// Bytes that came beside a request.
    fn bytes(&self, beside: &Self::Beside) -> Option<Vec<u8>>;

    /// Opens, tests and times a device.
    async fn device(&self, wish: DeviceChoice) -> Result<(Compute, DeviceReport)>;
    /// The facts that come with the lab.
    async fn facts(&self) -> Result<FactFile>;
    /// Finds a model's files. With `keep` they are stored as they come, where the host stores such models.
    async fn open(&self, model: &ModelRef, beside: &Self::Beside, keep: bool, meter: &Rc<Meter>) -> Result<Opened>;
    /// What may still be stored.
    async fn storage(&self) -> Storage;
    /// Models that are kept: [`Event::Cache`].
    async fn models(&self) -> Result<Event>;
    /// Deletes a kept model; all of them when absent.
    async fn forget(&self, key: Option<&str>) -> Result<()>;
    /// Where studies are kept.
    fn studies(&self) -> &Self::Studies;
    /// Where second moments are kept.
    fn second_moments(&self) -> Option<Arc<dyn second_moment::Store>>;
}

/// Where studies are kept: a journal each, the account of it, and facts of its own where it has some. Keys are letters, digits
/// and hyphens.
#[expect(async_fn_in_trait, reason = "an engine owns its thread, so no future has to be sent to another")]
pub trait Studies {
    /// An open journal.
    type Log: Log;

    /// All keys.
    async fn keys(&self) -> Vec<String>;
    /// The account of a study; `None` where there is no study, or an account that cannot be read.
    async fn about(&self, key: &str) -> Option<About>;
    /// A study's journal.
    async fn journal(&self, key: &str) -> Result<Vec<u8>>;
    /// Its own facts, as they were brought.
    async fn facts(&self, key: &str) -> Result<Vec<u8>>;
    /// Makes room for a new one.
    async fn create(&self, key: &str, about: &About, facts: Option<&[u8]>) -> Result<()>;
    /// Opens the journal for whoever goes on after `end` bytes; what lies behind them is cut off.
    async fn log(&self, key: &str, end: u64) -> Result<Self::Log>;
    /// Writes the account.
    async fn note(&self, key: &str, about: &About) -> Result<()>;
    /// Deletes a study.
    async fn remove(&self, key: &str) -> Result<()>;
}

/// What may be stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Storage {
    /// Bytes that are left, where that is known.
    pub left: Option<u64>,
    /// Models that are downloaded are kept.
    pub keeps: bool,
}

/// A model's files: to be put together, or open as a whole.
pub enum Parts {
    /// One by one.
    Sources(Vec<Box<dyn ByteSource>>),
    /// Open.
    Whole(Box<Checkpoint>),
}

/// The files of a model, found.
pub struct Opened {
    /// A name for people and records.
    pub name: String,
    /// The files.
    pub parts: Parts,
    /// Bytes of all of them.
    pub all: u64,
    /// Bytes that are here.
    pub here: u64,
    /// The licence that the source names.
    pub licence: Option<String>,
    /// What the weights' digest must be, where the source names it.
    pub weights_sha256: Option<String>,
    /// And the tokenizer's.
    pub tokenizer_sha256: Option<String>,
    /// The copy that is kept.
    pub kept: Option<Box<dyn KeptCopy>>,
    /// What is worth knowing first.
    pub remarks: Vec<String>,
}

/// A copy of a model that a host keeps.
pub trait KeptCopy {
    /// All of it is here, and its digest was compared with what the source names.
    fn finished(&self, verified: Option<bool>) -> Later<'_, Result<()>>;
    /// Deletes it.
    fn remove(&self) -> Later<'_, Result<()>>;
}
