//! Flags of editing methods, for `edit` and `study`: which ones there are, and what a flag means for each.

use crate::engine::WIKITEXT;
use crate::options;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engram_core::record::{EditMethod, EditSettings, Rome, SearchStart, SecondMomentSettings};
use engram_core::{Error, Result};
use std::path::{Path, PathBuf};

/// Heading of these flags.
const EDITOR: &str = "Editor";
/// Heading of the flags of the second moment.
const MOMENT: &str = "Second moment of keys (C)";

/// Settings of methods; without one, a method's own.
#[derive(Debug, Args, Default)]
pub struct MethodArgs {
    /// Most steps of the search [default: spsa 250, lora 70, alphaedit and ft-m 25, others 20]
    #[arg(long, value_name = "COUNT", value_parser = options::count, help_heading = EDITOR)]
    pub steps: Option<usize>,
    /// Gradients: learning rate of Adam; ultraedit: step along the gradient [default: 0.5; alphaedit 0.1, ft-m 0.0005, lora 0.0003, ultraedit one over the width of a key]
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
    /// Gradients: a loss below this ends the search [default: 0.05; ft-m, lora 0.01]
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
    /// alphaedit: eigenvalues of C below it span the null space [default: the lower three quarters of them]
    #[arg(long, value_name = "VALUE", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub threshold: Option<f32>,
    /// alphaedit: ridge of the update [default: 10]
    #[arg(long, value_name = "WEIGHT", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub l2: Option<f32>,
    /// lora: rows of A and columns of B [default: 8]
    #[arg(long, value_name = "COUNT", value_parser = options::count, help_heading = EDITOR)]
    pub rank: Option<usize>,
    /// lora: alpha / rank scales the change [default: 32]
    #[arg(long, value_name = "SCALE", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub alpha: Option<f32>,
    /// spsa: perturbation, in the units of the MLP output [default: 0.005]
    #[arg(long, value_name = "SIZE", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub epsilon: Option<f32>,
    /// spsa: step size [default: 5]
    #[arg(long, value_name = "SIZE", value_parser = options::positive, help_heading = EDITOR, allow_negative_numbers = true)]
    pub eta: Option<f32>,
    /// Gradients: texts before the prompt, a line each with {} in the prompt's place [default: drawn from the model]
    #[arg(long, value_name = "FILE", value_parser = options::file, help_heading = EDITOR)]
    pub contexts: Option<PathBuf>,
    /// rome, r-rome, p-rome: where the search starts, zero or the nearest known fact with the new answer; a study takes both (zero,neighbour)
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "zero", help_heading = EDITOR)]
    #[arg(value_parser = PossibleValuesParser::new(["zero", "neighbour"]), hide_possible_values = true)]
    pub start: Vec<String>,
    /// rome, r-rome, p-rome: C from a text, or the identity; a study takes both (text,identity)
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "text", help_heading = MOMENT)]
    #[arg(value_parser = PossibleValuesParser::new(["text", "identity"]), hide_possible_values = true)]
    pub c: Vec<String>,
    /// Text that C is taken over: a file (text, or Parquet with a column "text"), a folder of such files, or wikitext: WikiText-2 from the hub [default: sentences about the bundled facts]
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
    match path.exists() || value == WIKITEXT {
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
            ("alpha", self.alpha),
        ];
        let counts = [("steps", self.steps), ("layers", self.layers), ("batch", self.batch), ("rank", self.rank)];
        let mut methods = methods.to_vec();
        for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            belongs(name, &methods)?;
            methods.iter_mut().for_each(|method| method.set(name, value));
        }
        for (name, value) in counts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            belongs(name, &methods)?;
            methods.iter_mut().for_each(|method| method.set_count(name, value));
        }
        let names: Vec<&str> = methods.iter().map(EditMethod::name).collect();
        let refuse = |flag: &str, of: &str| {
            Err(Error::input(format!("`{flag}` is not a setting of {}", names.join(", ")))
                .hint(format!("leave it out; it belongs to {of}")))
        };
        options::distinct("--c", &self.c, String::clone)?;
        let identity = self.c.iter().any(|c| c == "identity");
        options::distinct("--start", &self.start, String::clone)?;
        let neighbour = self.start.iter().any(|start| start == "neighbour");
        if neighbour && !methods.iter().any(|method| matches!(method, EditMethod::Rome(_))) {
            return refuse("--start neighbour", "rome, r-rome, p-rome");
        }
        if identity && !methods.iter().any(|method| matches!(method, EditMethod::Rome(_))) {
            return refuse("--c identity", "rome, r-rome, p-rome");
        }
        if self.contexts.is_some() && !methods.iter().any(EditMethod::needs_contexts) {
            return refuse("--contexts", "rome, r-rome, p-rome, memit, alphaedit");
        }
        let mut variants = Vec::new();
        for method in methods {
            match method {
                EditMethod::Rome(rome) => {
                    for start in &self.start {
                        let start = if start == "neighbour" { SearchStart::Neighbour } else { SearchStart::Zero };
                        let one = |c: &String| EditMethod::from(Rome { covariance: c == "text", start, ..rome });
                        variants.extend(self.c.iter().map(one));
                    }
                }
                other => variants.push(other),
            }
        }
        let methods = variants;
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

/// Refuses a setting that none of the methods has.
fn belongs(name: &str, methods: &[EditMethod]) -> Result<()> {
    let has = |method: &EditMethod| {
        method.numbers().iter().any(|(own, _)| *own == name) || method.counts().iter().any(|(own, _)| *own == name)
    };
    if methods.iter().any(has) {
        return Ok(());
    }
    let all = EditMethod::NAMES.into_iter().filter(|method| EditMethod::named(method).as_ref().is_some_and(has));
    let names: Vec<&str> = methods.iter().map(EditMethod::name).collect();
    Err(Error::input(format!("`--{name}` is not a setting of {}", names.join(", ")))
        .hint(format!("leave it out; it belongs to {}", all.collect::<Vec<_>>().join(", "))))
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

    fn usual() -> MethodArgs {
        MethodArgs { c: vec!["text".into()], start: vec!["zero".into()], ..MethodArgs::default() }
    }

    #[test]
    fn flags_reach_the_methods_that_have_them() {
        let args = MethodArgs { lr: Some(0.1), steps: Some(7), c: vec!["identity".into()], ..usual() };
        let found = args.settings(&[named("rome"), named("spsa")]).expect("settings");
        assert_eq!(found.methods[0].numbers()[0], ("lr", 0.1));
        assert!(found.methods.iter().all(|method| method.steps() == 7 && !method.needs_second_moment()));
        assert_eq!(found.min_p_false, EditSettings::default().min_p_false, "SPSA is among them");
        let alone = usual();
        assert_eq!(alone.settings(&[named("r-rome")]).expect("settings").min_p_false, 0.0);
        let both = MethodArgs { c: vec!["text".into(), "identity".into()], ..usual() };
        let found = both.settings(&[named("rome"), named("ft-m"), named("r-rome")]).expect("settings").methods;
        let titles: Vec<String> = found.iter().map(EditMethod::title).collect();
        assert_eq!(titles, ["ROME", "ROME, C = I", "FT-M", "R-ROME", "R-ROME, C = I"]);
        let wrong = args.settings(&[named("spsa")]).expect_err("spsa has no rate").to_string();
        assert!(wrong.contains("`--lr` is not a setting of spsa") && wrong.contains("r-rome"), "{wrong}");
    }
}
