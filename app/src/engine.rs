//! The seam between the command line and the engine: every call into the engine and the model cache is here.

mod doctor;
mod edit;
mod emit;
mod load;
#[cfg(target_os = "linux")]
mod loader;
mod outlook;
mod place;
mod save;
mod saved;
mod shards;
mod stats;
mod study;
mod trace;
mod train;
mod verify;
#[cfg(target_os = "linux")]
mod vulkan;

pub(crate) use stats::WIKITEXT;

use crate::bundled::{self, Bundled};
use crate::hub::{self, Hub};
use crate::progress::Progress;
use crate::wanted::{EditWish, Facts, Model, Place, Proof, Question, Training};
use anyhow::Result;
use engram_core::device::{DeviceChoice, GpuMemory};
use engram_core::edit::Change;
use engram_core::facts::parse;
use engram_core::lab::Lab;
use engram_core::load::fit::Fit;
use engram_core::metrics::Judgement;
use engram_core::record::{DeviceInfo, EditRecord, EditSettings, ModelInfo, Record, Retraced, Settings};
use engram_core::study::shards::{Missing, Plan, Shard};
use engram_core::trace::{Number, Units};
use engram_core::train::{Epoch, Recall};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use load::choose;
pub(crate) use stats::moments_store;

/// What `engram trace` shows.
#[derive(Debug, serde::Serialize)]
pub struct Tracing {
    /// A record of this one fact, always `validated`; `settings.maps` says whether it has maps.
    #[serde(flatten)]
    pub record: Record,
    /// The model's own greedy answer, as many tokens as the target has.
    pub greedy: String,
    /// A script that computes a number again, where one was asked for.
    #[serde(skip)]
    pub script: Option<String>,
}

/// What `engram study` has written.
#[derive(Debug)]
pub struct Studied {
    /// The record's file.
    pub path: PathBuf,
    /// Facts that an earlier, interrupted run had finished.
    pub resumed: usize,
    /// The record.
    pub record: Record,
}

/// What `engram study --plan` has made.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Seconds that Stages 1 and 2 take on this device, from what the first facts took.
    pub estimate: Option<[f64; 2]>,
}

/// How far the shards of a plan are.
#[derive(Debug, serde::Serialize)]
pub struct ShardState {
    /// Facts that are traced.
    pub traced: usize,
    /// Of so many.
    pub of: usize,
    /// Waves of the plan.
    pub waves: u8,
    /// The first of them that is not whole; none where all are.
    pub wave: Option<u8>,
    /// Units that it lacks, as far as they are known.
    pub units_left: usize,
    /// The shards that own them.
    pub owners: Vec<String>,
    /// Seconds that this takes those that are at work; none where nothing tells.
    pub seconds_left: Option<f64>,
    /// What each process has written.
    pub processes: Vec<ShareState>,
}

/// What a process of a shard has written.
#[derive(Debug, serde::Serialize)]
pub struct ShareState {
    /// `K/N`.
    pub shard: String,
    /// The machine's name.
    pub host: String,
    /// What computes there.
    pub device: String,
    /// Its units.
    pub units: usize,
    /// Seconds that these took.
    pub seconds: f64,
    /// Seconds of the unit in the middle.
    pub median: f64,
    /// How much longer its units take than those of the same kinds take on average; below 1 it is quicker.
    pub slower: f64,
    /// Seconds since its last one.
    pub silent: Option<f64>,
    /// It has written within ten of its units.
    pub at_work: bool,
}

/// What `engram train` has made; also `training.json` beside the model.
#[derive(Debug, serde::Serialize)]
pub struct Trained {
    /// The recipe's name.
    pub name: String,
    /// SHA-256 of recipe, facts, text and tokenizer.
    pub plan: String,
    /// Facts that were told.
    pub facts: usize,
    /// Numbers that were trained.
    pub parameters: usize,
    /// SHA-256 of the weights, as records name it.
    pub weights_sha256: String,
    /// What the files answer, over all facts.
    pub recall: Recall,
    /// The loss curve.
    pub epochs: Vec<Epoch>,
}

/// What `engram edit` shows.
#[derive(Debug, serde::Serialize)]
pub struct Edited {
    /// The model.
    pub model: ModelInfo,
    /// Where it ran.
    pub device: DeviceInfo,
    /// The prompt, with its subject.
    pub prompt: String,
    /// How it was edited: contexts and the second moment's text included; absent where a saved change was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<EditSettings>,
    /// The saved change that was applied, where one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded: Option<LoadedChange>,
    /// All measures together.
    pub judgement: Judgement,
    /// Raw values. Unrelated facts are named by their place among the bundled facts; a question that is none of these has no
    /// paraphrases and neighbours.
    pub edit: EditRecord,
    /// Greedy answer before.
    pub before: String,
    /// Greedy answer with the edited weights.
    pub after: String,
    /// Seconds that the search and its measurement took.
    pub seconds: f64,
    /// Both answers traced before the edit and after it, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retraced: Option<Retraced>,
    /// A script that computes the edit again, where one was asked for.
    #[serde(skip)]
    pub script: Option<String>,
}

/// A change that was read from files.
#[derive(Debug, serde::Serialize)]
pub struct LoadedChange {
    /// The file or folder, as it was named.
    pub path: String,
    /// SHA-256 of the file that holds its numbers.
    pub sha256: String,
    /// What it changes.
    #[serde(flatten)]
    pub change: Change,
}

/// A model in the cache, one of its revisions.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Cached {
    /// `owner/name`.
    pub id: String,
    /// A branch or tag, else the commit.
    pub revision: String,
    /// `model_type` of its config.
    pub family: Option<String>,
    /// Size of its files.
    pub bytes: u64,
    /// Its folder; `None` for a model that is part of the program.
    pub path: Option<PathBuf>,
}

/// How a check of `engram doctor` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, with a loss.
    Warning,
    /// Does not work.
    Failed,
}

/// One line of `engram doctor`.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it ended.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What to do, where something can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kind of a failure, where the engine named one.
pub fn kind(error: &anyhow::Error) -> Option<engram_core::Kind> {
    error.chain().find_map(|cause| cause.downcast_ref::<engram_core::Error>()).map(|error| error.kind)
}

/// Traces one fact. `settings`: corruption, patch positions, maps (0 or 1) and window are set; the rest is default. `number`: the
/// one that a script computes again; then only that is traced.
pub fn trace(
    model: &Model,
    question: &Question,
    settings: &Settings,
    units: Option<&Units>,
    number: Option<&Number>,
    progress: &Progress,
) -> Result<Tracing> {
    trace::run(model, question, settings, units, number, progress)
}

/// Studies one model and writes its record.
pub fn study(model: &Model, facts: &Facts, settings: &Settings, place: &Place, progress: &Progress) -> Result<Studied> {
    study::run(model, facts, settings, place, progress)
}

/// Refuses studies of several models that cannot all succeed: models without files, settings that do not fit one of them,
/// records that would have one name. Downloads what is missing.
pub fn check_studies(models: &[Model], settings: &Settings, progress: &Progress) -> Result<()> {
    study::check(models, settings, progress)
}

/// Plans a study into a file, and computes its first facts.
pub fn plan(model: &Model, facts: &Facts, settings: &Settings, path: &Path, progress: &Progress) -> Result<Planned> {
    shards::plan(model, facts, settings, path, progress)
}

/// Computes what a shard owns of a plan's wave. The inner error: an earlier wave is not whole.
pub fn shard(
    plan: &Path,
    part: (Shard, u8),
    device: DeviceChoice,
    wait: Duration,
    progress: &Progress,
) -> Result<std::result::Result<(), Missing>> {
    shards::shard(plan, part, device, wait, progress)
}

/// Makes the record of a plan's shards, in `out` or beside the plan; `runs`: with who computed what. The inner error: units are
/// missing, and have not come within `wait`.
pub fn merge(
    plan: &Path,
    out: Option<&Path>,
    runs: bool,
    wait: Duration,
    progress: &Progress,
) -> Result<std::result::Result<Studied, Missing>> {
    shards::merge(plan, out, runs, wait, progress)
}

/// How far a plan's shards are.
pub fn shard_states(plan: &Path) -> Result<ShardState> {
    shards::states(plan)
}

/// Rewrites one fact, or applies a saved change. `question` has both targets; `settings`: seed and edit are set.
pub fn edit(
    model: &Model,
    question: &Question,
    settings: &Settings,
    wish: &EditWish,
    progress: &Progress,
) -> Result<Edited> {
    edit::run(model, question, settings, wish, progress)
}

/// The refusal of a script of an edit that has no file to read the change from.
pub fn no_change_file() -> engram_core::Error {
    edit::no_file()
}

/// Holds records against their facts and models, where these are at hand, and computes facts again where asked for.
pub fn verify(record: &Record, proof: &Proof, progress: &Progress) -> Result<Vec<engram_core::verify::Check>> {
    verify::run(record, proof, progress)
}

/// Trains a model; goes on where an interrupted training stopped.
pub fn train(wanted: &Training, progress: &Progress) -> Result<Trained> {
    train::run(wanted, progress)
}

/// The folder of downloaded models.
pub fn cache_folder() -> PathBuf {
    Hub::from_env().cache
}

/// Downloaded models, by name.
pub fn cached_models() -> Vec<Cached> {
    let cached = |model: hub::CachedModel| Cached {
        id: model.id,
        revision: model.revision,
        family: model.family,
        bytes: model.bytes,
        path: Some(model.path),
    };
    hub::cached().into_iter().map(cached).collect()
}

/// Models that are part of the program.
pub fn bundled_models() -> Vec<Cached> {
    let bundled = |model: &Bundled| Cached {
        id: model.name.into(),
        revision: "bundled".into(),
        family: model.family(),
        bytes: model.bytes(),
        path: None,
    };
    bundled::MODELS.iter().map(bundled).collect()
}

/// Deletes a downloaded model, all its revisions; tells the bytes that became free.
pub fn delete_model(id: &str) -> Result<u64> {
    hub::delete(id)
}

/// What `engram doctor --model` tells.
#[derive(Debug, serde::Serialize)]
pub struct Understood {
    /// The model's name.
    pub model: String,
    /// Names and values, to hold against config.json.
    pub lines: Vec<(String, String)>,
    /// What a user should know of the files.
    pub notes: Vec<String>,
    /// What loading takes: on the device that would compute, then on the CPU where that is another.
    pub devices: Vec<Outlook>,
}

/// What a model takes of a device, and whether that is there.
#[derive(Debug, serde::Serialize)]
pub struct Outlook {
    /// The device, with the precision that would be taken.
    pub device: DeviceInfo,
    /// Why this one, and this precision.
    pub why: String,
    /// Its own memory; missing where it computes in main memory, and where the driver does not tell.
    pub memory: Option<GpuMemory>,
    /// It is a GPU that is imitated in software.
    pub software: bool,
    /// Bytes of the largest buffer that it binds; missing on the CPU.
    pub binding: Option<u64>,
    /// Bytes of main memory that are free.
    pub host: u64,
    /// What is taken in each precision that it has.
    pub fits: Vec<Fit>,
    /// The model can be loaded there in this precision.
    pub works: bool,
    /// Whether it fits, in a sentence.
    pub verdict: String,
    /// What to do where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a model's files are understood, without loading it.
pub fn understand(model: &Model, progress: &Progress) -> Result<Understood> {
    load::understand(model, progress)
}

/// Looks at the GPU, its self-test, and the CPU backend. Never fails: a failure is a [`Check`].
pub fn check_devices() -> Vec<Check> {
    doctor::run()
}

/// A loaded model at work.
fn lab(model: engram_core::load::Model) -> engram_core::Result<Lab> {
    Ok(Lab::new(model, parse("bundled facts", bundled::FACTS)?, &program()))
}

/// What records say wrote them.
pub fn program() -> String {
    format!("engram {}", env!("CARGO_PKG_VERSION"))
}
