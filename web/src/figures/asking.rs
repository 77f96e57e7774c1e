//! The form of a study: what a person chose, and the settings that it stands for.

use engram_core::record::{Answer, Corruption, EditLayers, EditMethod, EditSettings, PatchPosition, Settings};
use serde::{Deserialize, Serialize};

/// What the form holds. Numbers stay text until they are used, so that nobody's typing is corrected under their hands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    /// Validated facts wanted.
    pub n: String,
    /// Seed of the order.
    pub seed: String,
    /// Stage 3 is run.
    pub edits: bool,
    /// Facts with token × layer maps.
    pub maps: String,
    /// Edits.
    pub edit_facts: String,
    /// The name of the method of edits.
    pub method: String,
    /// Steps of its search.
    pub steps: String,
    /// At which layers, and from which model.
    pub way: Way,
    /// Both answers are traced again after each edit.
    pub retrace: bool,
    /// Noise instead of a replacement.
    pub noise: bool,
    /// The text that replaces the subject.
    pub with: String,
    /// Noise, in σ.
    pub sigmas: String,
    /// Paired draws of it.
    pub draws: String,
    /// Patch positions, in the order in which they are shown.
    pub positions: Vec<PatchPosition>,
    /// Smallest effect of a validated fact.
    pub min_effect: String,
    /// Window of the maps, in layers; empty for the model's usual one.
    pub window: String,
    /// The whole answer instead of its first token.
    pub sequence: bool,
}

/// How the facts of Stage 3 are edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Each at its own dominant layer, from the unedited model.
    #[default]
    Dominant,
    /// Each at every layer, from the unedited model.
    EveryLayer,
    /// One after the other at their dominant layers, nothing undone.
    InTurn,
}

impl Way {
    /// All of them, as a form offers them.
    pub const ALL: [Self; 3] = [Self::Dominant, Self::EveryLayer, Self::InTurn];

    /// Its name in the form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dominant => "each at its dominant layer",
            Self::EveryLayer => "each at every layer: does tracing predict where edits work?",
            Self::InTurn => "one after the other, nothing undone: where does the model collapse?",
        }
    }

    /// The way of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }
}

impl Default for Form {
    /// Small enough for a browser tab.
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            n: "50".into(),
            seed: settings.seed.to_string(),
            edits: true,
            maps: "3".into(),
            edit_facts: "8".into(),
            method: settings.edit.method().name().to_owned(),
            steps: settings.edit.method().steps().to_string(),
            way: Way::Dominant,
            retrace: false,
            noise: false,
            with: "Random Person".into(),
            sigmas: "3".into(),
            draws: "10".into(),
            positions: settings.positions,
            min_effect: settings.min_effect.to_string(),
            window: String::new(),
            sequence: false,
        }
    }
}

/// A method of edits, as forms offer it.
pub fn method_told(name: &str) -> &'static str {
    match name {
        "spsa" => "SPSA (the paper's, without gradients)",
        "rome" => "ROME as published",
        "r-rome" => "R-ROME (one key throughout)",
        "memit" => "MEMIT (several layers)",
        "alphaedit" => "AlphaEdit (several layers, in the null space)",
        "ft-m" => "FT-M (fine-tuning of the layer)",
        "lora" => "LoRA (fine-tuning, low rank)",
        "ultraedit" => "UltraEdit (one gradient, closed form)",
        _ => "P-ROME (the bare prompt's key)",
    }
}

/// Methods that a study of the page offers: each fact by itself at its own layer. Those that edit all facts together are
/// told their layer, which the form does not ask for.
pub fn offered() -> impl Iterator<Item = &'static str> {
    let alone = |name: &&str| EditMethod::named(name).is_some_and(|method| !method.is_joint());
    EditMethod::NAMES.into_iter().filter(alone)
}

/// Most facts that a page asks for.
const MOST: usize = 30_000;

impl Form {
    /// Takes another method of edits, with its own steps.
    pub fn choose_method(&mut self, name: &str) {
        if let Some(method) = EditMethod::named(name).filter(|method| method.name() != self.method) {
            (self.method, self.steps) = (method.name().to_owned(), method.steps().to_string());
        }
    }

    /// The settings, or everything that is wrong, each in a sentence.
    ///
    /// # Errors
    /// When a field makes no sense.
    pub fn settings(&self) -> Result<Settings, Vec<String>> {
        let mut wrong = Vec::new();
        let mut whole = |name: &str, text: &str, low: usize, high: usize| match text.trim().parse::<usize>() {
            Ok(value) if (low..=high).contains(&value) => value,
            _ => {
                wrong.push(format!("{name} must be a whole number from {low} to {high}, not “{}”", text.trim()));
                low
            }
        };
        let n = whole("Facts", &self.n, 1, MOST);
        let maps = whole("Maps", &self.maps, 0, MOST);
        let window = if self.window.trim().is_empty() { 0 } else { whole("Window", &self.window, 1, 1000) };
        let edit_facts = if self.edits { whole("Edits", &self.edit_facts, 1, 1000) } else { 1 };
        let steps = if self.edits { whole("Steps", &self.steps, 1, 100_000) } else { 1 };
        let draws = if self.noise { whole("Draws", &self.draws, 1, 100) } else { 1 };
        let seed = self.seed.trim().parse::<u64>();
        if seed.is_err() {
            wrong.push("Seed must be a whole number from 0".into());
        }
        let mut real = |name: &str, text: &str, low: f32, high: f32| match text.trim().parse::<f32>() {
            Ok(value) if (low..=high).contains(&value) => value,
            _ => {
                wrong.push(format!("{name} must be a number from {low} to {high}, not “{}”", text.trim()));
                low
            }
        };
        let min_effect = real("Smallest effect", &self.min_effect, 0.0, 1.0);
        let sigmas = if self.noise { real("Noise", &self.sigmas, 0.1, 100.0) } else { 3.0 };
        if !self.noise && self.with.trim().is_empty() {
            wrong.push("The text that replaces the subject must not be empty".into());
        }
        if self.edits && self.way == Way::InTurn && self.method == "ft-m" {
            wrong.push("FT-M has no sequences, for each of its changes is as large as the matrix: take LoRA".into());
        }
        if self.positions.is_empty() {
            wrong.push("Choose at least one position to restore at".into());
        } else if self.edits && !self.positions.contains(&PatchPosition::SubjectLast) {
            wrong.push("Stage 3 edits the layer that is dominant at the last subject token: restore there too".into());
        }
        let (true, Ok(seed)) = (wrong.is_empty(), seed) else { return Err(wrong) };
        let corruption = match self.noise {
            true => Corruption::Noise { sigmas, draws, sigma: 0.0 },
            false => Corruption::Replace { with: self.with.trim().into() },
        };
        let default = Settings::default();
        let edit = match self.edits {
            true => {
                let mut method = EditMethod::named(&self.method).unwrap_or_default();
                method.set_count("steps", steps);
                EditSettings {
                    facts: edit_facts,
                    layers: if self.way == Way::EveryLayer { EditLayers::All } else { EditLayers::Dominant },
                    sequence: if self.way == Way::InTurn { edit_facts } else { 0 },
                    retrace: self.retrace && self.way != Way::InTurn,
                    ..EditSettings::of(method)
                }
            }
            false => default.edit,
        };
        Ok(Settings {
            n,
            seed,
            corruption,
            answer: if self.sequence { Answer::Sequence } else { Answer::FirstToken },
            min_effect,
            positions: self.positions.clone(),
            stages: if self.edits { vec![1, 2, 3] } else { vec![1, 2] },
            maps: maps.min(n),
            window,
            edit,
            ..Settings::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_fit_a_tab() {
        let settings = Form::default().settings().unwrap();
        assert_eq!((settings.n, settings.maps, settings.edit.facts), (50, 3, 8));
        assert_eq!(settings.stages, [1, 2, 3]);
        assert_eq!(settings.corruption, Corruption::Replace { with: "Random Person".into() });
        let same =
            Settings { n: 100, maps: 0, edit: EditSettings { facts: 15, ..settings.edit.clone() }, ..settings.clone() };
        assert_eq!(same, Settings::default());
    }

    #[test]
    fn the_method_of_edits_is_chosen() {
        let mut form = Form { steps: "7".into(), ..Form::default() };
        assert_eq!(form.settings().unwrap().edit.method().name(), "spsa");
        form.choose_method("r-rome");
        assert_ne!(form.steps, "7", "another method has its own steps");
        let settings = form.settings().unwrap();
        assert_eq!(settings.edit.method().name(), "r-rome");
        assert_eq!(settings.edit.min_p_false, 0.0, "only SPSA has the paper's filter");
        assert_eq!(settings.edit.method().steps().to_string(), form.steps);
        assert_eq!(offered().collect::<Vec<_>>(), ["spsa", "rome", "r-rome", "p-rome", "ft-m", "lora"]);
    }

    #[test]
    fn facts_are_edited_in_three_ways() {
        let edit = |way, retrace| Form { way, retrace, ..Form::default() }.settings().unwrap().edit;
        assert_eq!(edit(Way::Dominant, true).layers, EditLayers::Dominant);
        assert!(edit(Way::Dominant, true).retrace && !edit(Way::Dominant, false).retrace);
        assert_eq!((edit(Way::EveryLayer, true).layers, edit(Way::EveryLayer, true).sequence), (EditLayers::All, 0));
        let turn = edit(Way::InTurn, true);
        assert_eq!((turn.sequence, turn.facts, turn.retrace), (8, 8, false));
        assert!(Form { way: Way::InTurn, method: "ft-m".into(), ..Form::default() }.settings().is_err());
        assert!(Way::ALL.into_iter().all(|way| Way::named(way.name()) == Some(way)));
    }

    #[test]
    fn what_is_wrong_is_said_all_at_once() {
        let form = Form {
            n: "0".into(),
            seed: "-1".into(),
            min_effect: "NaN".into(),
            positions: vec![PatchPosition::LastToken],
            ..Form::default()
        };
        let wrong = form.settings().unwrap_err();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert_eq!(wrong[0], "Facts must be a whole number from 1 to 30000, not “0”");
        let none = Form { positions: vec![], with: " ".into(), edits: false, ..Form::default() };
        assert_eq!(none.settings().unwrap_err().len(), 2);
    }

    #[test]
    fn what_is_off_is_not_checked() {
        let form = Form { edits: false, edit_facts: String::new(), draws: "x".into(), ..Form::default() };
        let settings = form.settings().unwrap();
        assert_eq!(settings.stages, [1, 2]);
        let noise = Form { noise: true, with: String::new(), ..Form::default() };
        let noise = noise.settings().unwrap().corruption;
        assert_eq!(noise, Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.0 });
    }
}
