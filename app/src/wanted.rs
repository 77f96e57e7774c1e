//! What a command line asks the engine for, whoever parsed it.

use crate::bundled::{self, Bundled};
use engram_core::Error;
use engram_core::device::DeviceChoice;
use engram_core::names::HubId;
use engram_core::record::Precision;
use std::path::{Path, PathBuf};

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

    /// A model: an existing path, else an id on the Hub.
    pub fn parse(value: &str) -> engram_core::Result<Self> {
        let path = Path::new(value);
        if value.trim().is_empty() {
            return Err(Error::input("it is empty").hint(MODEL_HINT));
        }
        if path.is_file() && !value.to_ascii_lowercase().ends_with(".gguf") {
            return Err(Error::input("it is a file, but not a .gguf file").hint(MODEL_HINT));
        }
        if path.exists() {
            return Ok(Self::Path(path.to_owned()));
        }
        if let Some(model) = bundled::find(value) {
            return Ok(Self::Bundled(model));
        }
        if let Some(HubId { file: Some(_), .. }) = HubId::parse(value) {
            return Ok(Self::Hub(value.to_owned()));
        }
        let like_path = value.starts_with(['.', '/', '~', '\\'])
            || value.contains('\\')
            || value.to_ascii_lowercase().ends_with(".gguf");
        if like_path {
            return Err(Error::input("there is no such file or folder").hint(MODEL_HINT));
        }
        if HubId::parse(value).is_none() {
            return Err(Error::input("it is neither a path here nor a Hub id").hint(MODEL_HINT));
        }
        Ok(Self::Hub(value.to_owned()))
    }
}

const MODEL_HINT: &str = "give a bundled model such as engram-llama, a Hub id such as HuggingFaceTB/SmolLM2-135M or OWNER/NAME:FILE.gguf, a folder with config.json, or a .gguf file";

/// Where facts come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// A file.
    File(PathBuf),
    /// Those that are part of the program.
    Bundled,
}

/// A model to load and where to run it.
#[derive(Debug, Clone)]
pub struct Model {
    /// Where it comes from.
    pub source: Source,
    /// A tokenizer.json that is not beside the weights.
    pub tokenizer: Option<PathBuf>,
    /// Where it runs.
    pub device: DeviceChoice,
    /// What its matrices are held in on a GPU; without one f32, or f16 where that does not fit.
    pub precision: Option<Precision>,
    /// A text, or a folder of texts, that second moments are taken over.
    pub stats_text: Option<PathBuf>,
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
    /// The prompt with its subject.
    pub fn text(&self) -> String {
        self.prompt.replace(engram_core::facts::SLOT, &self.subject)
    }

    /// For the engine.
    pub fn asked(&self) -> engram_core::question::Question<'_> {
        engram_core::question::Question {
            prompt: &self.prompt,
            subject: &self.subject,
            target: self.target.as_deref(),
            target_new: self.target_new.as_deref(),
        }
    }
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

/// Files that `engram edit` leaves behind.
#[derive(Debug, Clone, Default)]
pub struct Save {
    /// The rank-one update as a safetensors file.
    pub delta: Option<PathBuf>,
    /// The update as a PEFT adapter's folder.
    pub lora: Option<PathBuf>,
    /// The edited model as a folder.
    pub model: Option<PathBuf>,
}

/// What is wanted of `engram edit` beside the edit itself.
#[derive(Debug, Clone, Default)]
pub struct EditWish {
    /// A saved change that is applied; without one an edit is searched.
    pub load: Option<PathBuf>,
    /// Files to leave behind.
    pub save: Save,
    /// A script that computes the edit again.
    pub emit: Option<Emit>,
    /// Both answers are traced before and after.
    pub retrace: bool,
}

/// What a script that checks a number is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    /// A script for PyTorch and transformers.
    Transformers,
}

/// What a record is held against, see [`crate::engine::verify`].
#[derive(Debug, Clone)]
pub struct Proof {
    /// Models that were named, with the device to compute on; a record takes the one of its name.
    pub models: Vec<Model>,
    /// Where a model runs that is found without being named.
    pub device: DeviceChoice,
    /// What its matrices are held in there.
    pub precision: Option<Precision>,
    /// Facts that were named.
    pub facts: Option<Facts>,
    /// Validated facts to compute again.
    pub rerun: usize,
    /// Largest difference that passes, in probability.
    pub tolerance: f64,
}

/// A training: what the model is made from, and where it is written.
#[derive(Debug, Clone)]
pub struct Training {
    /// Recipe (TOML).
    pub recipe: PathBuf,
    /// Facts.
    pub facts: PathBuf,
    /// Ordinary text.
    pub text: PathBuf,
    /// Where it computes.
    pub device: DeviceChoice,
    /// Folder for the model; made when missing.
    pub out: PathBuf,
    /// Start again instead of resuming.
    pub fresh: bool,
}
