//! How an edit is found: the methods, each with its own settings.

use serde::{Deserialize, Serialize};

/// How an edit is found, with the method's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "Written")]
pub enum EditMethod {
    /// ROME's rank-one update towards a value that SPSA has found.
    Spsa(Spsa),
    /// ROME (Meng et al. 2022), and R-ROME (Gupta et al. 2024), which takes one key throughout.
    Rome(Rome),
}

impl Default for EditMethod {
    fn default() -> Self {
        Self::Spsa(Spsa::default())
    }
}

impl From<Spsa> for EditMethod {
    fn from(spsa: Spsa) -> Self {
        Self::Spsa(spsa)
    }
}

impl From<Rome> for EditMethod {
    fn from(rome: Rome) -> Self {
        Self::Rome(rome)
    }
}

impl EditMethod {
    /// The method with its usual settings, by its name on a command line.
    pub fn named(name: &str) -> Option<Self> {
        let keys = |key| Self::Rome(Rome { key, ..Rome::default() });
        Some(match name {
            "spsa" => Self::Spsa(Spsa::default()),
            "rome" => keys(EditKey::Published),
            "r-rome" => keys(EditKey::Averaged),
            "p-rome" => keys(EditKey::Prompt),
            _ => return None,
        })
    }

    /// Every name that [`Self::named`] knows.
    pub const NAMES: [&str; 4] = ["spsa", "rome", "r-rome", "p-rome"];

    /// Its name on a command line and in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Spsa(_) => "spsa",
            Self::Rome(Rome { key: EditKey::Published, .. }) => "rome",
            Self::Rome(Rome { key: EditKey::Averaged, .. }) => "r-rome",
            Self::Rome(Rome { key: EditKey::Prompt, .. }) => "p-rome",
        }
    }

    /// Its name for people, with what distinguishes it from the published method.
    pub fn title(&self) -> String {
        match self {
            Self::Spsa(_) => "SPSA".into(),
            Self::Rome(rome) => {
                let identity = if rome.covariance { "" } else { ", C = I" };
                format!("{}{identity}", self.name().to_uppercase())
            }
        }
    }

    /// Most steps of its search.
    pub fn steps(&self) -> usize {
        match self {
            Self::Spsa(spsa) => spsa.steps,
            Self::Rome(rome) => rome.search.steps,
        }
    }

    /// Sets the most steps of its search.
    pub fn set_steps(&mut self, steps: usize) {
        match self {
            Self::Spsa(spsa) => spsa.steps = steps,
            Self::Rome(rome) => rome.search.steps = steps,
        }
    }

    /// Its settings that are no counts, by their names.
    pub fn numbers(&self) -> Vec<(&'static str, f32)> {
        match self {
            Self::Spsa(Spsa { epsilon, eta, .. }) => vec![("epsilon", *epsilon), ("eta", *eta)],
            Self::Rome(Rome { search: ValueSearch { lr, decay, kl, clamp, stop, .. }, .. }) => {
                vec![("lr", *lr), ("decay", *decay), ("kl", *kl), ("clamp", *clamp), ("stop", *stop)]
            }
        }
    }

    /// Sets one of these; one that the method does not have stays as it is.
    pub fn set(&mut self, name: &str, value: f32) {
        let place = match self {
            Self::Spsa(spsa) => match name {
                "epsilon" => &mut spsa.epsilon,
                "eta" => &mut spsa.eta,
                _ => return,
            },
            Self::Rome(Rome { search, .. }) => match name {
                "lr" => &mut search.lr,
                "decay" => &mut search.decay,
                "kl" => &mut search.kl,
                "clamp" => &mut search.clamp,
                "stop" => &mut search.stop,
                _ => return,
            },
        };
        *place = value;
    }

    /// Takes `C` for the key's direction, or the identity.
    pub fn set_covariance(&mut self, on: bool) {
        if let Self::Rome(rome) = self {
            rome.covariance = on;
        }
    }

    /// It follows gradients: a fact is editable however improbable the new answer is.
    pub fn has_gradients(&self) -> bool {
        !matches!(self, Self::Spsa(_))
    }

    /// It averages over context prefixes.
    pub fn needs_contexts(&self) -> bool {
        self.has_gradients()
    }

    /// It needs the second moment of the edited layer's keys.
    pub fn needs_second_moment(&self) -> bool {
        matches!(self, Self::Rome(rome) if rome.covariance)
    }
}

/// Simultaneous perturbation (Spall 1992): steps along random directions, sized by two evaluations of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
pub struct Rome {
    /// Which keys it takes.
    pub key: EditKey,
    /// The key's direction is `C⁻¹ k`; else `C` is the identity and it is `k`.
    pub covariance: bool,
    /// How v* is searched.
    #[serde(flatten)]
    pub search: ValueSearch,
}

impl Default for Rome {
    fn default() -> Self {
        Self { key: EditKey::Averaged, covariance: true, search: ValueSearch::default() }
    }
}

/// Which keys a rank-one update takes: one for its direction, one for which the new value is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// Search for v* by gradients (Meng et al. 2022, appendix E.5, as their code has it): Adam on
/// `NLL + kl · KL + decay · ‖δ‖ / ‖v‖²`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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

impl Default for ValueSearch {
    fn default() -> Self {
        Self { steps: 20, lr: 0.5, decay: 0.5, kl: 0.0625, clamp: 4.0, stop: 0.05 }
    }
}

/// A method as it is written, all methods' settings side by side: a tagged type would be read by way of a tree of values.
#[derive(Deserialize)]
struct Written {
    kind: Kind,
    steps: Option<usize>,
    epsilon: Option<f32>,
    eta: Option<f32>,
    key: Option<EditKey>,
    covariance: Option<bool>,
    lr: Option<f32>,
    decay: Option<f32>,
    kl: Option<f32>,
    clamp: Option<f32>,
    stop: Option<f32>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Spsa,
    Rome,
}

impl TryFrom<Written> for EditMethod {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        fn given<T>(value: Option<T>, what: &str) -> Result<T, String> {
            value.ok_or_else(|| format!("edit.method has no {what}"))
        }
        let Written { kind, steps, epsilon, eta, key, covariance, lr, decay, kl, clamp, stop } = written;
        let steps = given(steps, "steps")?;
        Ok(match kind {
            Kind::Spsa => Spsa { steps, epsilon: given(epsilon, "epsilon")?, eta: given(eta, "eta")? }.into(),
            Kind::Rome => Rome {
                key: given(key, "key")?,
                covariance: given(covariance, "covariance")?,
                search: ValueSearch {
                    steps,
                    lr: given(lr, "lr")?,
                    decay: given(decay, "decay")?,
                    kl: given(kl, "kl")?,
                    clamp: given(clamp, "clamp")?,
                    stop: given(stop, "stop")?,
                },
            }
            .into(),
        })
    }
}
