//! How an edit is found: the methods, by name and by their settings.

use super::edit_written::Written;
use super::{AlphaEdit, EditKey, FineTuning, Lora, Memit, Rome, SearchStart, Spsa, UltraEdit};
use serde::{Deserialize, Serialize};

/// How an edit is found, with the method's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema), schemars(!try_from))]
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
    /// Fine-tuning of the layer's `down_proj` on the new answer.
    FtM(FineTuning),
    /// The same on a low-rank change of it.
    Lora(Lora),
    /// UltraEdit (Gu et al. 2025): many facts at once, one gradient each, in closed form.
    UltraEdit(UltraEdit),
}

impl Default for EditMethod {
    fn default() -> Self {
        Self::Spsa(Spsa::default())
    }
}

/// A method of its settings.
macro_rules! from_settings {
    ($($settings:ident as $variant:ident),*) => {
        $(impl From<$settings> for EditMethod {
            fn from(settings: $settings) -> Self {
                Self::$variant(settings)
            }
        })*
    };
}

from_settings!(
    Spsa as Spsa,
    Rome as Rome,
    Memit as Memit,
    AlphaEdit as AlphaEdit,
    FineTuning as FtM,
    Lora as Lora,
    UltraEdit as UltraEdit
);

impl EditMethod {
    /// The method with its usual settings, by its name on a command line.
    pub fn named(name: &str) -> Option<Self> {
        let keys = |key| Rome { key, ..Rome::default() }.into();
        Some(match name {
            "spsa" => Spsa::default().into(),
            "rome" => keys(EditKey::Published),
            "r-rome" => keys(EditKey::Averaged),
            "p-rome" => keys(EditKey::Prompt),
            "memit" => Memit::default().into(),
            "alphaedit" => AlphaEdit::default().into(),
            "ft-m" => FineTuning::default().into(),
            "lora" => Lora::default().into(),
            "ultraedit" => UltraEdit::default().into(),
            _ => return None,
        })
    }

    /// Every name that [`Self::named`] knows.
    pub const NAMES: [&str; 9] =
        ["spsa", "rome", "r-rome", "p-rome", "memit", "alphaedit", "ft-m", "lora", "ultraedit"];

    /// Its name on a command line and in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Spsa(_) => "spsa",
            Self::Rome(Rome { key: EditKey::Published, .. }) => "rome",
            Self::Rome(Rome { key: EditKey::Averaged, .. }) => "r-rome",
            Self::Rome(Rome { key: EditKey::Prompt, .. }) => "p-rome",
            Self::Memit(_) => "memit",
            Self::AlphaEdit(_) => "alphaedit",
            Self::FtM(_) => "ft-m",
            Self::Lora(_) => "lora",
            Self::UltraEdit(_) => "ultraedit",
        }
    }

    /// Its name for people, with what distinguishes it from the published method.
    pub fn title(&self) -> String {
        match self {
            Self::Spsa(_) => "SPSA".into(),
            Self::Memit(_) => "MEMIT".into(),
            Self::AlphaEdit(_) => "AlphaEdit".into(),
            Self::FtM(_) => "FT-M".into(),
            Self::Lora(_) => "LoRA".into(),
            Self::UltraEdit(_) => "UltraEdit".into(),
            Self::Rome(rome) => {
                let identity = if rome.covariance { "" } else { ", C = I" };
                let start = if rome.start == SearchStart::Zero { "" } else { ", from a neighbour" };
                format!("{}{identity}{start}", self.name().to_uppercase())
            }
        }
    }

    fn counts_mut(&mut self) -> Vec<(&'static str, &mut usize)> {
        match self {
            Self::Spsa(spsa) => vec![("steps", &mut spsa.steps)],
            Self::Rome(rome) => vec![("steps", &mut rome.search.steps)],
            Self::Memit(memit) => vec![("steps", &mut memit.search.steps), ("layers", &mut memit.layers)],
            Self::AlphaEdit(alpha) => {
                let AlphaEdit { layers, batch, search, .. } = alpha;
                vec![("steps", &mut search.steps), ("layers", layers), ("batch", batch)]
            }
            Self::FtM(tuning) => vec![("steps", &mut tuning.steps)],
            Self::Lora(lora) => vec![("steps", &mut lora.tuning.steps), ("rank", &mut lora.rank)],
            Self::UltraEdit(_) => Vec::new(),
        }
    }

    fn numbers_mut(&mut self) -> Vec<(&'static str, &mut f32)> {
        match self {
            Self::Spsa(Spsa { epsilon, eta, .. }) => vec![("epsilon", epsilon), ("eta", eta)],
            Self::Rome(rome) => rome.search.numbers(),
            Self::Memit(Memit { lambda, search, .. }) => {
                search.numbers().into_iter().chain([("lambda", lambda)]).collect()
            }
            Self::AlphaEdit(AlphaEdit { threshold, l2, search, .. }) => {
                search.numbers().into_iter().chain([("threshold", threshold), ("l2", l2)]).collect()
            }
            Self::FtM(FineTuning { lr, stop, .. }) => vec![("lr", lr), ("stop", stop)],
            Self::Lora(Lora { alpha, tuning: FineTuning { lr, stop, .. }, .. }) => {
                vec![("lr", lr), ("stop", stop), ("alpha", alpha)]
            }
            Self::UltraEdit(UltraEdit { lr }) => vec![("lr", lr)],
        }
    }

    /// Its counts, by their names.
    pub fn counts(mut self) -> Vec<(&'static str, usize)> {
        self.counts_mut().into_iter().map(|(name, value)| (name, *value)).collect()
    }

    /// Its other settings, by their names.
    pub fn numbers(mut self) -> Vec<(&'static str, f32)> {
        self.numbers_mut().into_iter().map(|(name, value)| (name, *value)).collect()
    }

    /// Sets a count; one that the method does not have stays as it is.
    pub fn set_count(&mut self, name: &str, value: usize) {
        if let Some((_, place)) = self.counts_mut().into_iter().find(|(own, _)| *own == name) {
            *place = value;
        }
    }

    /// Sets one of the other settings; one that the method does not have stays as it is.
    pub fn set(&mut self, name: &str, value: f32) {
        if let Some((_, place)) = self.numbers_mut().into_iter().find(|(own, _)| *own == name) {
            *place = value;
        }
    }

    fn count(&self, name: &str) -> Option<usize> {
        self.counts().into_iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// Most steps of its search; 1 where there is none.
    pub fn steps(&self) -> usize {
        self.count("steps").unwrap_or(1)
    }

    /// How many layers it edits, the asked one the last of them.
    pub fn layers(&self) -> usize {
        self.count("layers").unwrap_or(1)
    }

    /// All facts are edited together, and so at one layer.
    pub fn is_joint(&self) -> bool {
        matches!(self, Self::Memit(_) | Self::AlphaEdit(_) | Self::UltraEdit(_))
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

    /// It searches the value that the layer shall give for the subject, and then the weights that give it.
    pub fn has_target_value(&self) -> bool {
        !matches!(self, Self::FtM(_) | Self::Lora(_) | Self::UltraEdit(_))
    }

    /// It averages over context prefixes.
    pub fn needs_contexts(&self) -> bool {
        matches!(self, Self::Rome(_) | Self::Memit(_) | Self::AlphaEdit(_))
    }

    /// It needs the second moment of the edited layer's keys.
    pub fn needs_second_moment(&self) -> bool {
        match self {
            Self::Rome(rome) => rome.covariance,
            Self::Memit(_) | Self::AlphaEdit(_) => true,
            Self::Spsa(_) | Self::FtM(_) | Self::Lora(_) | Self::UltraEdit(_) => false,
        }
    }
}
