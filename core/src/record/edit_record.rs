//! One edit of Stage 3 and what it does, as raw values.

use super::read::{self, MOST_STEPS};
use super::{Retrace, is_zero};
use serde::{Deserialize, Serialize};

/// One edit of Stage 3.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct EditRecord {
    /// `order` of the fact.
    pub fact: usize,
    /// Edited block, `1..=L`.
    pub layer: usize,
    /// Seed of the method's draws.
    pub seed: u64,
    /// `p(true)` before.
    pub p_true: f32,
    /// `p(false)` before.
    pub p_false: f32,
    /// `p(true)` with the edited weights.
    pub p_true_after: f32,
    /// `p(false)` with the edited weights.
    pub p_false_after: f32,
    /// SPSA: `logit(y_true) - logit(y_false)` before each step and after the last (steps + 1 entries). Gradients: the whole
    /// loss at each step.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub loss: Vec<f32>,
    /// `‖v* - v‖ / ‖v‖`.
    pub relative_change: f32,
    /// `max |W'k - v*| / max |v*|`, measured on the edited weights.
    pub residual: f32,
    /// The weights after the restoration are bit for bit those before the edit.
    pub restored: bool,
    /// Paraphrases: `p(true), p(false)` before and after.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub paraphrases: Vec<Shift>,
    /// Neighbourhood prompts (same true answer, another subject): before and after.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub neighbourhood: Vec<Shift>,
    /// Neighbourhood prompts behind the edited statement ("{prompt} {new answer}. {neighbour}", CounterFact+): before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub neighbourhood_plus: Vec<Shift>,
    /// What the model writes about the subject.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub generations: Vec<Generation>,
    /// Id of the new answer, such as `Q90`; empty where the facts have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_new_id: String,
    /// Prompts whose answers follow from the new one.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub portability: Vec<ImpliedAnswer>,
    /// Unrelated facts.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub unrelated: Vec<Unrelated>,
    /// Which of the settings' methods made it: its place among them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub method: usize,
    /// Whole answers after the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// `‖ΔW‖ / ‖W‖` (Frobenius) of the edited matrix; of several, the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_norm: Option<f32>,
    /// How gradients found the new value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// The losses of its search are left out (`loss`, `search.nll` and `search.kl` are empty): an extract, as large pages
    /// carry it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_losses: bool,
    /// Both answers traced again, where the settings ask for it and the edit is at the fact's dominant layer or its only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrace: Option<Box<Retrace>>,
    /// Why there is no edit: everything after is as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl EditRecord {
    /// Whether it is the edit of this method, fact (its `order`) and layer: a study has one of each.
    pub fn is_of(&self, method: usize, fact: usize, layer: usize) -> bool {
        (self.method, self.fact, self.layer) == (method, fact, layer)
    }
}

/// Both answers on one prompt with all of their tokens, teacher-forced; before and after an edit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Answers {
    /// Mean `-log p` of the true answer's tokens, in nats; at most 87.3, where f32 ends.
    pub nll_true: [f32; 2],
    /// The same of the new answer's.
    pub nll_new: [f32; 2],
    /// Tokens of the true answer that are the most probable ones where they stand.
    pub argmax_true: [usize; 2],
    /// The same of the new answer's.
    pub argmax_new: [usize; 2],
    /// Tokens of the true and of the new answer.
    pub tokens: [usize; 2],
    /// Positions of the true answer whose most probable token is the same before and after.
    pub kept: usize,
}

/// How gradients found an edit: the value to store and the update that stores it, or the weights themselves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Search {
    /// `‖v‖`, the value before.
    pub value_norm: f32,
    /// `‖δ‖`, what the search added to it; where weights were trained, what they add to it.
    pub delta_norm: f32,
    /// `order` of the known fact whose value the search started from; absent where it started from zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbour: Option<usize>,
    /// Steps after which δ was cut back to its largest length.
    pub clamped: usize,
    /// `kᵀu`, the key on the unit direction of a rank-one update: near zero, the update is huge ("division factor").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<f32>,
    /// `‖Λ‖`, the other factor of a rank-one update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_norm: Option<f32>,
    /// Where several layers are edited: how far the activation is from the one that was searched, in its own length, before
    /// each layer's update and after the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub missing: Vec<f32>,
    /// The loss' part of the new answer at each step: mean `-log p` over contexts and tokens.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub nll: Vec<f32>,
    /// The divergence at each step, unweighted; empty where none is weighed.
    #[serde(deserialize_with = "read::list::<_, _, MOST_STEPS>")]
    pub kl: Vec<f32>,
}

/// The answer to a prompt that follows from the new one, teacher-forced, before and after an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct ImpliedAnswer {
    /// The prompt.
    pub prompt: String,
    /// Its answer where the edited fact holds.
    pub answer: String,
    /// Tokens of the answer that are the most probable ones where they stand.
    pub argmax: [usize; 2],
    /// Tokens of the answer.
    pub tokens: usize,
}

/// A text of the model's own, before and after an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Generation {
    /// What it begins with.
    pub prompt: String,
    /// The whole texts, the beginning included: before and after.
    pub texts: [String; 2],
}

/// Two answers' probabilities on one prompt, before and after an edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Shift {
    /// The prompt.
    pub prompt: String,
    /// `p(true)` before and after.
    pub p_true: [f32; 2],
    /// `p(false)` before and after.
    pub p_false: [f32; 2],
    /// Whole answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
}

/// An unrelated fact's true answer before and after an edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Unrelated {
    /// `order` of the fact.
    pub fact: usize,
    /// `p(true)` before and after.
    pub p_true: [f32; 2],
    /// The most probable token changed.
    pub flipped: bool,
}
