//! What decides a study's numbers, as one file; and a few bits by which a machine shows that it computes the same ones.

use crate::edit::at_once;
use crate::error::{Error, Result};
use crate::facts::{FactFile, parse, shuffled};
use crate::hex;
use crate::journal::{self, write_atomic};
use crate::load::Model;
use crate::model::Site;
use crate::record::{Precision, Record, Settings};
use crate::run::Sites;
use crate::trace::{OneFact, Run, next_tokens, tokenize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The version of plans.
const VERSION: u32 = 1;

/// Edits of a part on the CPU.
const CPU_PART: usize = 16;

/// A study before anything of it is computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of plans.
    #[serde(rename = "engram-plan")]
    pub version: u32,
    /// SHA-256 of everything else in it.
    pub id: String,
    /// A record without facts: settings with what they leave to the model, digests of the model's files and of the facts.
    pub header: Record,
    /// How the model is opened.
    pub model: PlannedModel,
    /// So many edits of each method are made before they are measured.
    pub at_once: Vec<usize>,
    /// Waves of units, each of which needs what the one before has computed.
    pub waves: u8,
    /// Digest of some numbers: a machine on which they are others is refused.
    pub probe: String,
}

/// How a plan's model is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedModel {
    /// As a command line names it; a path is absolute.
    pub source: String,
    /// A tokenizer that is not beside the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<PathBuf>,
    /// The precision that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// A text for second moments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_text: Option<PathBuf>,
}

/// Plans a study of a loaded model.
///
/// # Errors
/// As [`crate::study::header`]; and where a fact can only be excluded by looking at it, on a file without any that fits the model.
pub async fn plan(
    model: &Model,
    facts: &FactFile,
    settings: Settings,
    program: &str,
    named: PlannedModel,
) -> Result<Plan> {
    let header = crate::study::header(model, facts, settings, program).await?;
    let probe = probe(model, facts, &header.settings).await?;
    let (edit, third) = (&header.settings.edit, header.settings.stages.contains(&3));
    let waves = if third && edit.needs_second_moment() { 3 } else { 2 };
    // Where no number depends on how many are found together, parts are small enough to be divided among shards.
    let most = if model.compute.is_cpu() { CPU_PART } else { usize::MAX };
    let at_once = edit.methods.iter().map(|method| at_once(model, method).min(most)).collect();
    let mut plan = Plan { version: VERSION, id: String::new(), header, model: named, at_once, waves, probe };
    plan.id = plan.digest()?;
    Ok(plan)
}

/// Digest of a clean, a corrupted and a patched run of the first fact that fits the model: their bits show the arithmetic.
///
/// # Errors
/// When no fact fits, or the device fails.
pub async fn probe(model: &Model, facts: &FactFile, settings: &Settings) -> Result<String> {
    let mut digest = Sha256::new();
    for at in shuffled(facts.facts.len(), settings.seed) {
        let Ok(tokens) = tokenize(model, &facts.facts[at], settings)? else { continue };
        let position = tokens.corrupt_span.end - 1;
        let one = OneFact::capture(model, tokens, settings, &Sites::to_resume()).await?;
        let layer = model.layers().div_ceil(2);
        for run in [Run::Clean, Run::Corrupted, Run::PutBack { site: Site::Residual, position, layer }] {
            for (token, p) in next_tokens(model, &one, settings, run, 64).await? {
                digest.update(token.to_le_bytes());
                digest.update(p.to_bits().to_le_bytes());
            }
        }
        return Ok(hex(&digest.finalize()));
    }
    Err(Error::input("no fact of the file fits this model").hint("try one of them with `engram trace`"))
}

impl Plan {
    fn digest(&self) -> Result<String> {
        let bare = Self { id: String::new(), ..self.clone() };
        let bytes = serde_json::to_vec(&bare).map_err(|error| Error::io(format!("the plan: {error}")))?;
        Ok(hex(&Sha256::digest(bytes)))
    }

    /// The folder beside a plan's file.
    pub fn folder(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".d");
        name.into()
    }

    /// Where its segments are.
    pub fn segments(path: &Path) -> PathBuf {
        Self::folder(path).join("units")
    }

    /// Where its second moments are.
    pub fn moments(path: &Path) -> PathBuf {
        Self::folder(path).join("moments")
    }

    fn facts_file(path: &Path) -> PathBuf {
        Self::folder(path).join("facts")
    }

    /// Writes it, with the facts (`bytes`: their file) beside it.
    ///
    /// # Errors
    /// When it is there already, of another study, or cannot be written.
    pub fn write(&self, path: &Path, facts: &[u8]) -> Result<()> {
        if path.exists() {
            let known = Self::read(path)?;
            return match known.id == self.id {
                true => Ok(()),
                false => Err(Error::input(format!("{}: there is a plan of another study", path.display()))
                    .hint("choose another --plan, or move that one away with its folder")),
            };
        }
        let folder = Self::folder(path);
        std::fs::create_dir_all(&folder)
            .map_err(|error| Error::io(format!("{}: {error}", folder.display())).hint("choose another --plan"))?;
        write_atomic(&Self::facts_file(path), facts)?;
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::io(format!("the plan: {error}")))?;
        write_atomic(path, &text)
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is no plan, was changed or damaged, or is a newer program's.
    pub fn read(path: &Path) -> Result<Self> {
        let place = || path.display();
        let bytes = std::fs::read(path).map_err(|error| {
            Error::input(format!("{}: {error}", place()))
                .hint("`engram study --model … --facts … --plan FILE` makes one")
        })?;
        let plan: Self = serde_json::from_slice(&bytes).map_err(|error| {
            Error::input(format!("{}: it is no plan: {error}", place())).hint("plan the study again")
        })?;
        let again = |what: String| Err(Error::input(format!("{}: {what}", place())).hint("plan the study again"));
        if plan.version != VERSION {
            return again(format!("it is a plan of version {}, this program reads version {VERSION}", plan.version));
        }
        if plan.digest()? != plan.id {
            return again("it was changed or damaged: its digest is another one".into());
        }
        journal::check(&plan.header)?;
        Ok(plan)
    }

    /// Its facts.
    ///
    /// # Errors
    /// When they are not beside it, or are others.
    pub fn facts(&self, path: &Path) -> Result<FactFile> {
        let file = Self::facts_file(path);
        let bytes = std::fs::read(&file).map_err(|error| {
            Error::input(format!("{}: {error}", file.display())).hint("the plan's folder has to be beside it")
        })?;
        let facts = parse(&self.header.source.name, &bytes)?;
        match facts.sha256 == self.header.source.sha256 {
            true => Ok(facts),
            false => Err(Error::input(format!("{}: these are not the plan's facts", file.display()))
                .hint("plan the study again")),
        }
    }

    /// Refuses a model that is not the plan's, or a machine that computes other bits.
    ///
    /// # Errors
    /// Saying both values.
    pub async fn admit(&self, model: &Model, facts: &FactFile, program: &str) -> Result<()> {
        let refuse = |what: &str, here: &str, planned: &str| {
            Err(Error::input(format!("this shard has another {what} than the plan: {here}, planned is {planned}")))
        };
        let (here, planned) = (&model.info, &self.header.model);
        let pairs = [
            ("program", program, self.header.program.as_str()),
            ("configuration (sha256)", &here.config_sha256, &planned.config_sha256),
            ("tokenizer (sha256)", &here.tokenizer_sha256, &planned.tokenizer_sha256),
            ("set of weights (sha256)", &here.weights_sha256, &planned.weights_sha256),
            ("kind of device", &model.compute.info.kind, &self.header.device.kind),
            ("precision", model.compute.info.precision.name(), self.header.device.precision.name()),
        ];
        for (what, here, planned) in pairs {
            if here != planned {
                return refuse(what, here, planned)
                    .map_err(|error: Error| error.hint("take the plan's model, program and device, or plan anew"));
            }
        }
        let probe = probe(model, facts, &self.header.settings).await?;
        if probe != self.probe {
            return refuse("arithmetic (digest of a probe)", &probe[..16], &self.probe[..16]).map_err(|error: Error| {
                error.hint("its processor or driver is another one: run shards on nodes of one kind, and plan on such a node")
            });
        }
        Ok(())
    }
}
