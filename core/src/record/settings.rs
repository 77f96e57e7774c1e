//! What decides a study's numbers.

use super::read::{self, MOST_TOKENS};
use super::{EditSettings, PatchPosition};
use serde::{Deserialize, Serialize};

/// The settings of a study (METHODS, sections 1 to 4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Settings {
    /// Validated facts wanted.
    pub n: usize,
    /// Seed of the fact order and, hashed with each fact's id, of every draw.
    pub seed: u64,
    /// How the subject is corrupted.
    pub corruption: Corruption,
    /// What the answer's probability is.
    pub answer: Answer,
    /// Smallest `p_clean - p_corrupt` of a validated fact.
    pub min_effect: f32,
    /// Longest prompt in tokens; longer ones are dropped as `too-long`.
    pub max_tokens: usize,
    /// Patch positions, in the order in which they are shown.
    #[serde(rename = "readings", deserialize_with = "read::list::<_, _, MOST_TOKENS>")]
    pub positions: Vec<PatchPosition>,
    /// Stages that were asked for.
    #[serde(deserialize_with = "read::list::<_, _, MOST_TOKENS>")]
    pub stages: Vec<u8>,
    /// Token × layer maps for this many facts (the first validated ones).
    pub maps: usize,
    /// Window in layers of the MLP and attention maps. 0 before a study or trace begins: by the model's depth, see
    /// [`Settings::window_of`].
    pub window: usize,
    /// Facts screened at a time. Part of the settings because a batch's shape moves the last bits of a float.
    pub screen_batch: usize,
    /// Facts traced at a time, for the same reason.
    pub trace_batch: usize,
    /// Rows (token positions) computed at a time, for the same reason.
    pub rows: usize,
    /// Stage 3.
    pub edit: EditSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            n: 100,
            seed: 42,
            corruption: Corruption::Replace { with: "Random Person".into() },
            answer: Answer::FirstToken,
            min_effect: 0.05,
            max_tokens: 128,
            positions: vec![PatchPosition::SubjectLast, PatchPosition::LastToken],
            stages: vec![1, 2, 3],
            maps: 0,
            window: 0,
            screen_batch: 32,
            trace_batch: 4,
            rows: 2048,
            edit: EditSettings::default(),
        }
    }
}

impl Settings {
    /// The window of a model of so many layers: the one that is set, or else [`Settings::usual_window`].
    pub fn window_of(&self, layers: usize) -> usize {
        match self.window {
            0 => Self::usual_window(layers),
            window => window,
        }
    }

    /// The published window of 10 layers where a model has 30 or more; in a shallower one the largest odd number up to a
    /// third of its layers, so that layers can be told apart and the window has a middle.
    pub fn usual_window(layers: usize) -> usize {
        match layers / 3 {
            0 => 1,
            10.. => 10,
            third => third - (third + 1) % 2,
        }
    }
}

/// How the subject is corrupted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema), schemars(!try_from))]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "read::FlatCorruption")]
pub enum Corruption {
    /// The subject's characters are replaced by a text and the prompt is tokenized again.
    Replace {
        /// The text, `Random Person` in the paper.
        with: String,
    },
    /// Gaussian noise on the subject's token embeddings, the same draws for every cell of a fact.
    Noise {
        /// In units of σ, 3 in Meng et al. 2022.
        sigmas: f32,
        /// Paired draws.
        draws: usize,
        /// Measured σ over the fact list; filled when the study starts.
        sigma: f32,
    },
}

/// What `p(y)` means for an answer of several tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Probability of the first answer token.
    FirstToken,
    /// Geometric mean token probability under teacher forcing.
    Sequence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_depth() {
        let usual = [1, 2, 3, 6, 8, 9, 12, 14, 15, 24, 26, 29, 30, 32, 80]
            .map(|layers| (layers, Settings::usual_window(layers)));
        for (layers, window) in usual {
            let third = (layers / 3).max(1);
            match layers {
                30.. => assert_eq!(window, 10, "{layers} layers: as published"),
                _ => assert!(
                    window % 2 == 1 && window <= third && window + 2 > third,
                    "{layers} layers: {window} is not the largest odd number up to {third}"
                ),
            }
        }
        assert_eq!(Settings::default().window_of(8), 1);
        assert_eq!(Settings { window: 10, ..Settings::default() }.window_of(8), 10, "what is asked for is done");
    }
}
