//! Flags of editing methods, for `edit` and `study`: which ones there are, and what a flag means for each.

use crate::options;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engram_core::record::{EditMethod, EditSettings, SecondMomentSettings};
use engram_core::{Error, Result};
use std::path::{Path, PathBuf};

/// Heading of these flags.
const EDITOR: &str = "Editor";
/// Heading of the flags of the second moment.
const MOMENT: &str = "Second moment of keys (C)";

/// Settings of methods; without one, a method's own.
#[derive(Debug, Args, Default)]
pub struct MethodArgs {
    /// Most steps of the search [default: spsa 250, alphaedit 25, others 20]
    #[arg(long, value_name = "COUNT", value_parser = options::count, help_heading = EDITOR)]
    pub steps: Option<usize>,
    /// Gradients: learning rate of Adam [default: 0.5; alphaedit 0.1]
    #[arg(long, value_name = "RATE", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub lr: Option<f32>,
    /// Gradients: weight of the value's change, relative to its square [default: 0.5]
    #[arg(long, value_name = "WEIGHT", value_parser = options::not_negative, help_heading = EDITOR, allow_negative_numbers = true)]
    pub decay: Option<f32>,
    /// Gradients: weight of the divergence of what follows the subject [default: 0.0625]
    #[arg(long, value_name = "WEIGHT", value_parser = options::not_negative, help_heading = EDITOR, allow_negative_numbers = true)]
    pub kl: Option<f32>,
    /// Gradients: largest change of the value, in its own lengths [default: rome 4, others 0.75]
    #[arg(long, value_name = "TIMES", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub clamp: Option<f32>,
    /// Gradients: a loss below this ends the search [default: 0.05]
    #[arg(long, value_name = "LOSS", value_parser = options::not_negative, help_heading = EDITOR, allow_negative_numbers = true)]
    pub stop: Option<f32>,
    /// memit, alphaedit: layers that are changed, the edited one the last of them [default: 5]
    #[arg(long, value_name = "COUNT", value_parser = options::count, help_heading = EDITOR)]
    pub layers: Option<usize>,
    /// memit: weight of C beside the facts' own keys [default: the width of a key]
    #[arg(long, value_name = "WEIGHT", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub lambda: Option<f32>,
    /// alphaedit: facts of a batch [default: 100]
    #[arg(long, value_name = "COUNT", value_parser = options::count, help_heading = EDITOR)]
    pub batch: Option<usize>,
    /// alphaedit: eigenvalues of C below it span the null space [default: 0.02]
    #[arg(long, value_name = "VALUE", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub threshold: Option<f32>,
    /// alphaedit: ridge of the update [default: 10]
    #[arg(long, value_name = "WEIGHT", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub l2: Option<f32>,
    /// spsa: perturbation, in the units of the MLP output [default: 0.005]
    #[arg(long, value_name = "SIZE", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub epsilon: Option<f32>,
    /// spsa: step size [default: 5]
    #[arg(long, value_name = "SIZE", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub eta: Option<f32>,
    /// Gradients: texts before the prompt, a line each with {} in the prompt's place [default: drawn from the model]
    #[arg(long, value_name = "FILE", value_parser = options::file, help_heading = EDITOR)]
    pub contexts: Option<PathBuf>,
    /// rome, r-rome, p-rome: C from a text, or the identity
    #[arg(long, value_name = "WHICH", default_value = "text", help_heading = MOMENT)]
    #[arg(value_parser = PossibleValuesParser::new(["text", "identity"]), hide_possible_values = true)]
    pub c: String,
    /// Text that C is taken over: a file, or a folder of .txt files [default: sentences about the bundled facts]
    #[arg(long, value_name = "PATH", value_parser = text_path, help_heading = MOMENT)]
    pub stats_text: Option<PathBuf>,
    /// Tokens of the text that C is taken over [default: ten times the width of a key]
    #[arg(long, value_name = "COUNT", value_parser = options::count, help_heading = MOMENT)]
    pub stats_keys: Option<usize>,
    /// Tokens of a window of the text
    #[arg(long, value_name = "COUNT", value_parser = options::count, default_value_t = SecondMomentSettings::default().window, help_heading = MOMENT)]
    pub stats_window: usize,
    /// Leave out the first position of each window, whose key is often the largest
    #[arg(long, help_heading = MOMENT)]
    pub stats_skip_first: bool,
    /// Added to the diagonal of C before it is inverted, in units of the diagonal's mean
    #[arg(long, value_name = "SHARE", value_parser = options::not_negative, default_value_t = SecondMomentSettings::default().ridge, help_heading = MOMENT)]
    pub ridge: f32,
}

/// A method's name.
pub fn method() -> impl TypedValueParser<Value = EditMethod> {
    PossibleValuesParser::new(EditMethod::NAMES).map(|name| EditMethod::named(&name).expect("one of the names"))
}

/// A file or a folder.
fn text_path(value: &str) -> Result<PathBuf> {
    let path = PathBuf::from(value);
    match path.exists() {
        true => Ok(path),
        false => Err(Error::input("there is no such file or folder").hint("check the path")),
    }
}

impl MethodArgs {
    /// Settings of editing with these methods.
    ///
    /// # Errors
    /// When a flag is of no method among them, or the contexts cannot be read.
    pub fn settings(&self, methods: &[EditMethod]) -> Result<EditSettings> {
        let numbers = [
            ("lr", self.lr),
            ("decay", self.decay),
            ("kl", self.kl),
            ("clamp", self.clamp),
            ("stop", self.stop),
            ("lambda", self.lambda),
            ("threshold", self.threshold),
            ("l2", self.l2),
            ("epsilon", self.epsilon),
            ("eta", self.eta),
        ];
        let mut methods = methods.to_vec();
        for (name, value) in numbers {
            let Some(value) = value else { continue };
            if !methods.iter().any(|method| method.numbers().iter().any(|(own, _)| *own == name)) {
                let all = EditMethod::NAMES.into_iter().filter(|method| {
                    EditMethod::named(method).is_some_and(|method| method.numbers().iter().any(|(own, _)| *own == name))
                });
                let names: Vec<&str> = methods.iter().map(EditMethod::name).collect();
                return Err(Error::input(format!("`--{name}` is no setting of {}", names.join(", ")))
                    .hint(format!("leave it out; it belongs to {}", all.collect::<Vec<_>>().join(", "))));
            }
            methods.iter_mut().for_each(|method| method.set(name, value));
        }
        let names: Vec<&str> = methods.iter().map(EditMethod::name).collect();
        let refuse = |flag: &str, of: &str| {
            Err(Error::input(format!("`{flag}` is no setting of {}", names.join(", ")))
                .hint(format!("leave it out; it belongs to {of}")))
        };
        if self.layers.is_some() && !methods.iter().any(EditMethod::is_joint) {
            return refuse("--layers", "memit, alphaedit");
        }
        if self.batch.is_some() && !methods.iter().any(|method| matches!(method, EditMethod::AlphaEdit(_))) {
            return refuse("--batch", "alphaedit");
        }
        if self.c == "identity" && !methods.iter().any(|method| matches!(method, EditMethod::Rome(_))) {
            return refuse("--c identity", "rome, r-rome, p-rome");
        }
        if self.contexts.is_some() && !methods.iter().any(EditMethod::needs_contexts) {
            return refuse("--contexts", "the methods with gradients");
        }
        for method in &mut methods {
            method.set_steps(self.steps.unwrap_or(method.steps()));
            method.set_covariance(self.c == "text");
            method.set_counts(self.layers, self.batch);
        }
        let usual = EditSettings::of(methods.first().copied().unwrap_or_default());
        // Where SPSA is among them, all edit the facts that it can.
        let filtered = methods.iter().any(|method| !method.has_gradients());
        let min_p_false = if filtered { EditSettings::default().min_p_false } else { usual.min_p_false };
        let contexts = self.contexts.as_deref().map(contexts).transpose()?.unwrap_or_default();
        Ok(EditSettings {
            methods,
            min_p_false,
            contexts,
            second_moment: SecondMomentSettings {
                keys: self.stats_keys.unwrap_or_default(),
                window: self.stats_window,
                first: !self.stats_skip_first,
                ridge: self.ridge,
                ..SecondMomentSettings::default()
            },
            ..usual
        })
    }
}

/// The lines of a file of contexts.
fn contexts(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::input(format!("{}: {error}", path.display())).hint("check --contexts"))?;
    let text = text.trim_start_matches('\u{feff}');
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> EditMethod {
        EditMethod::named(name).expect("a method")
    }

    #[test]
    fn flags_reach_the_methods_that_have_them() {
        let args = MethodArgs { lr: Some(0.1), steps: Some(7), c: "identity".into(), ..MethodArgs::default() };
        let found = args.settings(&[named("rome"), named("spsa")]).expect("settings");
        assert_eq!(found.methods[0].numbers()[0], ("lr", 0.1));
        assert!(found.methods.iter().all(|method| method.steps() == 7 && !method.needs_second_moment()));
        assert_eq!(found.min_p_false, EditSettings::default().min_p_false, "SPSA is among them");
        let alone = MethodArgs { c: "text".into(), ..MethodArgs::default() };
        assert_eq!(alone.settings(&[named("r-rome")]).expect("settings").min_p_false, 0.0);
        let wrong = args.settings(&[named("spsa")]).expect_err("spsa has no rate").to_string();
        assert!(wrong.contains("`--lr` is no setting of spsa") && wrong.contains("r-rome"), "{wrong}");
    }
}
