//! What a page and an engine say to each other: typed, versioned JSON messages. The engine is the tab's worker; nothing
//! here assumes one, so the same messages can go over a socket to the native program.
//!
//! A page sends a [`Request`] with an id of its own. The engine answers with [`Message`]s of that id, the last of which is
//! final ([`Event::is_final`]). Work is done one request at a time in the order of arrival; [`Command::Cancel`] is heard at
//! once. Events with id 0 belong to no request. Bytes (files in, files out, arrays of numbers) travel beside the JSON.

mod answers;
mod dense;
pub mod frame;
mod models;
mod studies;

pub use answers::{AfterLayer, Cost, Edited, Failure, FailureKind, Lens, MapSite, Spoken, Token, Tokenized, Word};
pub use models::{Adapter, Cached, DeviceChoice, DeviceReport, GpuPlace, Loaded, ModelRef, Phase, Preflight};
pub use studies::{Saved, StudyCommand, StudyPhase};

pub use crate::error::Trouble;
use crate::journal::RedundancyLine;
use crate::record::{
    Corruption, EditMethod, EditRecord, FactRecord, PatchPosition, Precision, Record, RedundancyCurve, Retraced,
};
use serde::{Deserialize, Serialize};

/// The version of these messages. A page and an engine of different versions do not talk.
pub const PROTOCOL: u32 = 9;

/// A page's message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The page's number for it, from 1; every event about it carries the same.
    pub id: u32,
    /// What is wanted.
    pub ask: Command,
}

/// What a page can ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Command {
    /// Which protocol and program is this? Final event: [`Event::Hello`].
    Hello,
    /// Open and test a device; once it is open, tell of it again. Final event: [`Event::Device`].
    Start {
        /// Which.
        device: DeviceChoice,
    },
    /// What would loading this model take? Reads configuration and headers only. Final event: [`Event::Preflight`].
    Preflight {
        /// Which model.
        model: ModelRef,
        /// What a GPU shall hold its matrices in; what suits it when absent.
        #[serde(default)]
        precision: Option<Precision>,
    },
    /// Load a model in place of the present one; edits are gone with it. [`Event::Loading`] …, final [`Event::Loaded`].
    Load {
        /// Which model. Files travel beside the message.
        model: ModelRef,
        /// What a GPU shall hold its matrices in; what suits it when absent.
        #[serde(default)]
        precision: Option<Precision>,
    },
    /// Tokens of a prompt. Final event: [`Event::Tokenized`].
    Tokenize {
        /// The prompt.
        prompt: String,
        /// The subject, as it is written in the prompt.
        subject: String,
    },
    /// What the model says after a prompt, greedily. Final event: [`Event::Spoken`].
    Speak {
        /// The prompt.
        prompt: String,
        /// Tokens at most.
        tokens: usize,
    },
    /// The most probable next tokens with what a cell of a fact's maps puts back. Final event: [`Event::Words`].
    PutBack {
        /// The fact; the prompts of the one that was traced last are at hand.
        question: Question,
        /// Which map.
        site: MapSite,
        /// Position in the corrupted prompt.
        position: usize,
        /// Layer, from 1.
        layer: usize,
    },
    /// What the clean run of a fact holds after each layer. Final event: [`Event::Forward`].
    Forward {
        /// The fact; the prompts of the one that was traced last are at hand.
        question: Question,
    },
    /// Trace one fact. [`Event::Runs`] and [`Event::Traced`] once per-layer values are there, [`Event::MapRow`] …, [`Event::Lens`],
    /// [`Event::Redundancy`] …, final [`Event::Trace`].
    Trace(Question),
    /// Rewrite a fact and keep the edit in force. [`Event::Loss`] …, final [`Event::Edited`].
    Edit(EditCommand),
    /// Trace both answers of an edit in force, without it and with it; the other edits stay in force. Maps are made whatever the
    /// question says. Final event: [`Event::Retraced`].
    Retrace {
        /// The edit's number.
        edit: u32,
        /// Its fact, with both answers.
        question: Question,
    },
    /// Undo an edit; the others stay. Final event: [`Event::Undone`].
    Undo {
        /// The edit's number; all of them when absent.
        edit: Option<u32>,
    },
    /// The edits in force as one safetensors file. Final event: [`Event::File`], the bytes beside it.
    Delta,
    /// The edits in force as an adapter of PEFT, both of its files in a zip archive. Final event: [`Event::File`], the bytes
    /// beside it.
    Adapter,
    /// A script that computes a cell of a fact's maps again with PyTorch and transformers. Final event: [`Event::File`], the
    /// bytes beside it.
    Script {
        /// The fact.
        question: Question,
        /// Which map.
        site: MapSite,
        /// Position in the corrupted prompt.
        position: usize,
        /// Layer, from 1.
        layer: usize,
    },
    /// Run or go on with a study of the loaded model. [`Event::StudyHeader`], then [`Event::Fact`] …,
    /// final [`Event::Study`]. A cancelled study is paused: its journal stays.
    Study(StudyCommand),
    /// Studies that are kept in the browser. Final event: [`Event::Studies`].
    Studies,
    /// The record of a kept study, finished or not. Final event: [`Event::Study`].
    OpenStudy {
        /// Its key.
        key: String,
    },
    /// Follow a study that runs, whoever began it: what it has so far in [`Event::StudyHeader`], what it finishes, final
    /// [`Event::Study`]. Cancelling this stops the following alone.
    WatchStudy {
        /// Its key.
        key: String,
    },
    /// Pause a study that runs, whoever began it. Final event: [`Event::Studies`].
    PauseStudy {
        /// Its key.
        key: String,
    },
    /// Forget a kept study. Final event: [`Event::Studies`].
    DropStudy {
        /// Its key.
        key: String,
    },
    /// Models that are kept in the browser. Final event: [`Event::Cache`].
    Cache,
    /// Delete a kept model; all of them when absent. Final event: [`Event::Cache`].
    DropCached {
        /// Its key.
        key: Option<String>,
    },
    /// Stop a request; it ends with [`Event::Failed`] of kind `cancelled`. This request itself has no answer.
    Cancel {
        /// The request's id.
        request: u32,
    },
}

/// One fact to trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The prompt; `{}` stands for the subject, which may also be written out.
    pub prompt: String,
    /// The subject, as it is written in the prompt.
    pub subject: String,
    /// True answer; the model's own next word when absent.
    #[serde(default)]
    pub target: Option<String>,
    /// The answer to hold it against; the model's most probable other token when absent.
    #[serde(default)]
    pub target_new: Option<String>,
    /// How the subject is corrupted. An empty replacement is chosen here: a name with as many tokens as the subject.
    pub corruption: Corruption,
    /// Patch positions.
    #[serde(rename = "readings")]
    pub positions: Vec<PatchPosition>,
    /// Window of the MLP and attention maps, in layers; 0 for the model's usual one.
    pub window: usize,
    /// Whether the token × layer maps are wanted; they cost most of the time.
    pub maps: bool,
}

/// One fact to rewrite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EditCommand {
    /// The prompt; `{}` stands for the subject, which may also be written out.
    pub prompt: String,
    /// The subject, as it is written in the prompt.
    pub subject: String,
    /// Answer that the model gives now.
    pub target: String,
    /// Answer that it should give.
    pub target_new: String,
    /// Block to edit, `1..=L`; the fact's dominant layer under subject-last when absent.
    pub layer: Option<usize>,
    /// How the edit is found.
    pub method: EditMethod,
    /// Seed of the search.
    pub seed: u64,
}

/// An engine's message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The request that it is about; 0 for none.
    pub id: u32,
    /// What there is to tell.
    pub news: Event,
}

/// What an engine can tell. Tagged from outside, `{"device": {…}}`: serde reads every other form by way of a generic value,
/// which makes the page's program a good deal larger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Who answers.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Program and version.
        program: String,
    },
    /// The request is begun; those before it are done.
    Begun,
    /// The device.
    Device(DeviceReport),
    /// What loading would take.
    Preflight(Preflight),
    /// How far loading is.
    Loading(Phase),
    /// The model is loaded.
    Loaded(Box<Loaded>),
    /// Tokens of a prompt.
    Tokenized(Tokenized),
    /// What the model said.
    Spoken(Spoken),
    /// The per-layer values of a trace: a record of one fact without maps, lens and redundancy.
    Traced(Box<Record>),
    /// The most probable next tokens of a trace's clean and corrupted run.
    Runs {
        /// The clean run's.
        clean: Vec<Word>,
        /// The corrupted run's.
        corrupt: Vec<Word>,
    },
    /// The most probable next tokens.
    Words(Vec<Word>),
    /// The clean run after each layer, from the first.
    Forward(Vec<AfterLayer>),
    /// One row of a token × layer map, `L` values.
    MapRow {
        /// Which map.
        site: MapSite,
        /// Position in the corrupted prompt.
        position: usize,
        /// `p_patch` per layer.
        values: Vec<f32>,
    },
    /// The logit lens of a trace.
    Lens(Lens),
    /// The second pass of a trace.
    Redundancy {
        /// Patch position.
        #[serde(rename = "reading")]
        position: PatchPosition,
        /// Raw values.
        curve: RedundancyCurve,
    },
    /// A whole trace: the record of one fact, and what it cost.
    Trace {
        /// The record.
        record: Box<Record>,
        /// What the model itself says next.
        greedy: String,
        /// What it cost.
        cost: Cost,
    },
    /// A step of an edit's optimization.
    Loss {
        /// Steps done.
        step: usize,
        /// Of how many.
        of: usize,
        /// `logit(y_true) - logit(y_false)` after them.
        loss: f32,
    },
    /// An edit is in force.
    Edited(Box<Edited>),
    /// Both answers of an edit, traced without it and with it.
    Retraced(Box<Retraced>),
    /// Edits were undone.
    Undone {
        /// Numbers of the edits that are still in force, oldest first.
        left: Vec<u32>,
        /// The weights without edits are bit for bit the loaded ones.
        restored: bool,
    },
    /// A file, whose bytes travel beside the message.
    File {
        /// A name to save it under.
        name: String,
    },
    /// A study begins or goes on: all that it has so far.
    StudyHeader {
        /// Its key in the browser's storage.
        key: String,
        /// The record so far.
        record: Box<Record>,
        /// What of an earlier run's journal was lost, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A fact of a study is finished.
    Fact(Box<FactRecord>),
    /// The second pass of a study's fact.
    StudyRedundancy(RedundancyLine),
    /// An edit of a study is measured and undone.
    StudyEdit(Box<EditRecord>),
    /// How far a study's phase is.
    Progress {
        /// The phase.
        phase: StudyPhase,
        /// Done.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// A study's record, whole unless it is said to be unfinished.
    Study {
        /// Its key.
        key: String,
        /// Everything that was asked for is in it.
        finished: bool,
        /// The record.
        record: Box<Record>,
    },
    /// Studies that are kept.
    Studies {
        /// One each, newest first.
        studies: Vec<Saved>,
    },
    /// Models that are kept.
    Cache {
        /// One each.
        models: Vec<Cached>,
        /// Bytes that this site uses, when the browser tells.
        used: Option<u64>,
        /// Bytes that it may use.
        quota: Option<u64>,
    },
    /// The request failed, or was cancelled.
    Failed(Failure),
    /// The engine itself is gone (lost device, crash): a new one is needed. Sent with id 0.
    Fatal(Failure),
}

impl Event {
    /// Nothing more follows for this request.
    pub fn is_final(&self) -> bool {
        !matches!(
            self,
            Self::Begun
                | Self::Loading(_)
                | Self::Traced(_)
                | Self::Runs { .. }
                | Self::MapRow { .. }
                | Self::Lens(_)
                | Self::Redundancy { .. }
                | Self::Loss { .. }
                | Self::StudyHeader { .. }
                | Self::Fact(_)
                | Self::StudyRedundancy(_)
                | Self::StudyEdit(_)
                | Self::Progress { .. }
        )
    }
}

/// A message as JSON.
///
/// # Errors
/// On a number that is not finite, which JSON cannot hold.
pub fn to_json(message: &impl Serialize) -> crate::Result<String> {
    serde_json::to_string(message).map_err(|error| crate::Error::numeric(format!("a message cannot be sent: {error}")))
}

/// Reads a message.
///
/// # Errors
/// On anything that is not one, naming the place in it.
pub fn from_json<T: for<'de> Deserialize<'de>>(text: &str) -> crate::Result<T> {
    // From bytes, as records are read: each kind of source has a decoder of its own in the page's program.
    serde_json::from_slice(text.as_bytes()).map_err(|error| {
        crate::Error::input(format!("a message cannot be read: {error}"))
            .hint("reload the page: it and its engine are of different versions")
    })
}

#[cfg(test)]
mod tests;
