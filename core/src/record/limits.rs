//! What settings must satisfy before anything is computed with them.

use super::edit_settings::MOST_CONTEXTS;
use super::{Corruption, EditLayers, Settings};
use crate::{Error, Result};

/// More rows than any device's plan has.
const MOST_ROWS: usize = 1 << 16;

impl Settings {
    /// Refuses what no study of a model with so many layers can have.
    ///
    /// # Errors
    /// Naming the setting.
    pub fn check(&self, layers: usize) -> Result<()> {
        let counts = [
            ("n", self.n),
            ("max_tokens", self.max_tokens),
            ("screen_batch", self.screen_batch),
            ("trace_batch", self.trace_batch),
            ("rows", self.rows),
        ];
        counts.iter().try_for_each(|(name, count)| at_least_one(name, *count))?;
        if self.rows > MOST_ROWS {
            return Err(Error::input(format!("settings.rows is {}, more than {MOST_ROWS}", self.rows)));
        }
        finite("min_effect", self.min_effect)?;
        match &self.corruption {
            Corruption::Replace { with } if with.trim().is_empty() => {
                return Err(Error::input("the text that stands in for the subject is empty")
                    .hint("give a name such as Random Person"));
            }
            Corruption::Replace { .. } => {}
            Corruption::Noise { sigmas, draws, .. } => {
                positive("corruption.sigmas", *sigmas)?;
                at_least_one("corruption.draws", *draws)?;
            }
        }
        if self.positions.is_empty() {
            return Err(Error::input("no patch position is asked for").hint("subject-last is the paper's"));
        }
        if let Some(again) = (1..self.positions.len()).find(|at| self.positions[..*at].contains(&self.positions[*at])) {
            return Err(Error::input(format!("settings.readings has {} twice", self.positions[again].name())));
        }
        if !self.stages.contains(&1) || self.stages.iter().any(|stage| !(1..=3).contains(stage)) {
            return Err(Error::input(format!("stages {:?}: stages are 1 to 3, and all build on 1", self.stages)));
        }
        if self.stages.contains(&3) { self.check_edit(layers) } else { Ok(()) }
    }

    fn check_edit(&self, layers: usize) -> Result<()> {
        let edit = &self.edit;
        at_least_one("edit.facts", edit.facts)?;
        if edit.methods.is_empty() {
            return Err(Error::input("no method of editing is asked for").hint("spsa is the paper's"));
        }
        if let Some(again) = (1..edit.methods.len()).find(|at| edit.methods[..*at].contains(&edit.methods[*at])) {
            return Err(Error::input(format!("the edit method {} is asked for twice", edit.methods[again].title())));
        }
        for method in &edit.methods {
            for (name, value) in method.counts() {
                at_least_one(&format!("edit.{name}"), value)?;
            }
            for (name, value) in method.numbers() {
                let filled = name == "lr" && matches!(method, super::EditMethod::UltraEdit(_));
                let weight = filled || matches!(name, "decay" | "kl" | "stop" | "lambda" | "threshold");
                let check = if weight { not_negative } else { positive };
                check(&format!("edit.{name}"), value)?;
            }
        }
        let crate::record::SecondMomentSettings { window, ridge, .. } = edit.second_moment;
        if window < 2 {
            return Err(Error::input(format!("settings.edit.second_moment.window is {window}"))
                .hint("a window of text has two tokens at least"));
        }
        not_negative("edit.second_moment.ridge", ridge)?;
        if edit.contexts.len() > MOST_CONTEXTS {
            return Err(Error::input(format!("{} contexts, at most {MOST_CONTEXTS} are taken", edit.contexts.len()))
                .hint("give fewer: twenty are usual"));
        }
        if let Some(context) = edit.contexts.iter().find(|context| context.matches("{}").count() != 1) {
            return Err(Error::input(format!("the context {context:?} has not one place for the prompt"))
                .hint("write {} where the prompt comes, once"));
        }
        finite("edit.min_p_false", edit.min_p_false)?;
        if edit.sequence > 0 {
            if edit.retrace {
                return Err(Error::input("edits of a sequence are not traced again")
                    .hint("leave out --retrace, or the sequence"));
            }
            if edit.methods.iter().any(|method| matches!(method, super::EditMethod::FtM(_))) {
                return Err(Error::input("FT-M in a sequence: each of its changes is as large as the matrix")
                    .hint("take LoRA, whose changes have low rank"));
            }
            if edit.sequence != edit.facts {
                let (edits, facts) = (edit.sequence, edit.facts);
                return Err(Error::input(format!("settings.edit.sequence is {edits}, settings.edit.facts is {facts}"))
                    .hint("a sequence edits each of its facts once: both are the same number"));
            }
        }
        match &edit.layers {
            EditLayers::Fixed(fixed) => match fixed.iter().find(|layer| !(1..=layers).contains(*layer)) {
                Some(layer) => Err(Error::input(format!("layer {layer} to edit does not exist"))
                    .hint(format!("the model's layers are numbered 1 to {layers}"))),
                None => Ok(()),
            },
            EditLayers::Dominant if !self.positions.contains(&edit.position) => {
                let name = edit.position.name();
                Err(Error::input(format!("the patch position of edits, {name}, is not among those that are traced"))
                    .hint(format!("trace {name} too, or choose a layer to edit")))
            }
            EditLayers::Dominant | EditLayers::All => Ok(()),
        }
    }
}

fn at_least_one(name: &str, count: usize) -> Result<()> {
    if count > 0 { Ok(()) } else { Err(Error::input(format!("settings.{name} is 0")).hint("it must be at least 1")) }
}

fn finite(name: &str, value: f32) -> Result<()> {
    let wrong = || Error::input(format!("settings.{name} is {value}")).hint("it must be a finite number");
    if value.is_finite() { Ok(()) } else { Err(wrong()) }
}

fn positive(name: &str, value: f32) -> Result<()> {
    finite(name, value)?;
    let wrong = || Error::input(format!("settings.{name} is {value}")).hint("it must be above 0");
    if value > 0.0 { Ok(()) } else { Err(wrong()) }
}

fn not_negative(name: &str, value: f32) -> Result<()> {
    finite(name, value)?;
    let wrong = || Error::input(format!("settings.{name} is {value}")).hint("it must not be below 0");
    if value >= 0.0 { Ok(()) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::PatchPosition;

    fn spsa(settings: &mut Settings) -> &mut crate::record::Spsa {
        let crate::record::EditMethod::Spsa(spsa) = &mut settings.edit.methods[0] else {
            panic!("the default is SPSA")
        };
        spsa
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        assert!(Settings::default().check(12).is_ok());
        type Spoil = fn(&mut Settings);
        let cases: [(&str, Spoil); 19] = [
            ("settings.n is 0", |s| s.n = 0),
            ("settings.max_tokens is 0", |s| s.max_tokens = 0),
            ("settings.rows is 0", |s| s.rows = 0),
            ("settings.rows is 18446744073709551615", |s| s.rows = usize::MAX),
            ("settings.trace_batch is 0", |s| s.trace_batch = 0),
            ("settings.min_effect is NaN", |s| s.min_effect = f32::NAN),
            ("stands in for the subject is empty", |s| s.corruption = Corruption::Replace { with: " ".into() }),
            ("corruption.draws is 0", |s| s.corruption = Corruption::Noise { sigmas: 3.0, draws: 0, sigma: 0.0 }),
            ("corruption.sigmas is inf", |s| {
                s.corruption = Corruption::Noise { sigmas: f32::INFINITY, draws: 1, sigma: 0.0 }
            }),
            ("no patch position", |s| s.positions.clear()),
            ("subject-last twice", |s| s.positions = vec![PatchPosition::SubjectLast; 2]),
            ("stages [2, 3]", |s| s.stages = vec![2, 3]),
            ("stages [1, 4]", |s| s.stages = vec![1, 4]),
            ("layer 13 to edit does not exist", |s| s.edit.layers = EditLayers::of([2, 13])),
            ("layer 0 to edit does not exist", |s| s.edit.layers = EditLayers::of([0])),
            ("settings.edit.steps is 0", |s| spsa(s).steps = 0),
            ("settings.edit.eta is -1", |s| spsa(s).eta = -1.0),
            ("settings.edit.epsilon is 0", |s| spsa(s).epsilon = 0.0),
            ("same-index, is not among those", |s| s.edit.position = PatchPosition::SameIndex),
        ];
        for (wanted, spoil) in cases {
            let mut settings = Settings::default();
            spoil(&mut settings);
            let found = settings.check(12).expect_err(wanted);
            assert!(found.message().contains(wanted), "{found}");
        }
        // What is not asked for need not make sense.
        let mut settings = Settings { stages: vec![1, 2], ..Settings::default() };
        settings.edit.layers = EditLayers::of([99]);
        assert!(settings.check(12).is_ok());
    }
}
