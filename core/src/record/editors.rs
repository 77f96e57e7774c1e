//! Settings of the methods that edit.

use serde::{Deserialize, Serialize};

/// Simultaneous perturbation (Spall 1992): steps along random directions, sized by two evaluations of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Spsa {
    /// Steps.
    pub steps: usize,
    /// Perturbation ε, in the units of the MLP's value.
    pub epsilon: f32,
    /// Step size η.
    pub eta: f32,
}

impl Default for Spsa {
    fn default() -> Self {
        Self { steps: 250, epsilon: 5e-3, eta: 5.0 }
    }
}

/// A rank-one update with a value that gradients find.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Rome {
    /// Which keys it takes.
    pub key: EditKey,
    /// The key's direction is `C⁻¹ k`; else `C` is the identity and it is `k`.
    pub covariance: bool,
    /// Where the search for v* starts.
    #[serde(default, skip_serializing_if = "SearchStart::is_zero")]
    pub start: SearchStart,
    /// How v* is searched.
    #[serde(flatten)]
    pub search: ValueSearch,
}

impl Default for Rome {
    fn default() -> Self {
        Self { key: EditKey::Averaged, covariance: true, start: SearchStart::Zero, search: ValueSearch::default() }
    }
}

/// Many facts at once, over several layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Memit {
    /// Layers that are changed, the edited one the last of them.
    pub layers: usize,
    /// Weight λ of the second moment beside the facts' own keys; 0 for the width of a key, filled in when the study starts.
    pub lambda: f32,
    /// How the activations are searched.
    #[serde(flatten)]
    pub search: ValueSearch,
}

impl Default for Memit {
    fn default() -> Self {
        Self { layers: 5, lambda: 0.0, search: ValueSearch { clamp: 0.75, ..ValueSearch::default() } }
    }
}

/// Batches of facts, one after the other, each in directions that other keys leave out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct AlphaEdit {
    /// Layers that are changed, the edited one the last of them.
    pub layers: usize,
    /// Facts of a batch.
    pub batch: usize,
    /// Eigenvalues of the second moment below it span the null space; 0 for the lower three quarters of them.
    pub threshold: f32,
    /// Ridge L₂.
    pub l2: f32,
    /// How the activations are searched.
    #[serde(flatten)]
    pub search: ValueSearch,
}

impl Default for AlphaEdit {
    fn default() -> Self {
        let search = ValueSearch { steps: 25, lr: 0.1, clamp: 0.75, ..ValueSearch::default() };
        Self { layers: 5, batch: 100, threshold: 0.0, l2: 10.0, search }
    }
}

/// Which keys a rank-one update takes: one for its direction, one for which the new value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EditKey {
    /// Direction from the mean over context prefixes, value at the bare prompt's key (ROME as published).
    Published,
    /// The mean for both (R-ROME).
    Averaged,
    /// The bare prompt's for both.
    Prompt,
}

impl EditKey {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Averaged => "averaged",
            Self::Prompt => "prompt",
        }
    }
}

/// Where a search for v* starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SearchStart {
    /// At the value as it is: δ is zero.
    #[default]
    Zero,
    /// At the value of the nearest known fact of the same relation whose answer is the wanted one; as it is where there is none.
    Neighbour,
}

impl SearchStart {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_zero(&self) -> bool {
        *self == Self::Zero
    }
}

/// Search for v* by gradients (Meng et al. 2022, appendix E.5, as their code has it): Adam on
/// `NLL + kl · KL + decay · ‖δ‖ / ‖v‖²`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct ValueSearch {
    /// Evaluations of the loss; the last one takes no step.
    pub steps: usize,
    /// Adam's learning rate.
    pub lr: f32,
    /// Weight of `‖δ‖ / ‖v‖²`.
    pub decay: f32,
    /// Weight of the divergence of what follows "{subject} is a".
    pub kl: f32,
    /// Largest `‖δ‖ / ‖v‖`.
    pub clamp: f32,
    /// A loss below this ends the search.
    pub stop: f32,
}

impl ValueSearch {
    /// What is no count, by name.
    pub(super) fn numbers(&mut self) -> Vec<(&'static str, &mut f32)> {
        let Self { lr, decay, kl, clamp, stop, .. } = self;
        vec![("lr", lr), ("decay", decay), ("kl", kl), ("clamp", clamp), ("stop", stop)]
    }
}

impl Default for ValueSearch {
    fn default() -> Self {
        Self { steps: 20, lr: 0.5, decay: 0.5, kl: 0.0625, clamp: 4.0, stop: 0.05 }
    }
}

/// Fine-tuning on the new answer alone (FT-M): Adam on every weight of the layer's `down_proj`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct FineTuning {
    /// Most steps.
    pub steps: usize,
    /// Adam's learning rate.
    pub lr: f32,
    /// A loss below this ends it.
    pub stop: f32,
}

impl Default for FineTuning {
    fn default() -> Self {
        Self { steps: 25, lr: 5e-4, stop: 1e-2 }
    }
}

/// The same on a low-rank change (Hu et al. 2022): `ΔW = (alpha / rank) B A`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Lora {
    /// Rows of `A`, columns of `B`.
    pub rank: usize,
    /// `alpha / rank` scales the change.
    pub alpha: f32,
    /// How both are trained.
    #[serde(flatten)]
    pub tuning: FineTuning,
}

impl Default for Lora {
    fn default() -> Self {
        Self { rank: 8, alpha: 32.0, tuning: FineTuning { steps: 70, lr: 3e-4, stop: 1e-2 } }
    }
}

/// All facts at once from one gradient of each (Gu et al. 2025): a ridge regression, no search.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct UltraEdit {
    /// How far along the gradients; 0 for one over the width of a key, filled in when the study starts.
    pub lr: f32,
}
