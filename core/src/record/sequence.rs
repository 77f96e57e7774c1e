//! Facts edited one after the other, nothing undone: what each step found, and what the model was after some of them.

use super::read::{self, MOST_STEPS};
use super::{EditRecord, Search, Unrelated, is_zero};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most sequences of one study: methods times layers.
pub(super) const MOST_SEQUENCES: usize = 1_000_000;

/// Edits by one method that stay in force, each found on the model that those before it left.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Sequence {
    /// Which of the settings' methods: its place among them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub method: usize,
    /// The layer at which all facts are edited; absent where each is edited at its dominant one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Its steps, in their order.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub steps: Vec<SequenceStep>,
    /// What the model was after some of them.
    #[serde(default, deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub checkpoints: Vec<Checkpoint>,
}

/// Facts that were edited at once: one, or a batch of a method that edits many.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct SequenceStep {
    /// The edits.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub edits: Vec<SequenceEdit>,
    /// The change of the weights, so that a study that was stopped goes on without a second search: a file of
    /// `--save-delta` in base64. Only in journals.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub change: String,
    /// By layer, keys that later edits of AlphaEdit spare: f64 in base64. Only in journals.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<usize, Vec<String>>,
}

impl SequenceStep {
    /// Lets go of what only a study that goes on needs.
    pub fn forget(&mut self) {
        self.change.clear();
        self.keys.clear();
    }
}

/// How an edit of a sequence was found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct SequenceEdit {
    /// `order` of the fact.
    pub fact: usize,
    /// Edited block, `1..=L`.
    pub layer: usize,
    /// The loss at each evaluation, as in [`EditRecord::loss`].
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub loss: Vec<f32>,
    /// `‖v* - v‖ / ‖v‖`, from the value that the edits before it left.
    pub relative_change: f32,
    /// `max |W'k - v*| / max |v*|`.
    pub residual: f32,
    /// `‖ΔW‖ / ‖W‖` of this change alone; of several matrices, the largest.
    pub relative_norm: f32,
    /// How gradients found the new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Why there is no edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// The model after so many edits of a sequence, beside the unedited one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Checkpoint {
    /// Edits in force.
    pub edits: usize,
    /// Why nothing could be measured: the model gives no finite numbers any more. The sequence ends here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// `‖ΔW‖ / ‖W‖` of all changes together; of several matrices, the largest.
    pub relative_norm: f32,
    /// Perplexity on the end of the text of `settings.edit.second_moment`, unedited and now; absent where there was no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<[f32; 2]>,
    /// Every fact that was edited so far, from the unedited model to this one: what its search found stands in the steps.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub edited: Vec<EditRecord>,
    /// Validated facts that the sequence does not edit.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub untouched: Vec<Unrelated>,
}
