//! Studies, as a page asks for them and hears of them.

use super::{Event, ModelRef};
use crate::record::{FactRecord, ModelInfo, Record, Settings};
use serde::{Deserialize, Serialize};

/// A study to run or to go on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyCommand {
    /// Facts file: its name, the bytes beside the message; the bundled facts when absent.
    pub facts: Option<String>,
    /// All settings of a new study.
    pub settings: Settings,
    /// A kept study to go on with; facts and settings are then those that it was begun with.
    #[serde(default)]
    pub key: Option<String>,
}

/// Phases of a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StudyPhase {
    /// Screening and Stage 1; counts validated facts.
    Trace,
    /// Redundancy; counts facts times patch positions.
    Redundancy,
    /// What MLPs of facts that are edited at several layers restore; counts facts.
    Mlp,
    /// Second moments of keys, for editors; counts tokens.
    SecondMoment,
    /// The search of editors; counts steps.
    Optimize,
    /// Edits.
    Edit,
}

/// A study that is kept in the browser.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Its key.
    pub key: String,
    /// Where its model came from, to load it again.
    pub model: ModelRef,
    /// The model's identity.
    pub info: ModelInfo,
    /// Name of the facts.
    pub facts: String,
    /// Validated facts so far.
    pub validated: usize,
    /// Wanted.
    pub n: usize,
    /// Edits so far.
    pub edits: usize,
    /// Everything is done.
    pub finished: bool,
    /// It is at work now.
    #[serde(default)]
    pub running: bool,
    /// When it was last written, in milliseconds since 1970.
    pub changed_ms: f64,
}

impl Event {
    /// Takes what a study has finished into its record so far; other events say nothing of it.
    pub fn put_into(&self, record: &mut Record) {
        match self {
            Self::Fact(fact) => match record.facts.iter_mut().find(|old| old.order == fact.order) {
                Some(old) => old.clone_from(fact),
                None => record.facts.push((**fact).clone()),
            },
            Self::StudyRedundancy(line) => {
                let fact = record.facts.iter_mut().find(|fact| fact.order == line.fact);
                if let Some(traced) = fact.and_then(FactRecord::traced_mut) {
                    traced.redundancy.insert(line.position, line.curve.clone());
                }
            }
            Self::StudyEdit(edit) => {
                let edits = record.edits.get_or_insert_default();
                match edits.iter_mut().find(|old| old.is_of(edit.method, edit.fact, edit.layer)) {
                    Some(old) => old.clone_from(edit),
                    None => edits.push((**edit).clone()),
                }
            }
            _ => {}
        }
    }
}
