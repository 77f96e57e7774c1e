//! What is answered about prompts, edits and failures.

use crate::Kind;
use crate::record::EditRecord;
use serde::{Deserialize, Serialize};

pub use crate::record::Lens;

/// A token of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Id in the vocabulary.
    pub id: u32,
    /// Its piece of text, or its name.
    pub text: String,
    /// It overlaps the subject.
    pub subject: bool,
}

/// A prompt as tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tokenized {
    /// Tokens, special ones included.
    pub tokens: Vec<Token>,
    /// What a user should know: why the subject has no tokens of its own, or that a typed BOS is not doubled.
    pub problem: Option<String>,
}

/// A token that may come next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// Its piece of text, or its name.
    pub text: String,
    /// Its probability.
    pub p: f32,
}

/// The clean run of a fact after a layer, at the prompt's last token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AfterLayer {
    /// The most probable next tokens if the head read the residual stream here (logit lens).
    pub words: Vec<Word>,
    /// For each head of the layer, its attention weights over the prompt's tokens: `[heads][tokens]`.
    pub attention: Vec<Vec<f32>>,
}

/// A greedy continuation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spoken {
    /// The prompt.
    pub prompt: String,
    /// What comes after it.
    pub said: String,
}

/// Which token × layer map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapSite {
    /// Residual stream after a block.
    Residual,
    /// MLP contributions in a window.
    Mlp,
    /// Attention contributions in a window.
    Attention,
}

/// What a trace cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds of computation.
    pub seconds: f64,
    /// The prompts' activations were still there from an earlier run.
    pub cached: bool,
}

/// An edit in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edited {
    /// Its number, from 1.
    pub edit: u32,
    /// The edited matrix's name in the checkpoint.
    pub tensor: String,
    /// The prompt.
    pub prompt: String,
    /// The subject.
    pub subject: String,
    /// The answer that the model gave.
    pub target: String,
    /// The answer that it should give.
    pub target_new: String,
    /// Everything that was measured: the prompt, paraphrases, neighbours, unrelated facts.
    pub record: EditRecord,
    /// Prompts of the record's unrelated facts, in its order, each with its true answer.
    pub unrelated: Vec<(String, String)>,
    /// A continuation of the prompt before and after.
    pub said: [String; 2],
    /// Frobenius norm of the update over that of the matrix.
    pub relative_norm: f32,
    /// Seconds that it took.
    pub seconds: f64,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// What was asked for is wrong.
    Input,
    /// Files or the network.
    Io,
    /// Too little memory.
    Memory,
    /// The device is lost, missing, or computes wrong numbers.
    Device,
    /// An impossible number.
    Numeric,
    /// Somebody asked the work to stop.
    Cancelled,
    /// The engine has stopped.
    Crash,
    /// One that only a newer engine knows.
    #[serde(other)]
    Unknown,
}

impl FailureKind {
    /// The name that people read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Io => "io",
            Self::Memory => "memory",
            Self::Device => "device",
            Self::Numeric => "numeric",
            Self::Cancelled => "cancelled",
            Self::Crash => "crash",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Kind> for FailureKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Input => Self::Input,
            Kind::Io => Self::Io,
            Kind::Memory => Self::Memory,
            Kind::Device => Self::Device,
            Kind::Numeric => Self::Numeric,
            Kind::Cancelled => Self::Cancelled,
        }
    }
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What is wrong, and where.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl From<&crate::Error> for Failure {
    fn from(error: &crate::Error) -> Self {
        let hint = error.page_step().map(str::to_owned);
        Self { kind: error.kind.into(), message: error.message().into(), hint }
    }
}

impl Failure {
    /// Somebody asked the work to stop.
    pub fn cancelled(&self) -> bool {
        self.kind == FailureKind::Cancelled
    }
}
