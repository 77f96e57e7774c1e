//! The seam between the command line and the engine: every call into the engine and the model cache is here.

mod doctor;
mod edit;
mod load;
mod place;
mod save;
mod study;
mod trace;
mod train;
mod verify;

use crate::bundled::{self, Bundled};
use crate::commands::train::TrainArgs;
use crate::hub::{self, Hub};
use crate::render::progress::Progress;
use anyhow::Result;
use engram_core::metrics::Judgement;
use engram_core::record::{DeviceInfo, EditRecord, ModelInfo, Record, Settings};
use engram_core::trace::Units;
use engram_core::train::{Epoch, Recall};
use std::path::PathBuf;

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `owner/name` on the Hugging Face Hub, with `@revision` and `:FILE.gguf` where they are wanted.
    Hub(String),
    /// A folder with config.json, tokenizer.json and safetensors, or a GGUF file.
    Path(PathBuf),
    /// A model that is part of the program.
    Bundled(&'static Bundled),
}

impl Source {
    /// As a person names it.
    pub fn name(&self) -> String {
        match self {
            Self::Hub(id) => id.clone(),
            Self::Path(path) => path.display().to_string(),
            Self::Bundled(model) => model.name.into(),
        }
    }
}

/// Where facts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// A file.
    File(PathBuf),
    /// Those that are part of the program.
    Bundled,
}

/// `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Device {
    /// The GPU where one works, else the CPU
    #[default]
    Auto,
    /// The GPU, or an error
    Gpu,
    /// The CPU
    Cpu,
}

/// A model to load and where to run it.
#[derive(Debug, Clone)]
pub struct Model {
    /// Where it comes from.
    pub source: Source,
    /// A tokenizer.json that is not beside the weights.
    pub tokenizer: Option<PathBuf>,
    /// Where it runs.
    pub device: Device,
}

/// One fact, as a person asks about it. The subject is known to be in the prompt.
#[derive(Debug, Clone)]
pub struct Question {
    /// Prompt with `{}` in the subject's place.
    pub prompt: String,
    /// Subject.
    pub subject: String,
    /// True answer; without one, the model's own greedy answer.
    pub target: Option<String>,
    /// Counterfactual answer.
    pub target_new: Option<String>,
}

impl Question {
    /// For the engine.
    fn asked(&self) -> engram_core::question::Question<'_> {
        engram_core::question::Question {
            prompt: &self.prompt,
            subject: &self.subject,
            target: self.target.as_deref(),
            target_new: self.target_new.as_deref(),
        }
    }
}

/// What `engram trace` shows.
#[derive(Debug, serde::Serialize)]
pub struct Tracing {
    /// A record of this one fact, always `validated`; `settings.maps` says whether it has maps.
    #[serde(flatten)]
    pub record: Record,
    /// The model's own greedy answer, as many tokens as the target has.
    pub greedy: String,
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

/// Where a study writes and whether it may go on from there.
#[derive(Debug, Clone)]
pub struct Place {
    /// Folder; made when missing.
    pub out: PathBuf,
    /// Start again instead of resuming.
    pub fresh: bool,
    /// A fact with a defect ends the study.
    pub strict: bool,
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

/// Files that `engram edit` leaves behind.
#[derive(Debug, Clone, Default)]
pub struct Save {
    /// The rank-one update as a safetensors file.
    pub delta: Option<PathBuf>,
    /// The edited model as a folder.
    pub model: Option<PathBuf>,
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
    /// All measures together.
    pub judgement: Judgement,
    /// Raw values. Unrelated facts are named by their place among the bundled facts; a question that is none of these has no
    /// paraphrases and neighbours.
    pub edit: EditRecord,
    /// Greedy answer before.
    pub before: String,
    /// Greedy answer with the edited weights.
    pub after: String,
    /// Seconds that the optimisation took.
    pub seconds: f64,
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

/// Traces one fact. `settings`: corruption, readings, maps (0 or 1) and window are set; the rest is default.
pub fn trace(
    model: &Model,
    question: &Question,
    settings: &Settings,
    units: Option<&Units>,
    progress: &Progress,
) -> Result<Tracing> {
    trace::run(model, question, settings, units, progress)
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

/// Rewrites one fact. `question` has both targets; `settings`: seed and edit are set.
pub fn edit(
    model: &Model,
    question: &Question,
    settings: &Settings,
    save: &Save,
    progress: &Progress,
) -> Result<Edited> {
    edit::run(model, question, settings, save, progress)
}

/// What a record is held against, see [`verify()`].
#[derive(Debug, Clone)]
pub struct Proof {
    /// Models that were named, with the device to compute on; a record takes the one of its name.
    pub models: Vec<Model>,
    /// Where a model runs that is found without being named.
    pub device: Device,
    /// Facts that were named.
    pub facts: Option<Facts>,
    /// Validated facts to compute again.
    pub rerun: usize,
    /// Largest difference that passes, in probability.
    pub tolerance: f64,
}

/// Holds records against their facts and models, where these are at hand, and computes facts again where asked for.
pub fn verify(record: &Record, proof: &Proof, progress: &Progress) -> Result<Vec<engram_core::verify::Check>> {
    verify::run(record, proof, progress)
}

/// Trains a model; goes on where an interrupted training stopped.
pub fn train(args: &TrainArgs, progress: &Progress) -> Result<Trained> {
    train::run(args, progress)
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
}

/// How a model's files are understood, without loading it.
pub fn understand(model: &Model, progress: &Progress) -> Result<Understood> {
    load::understand(model, progress)
}

/// Looks at the GPU, its self-test, and the CPU backend. Never fails: a failure is a [`Check`].
pub fn check_devices() -> Vec<Check> {
    doctor::run()
}

/// What records say wrote them.
pub fn program() -> String {
    format!("engram {}", env!("CARGO_PKG_VERSION"))
}
