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
    /// MEMIT (Meng et al. 2023): many facts at once, over several layers.
    Memit(Memit),
    /// AlphaEdit (Fang et al. 2025): the same, batch after batch, in directions that other keys leave out.
    AlphaEdit(AlphaEdit),
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

impl From<Memit> for EditMethod {
    fn from(memit: Memit) -> Self {
        Self::Memit(memit)
    }
}

impl From<AlphaEdit> for EditMethod {
    fn from(alpha: AlphaEdit) -> Self {
        Self::AlphaEdit(alpha)
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
            "memit" => Self::Memit(Memit::default()),
            "alphaedit" => Self::AlphaEdit(AlphaEdit::default()),
            _ => return None,
        })
    }

    /// Every name that [`Self::named`] knows.
    pub const NAMES: [&str; 6] = ["spsa", "rome", "r-rome", "p-rome", "memit", "alphaedit"];

    /// Its name on a command line and in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Spsa(_) => "spsa",
            Self::Rome(Rome { key: EditKey::Published, .. }) => "rome",
            Self::Rome(Rome { key: EditKey::Averaged, .. }) => "r-rome",
            Self::Rome(Rome { key: EditKey::Prompt, .. }) => "p-rome",
            Self::Memit(_) => "memit",
            Self::AlphaEdit(_) => "alphaedit",
        }
    }

    /// Its name for people, with what distinguishes it from the published method.
    pub fn title(&self) -> String {
        match self {
            Self::Spsa(_) => "SPSA".into(),
            Self::Memit(_) => "MEMIT".into(),
            Self::AlphaEdit(_) => "AlphaEdit".into(),
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
            Self::Rome(Rome { search, .. }) | Self::Memit(Memit { search, .. }) => search.steps,
            Self::AlphaEdit(AlphaEdit { search, .. }) => search.steps,
        }
    }

    /// Sets the most steps of its search.
    pub fn set_steps(&mut self, steps: usize) {
        match self {
            Self::Spsa(spsa) => spsa.steps = steps,
            Self::Rome(Rome { search, .. })
            | Self::Memit(Memit { search, .. })
            | Self::AlphaEdit(AlphaEdit { search, .. }) => search.steps = steps,
        }
    }

    /// Its settings that are no counts, by their names.
    pub fn numbers(&self) -> Vec<(&'static str, f32)> {
        match self {
            Self::Spsa(Spsa { epsilon, eta, .. }) => vec![("epsilon", *epsilon), ("eta", *eta)],
            Self::Rome(rome) => rome.search.numbers().into(),
            Self::Memit(memit) => memit.search.numbers().into_iter().chain([("lambda", memit.lambda)]).collect(),
            Self::AlphaEdit(alpha) => {
                let own = [("threshold", alpha.threshold), ("l2", alpha.l2)];
                alpha.search.numbers().into_iter().chain(own).collect()
            }
        }
    }

    /// Sets one of these; one that the method does not have stays as it is.
    pub fn set(&mut self, name: &str, value: f32) {
        let place = match (self, name) {
            (Self::Spsa(spsa), "epsilon") => Some(&mut spsa.epsilon),
            (Self::Spsa(spsa), "eta") => Some(&mut spsa.eta),
            (Self::Memit(memit), "lambda") => Some(&mut memit.lambda),
            (Self::AlphaEdit(alpha), "threshold") => Some(&mut alpha.threshold),
            (Self::AlphaEdit(alpha), "l2") => Some(&mut alpha.l2),
            (Self::Rome(Rome { search, .. }) | Self::Memit(Memit { search, .. }), _)
            | (Self::AlphaEdit(AlphaEdit { search, .. }), _) => search.number(name),
            (Self::Spsa(_), _) => None,
        };
        if let Some(place) = place {
            *place = value;
        }
    }

    /// Layers that are edited together, where there are several, and facts that are edited at once.
    pub fn set_counts(&mut self, layers: Option<usize>, batch: Option<usize>) {
        match self {
            Self::Memit(memit) => memit.layers = layers.unwrap_or(memit.layers),
            Self::AlphaEdit(alpha) => {
                alpha.layers = layers.unwrap_or(alpha.layers);
                alpha.batch = batch.unwrap_or(alpha.batch);
            }
            Self::Spsa(_) | Self::Rome(_) => {}
        }
    }

    /// How many layers it edits, the asked one the last of them.
    pub fn layers(&self) -> usize {
        match self {
            Self::Memit(memit) => memit.layers,
            Self::AlphaEdit(alpha) => alpha.layers,
            Self::Spsa(_) | Self::Rome(_) => 1,
        }
    }

    /// Facts that are edited at once; 1 where each is edited alone.
    pub fn batch(&self) -> usize {
        match self {
            Self::AlphaEdit(alpha) => alpha.batch,
            Self::Spsa(_) | Self::Rome(_) | Self::Memit(_) => 1,
        }
    }

    /// All facts are edited together, and so at one layer.
    pub fn is_joint(&self) -> bool {
        matches!(self, Self::Memit(_) | Self::AlphaEdit(_))
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
        match self {
            Self::Spsa(_) => false,
            Self::Rome(rome) => rome.covariance,
            Self::Memit(_) | Self::AlphaEdit(_) => true,
        }
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

/// Many facts at once, over several layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
pub struct AlphaEdit {
    /// Layers that are changed, the edited one the last of them.
    pub layers: usize,
    /// Facts of a batch.
    pub batch: usize,
    /// Eigenvalues of the second moment below it span the null space.
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
        Self { layers: 5, batch: 100, threshold: 0.02, l2: 10.0, search }
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

impl ValueSearch {
    /// What is no count, by name.
    fn numbers(&self) -> [(&'static str, f32); 5] {
        let Self { lr, decay, kl, clamp, stop, .. } = *self;
        [("lr", lr), ("decay", decay), ("kl", kl), ("clamp", clamp), ("stop", stop)]
    }

    fn number(&mut self, name: &str) -> Option<&mut f32> {
        Some(match name {
            "lr" => &mut self.lr,
            "decay" => &mut self.decay,
            "kl" => &mut self.kl,
            "clamp" => &mut self.clamp,
            "stop" => &mut self.stop,
            _ => return None,
        })
    }
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
    layers: Option<usize>,
    lambda: Option<f32>,
    batch: Option<usize>,
    threshold: Option<f32>,
    l2: Option<f32>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Spsa,
    Rome,
    Memit,
    AlphaEdit,
}

impl TryFrom<Written> for EditMethod {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        fn given<T>(value: Option<T>, what: &str) -> Result<T, String> {
            value.ok_or_else(|| format!("edit.method has no {what}"))
        }
        let Written { kind, steps, epsilon, eta, key, covariance, lr, decay, kl, clamp, stop, .. } = written;
        let Written { layers, lambda, batch, threshold, l2, .. } = written;
        let steps = given(steps, "steps")?;
        let search = || -> Result<ValueSearch, String> {
            Ok(ValueSearch {
                steps,
                lr: given(lr, "lr")?,
                decay: given(decay, "decay")?,
                kl: given(kl, "kl")?,
                clamp: given(clamp, "clamp")?,
                stop: given(stop, "stop")?,
            })
        };
        Ok(match kind {
            Kind::Spsa => Spsa { steps, epsilon: given(epsilon, "epsilon")?, eta: given(eta, "eta")? }.into(),
            Kind::Rome => {
                Rome { key: given(key, "key")?, covariance: given(covariance, "covariance")?, search: search()? }.into()
            }
            Kind::Memit => {
                Memit { layers: given(layers, "layers")?, lambda: given(lambda, "lambda")?, search: search()? }.into()
            }
            Kind::AlphaEdit => AlphaEdit {
                layers: given(layers, "layers")?,
                batch: given(batch, "batch")?,
                threshold: given(threshold, "threshold")?,
                l2: given(l2, "l2")?,
                search: search()?,
            }
            .into(),
        })
    }
}
