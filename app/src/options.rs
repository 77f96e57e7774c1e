//! Arguments that several commands share, and the checks of single values. Each refusal says what to do next.

use crate::bundled;
use crate::wanted::{Emit, Facts, Model, Question, Source};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use engram_core::device::DeviceChoice;
use engram_core::facts::{SLOT, template_of};
use engram_core::record::{Corruption, PatchPosition, Precision};
use engram_core::trace::Units;
use engram_core::{Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Heading of the model's flags.
pub const MODEL: &str = "Model";
/// Heading of the flags that change numbers.
pub const METHOD: &str = "Method";
/// Heading of the flags that choose what is shown or written.
pub const OUTPUT: &str = "Output";

/// All patch positions, in the order in which they are shown.
pub const POSITIONS: [PatchPosition; 3] =
    [PatchPosition::SubjectLast, PatchPosition::LastToken, PatchPosition::SameIndex];

/// Where to run, and with which tokenizer.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// tokenizer.json, where it is not beside the weights
    #[arg(long, value_name = "FILE", value_parser = file, help_heading = MODEL)]
    pub tokenizer: Option<PathBuf>,
    /// Where to compute: auto (the faster one for the model), gpu, cpu; of several GPUs gpu:0, gpu:1 and so on by PCI address, or gpu:slot, which a batch system gave
    #[arg(long, value_name = "WHERE", value_parser = device, default_value = "auto", help_heading = MODEL)]
    pub device: DeviceChoice,
    /// What a GPU holds matrices in: f32, f16 (half the memory, faster where there are matrix units), or auto: f32 where it
    /// fits
    #[arg(long, value_name = "BITS", value_parser = precision(), default_value = "auto", help_heading = MODEL)]
    #[arg(hide_possible_values = true)]
    pub precision: WantedPrecision,
}

/// A precision, or `auto`.
#[derive(Debug, Clone, Copy)]
pub struct WantedPrecision(pub Option<Precision>);

/// How the subject is corrupted.
#[derive(Debug, Args)]
pub struct CorruptionArgs {
    /// How the subject is corrupted: replace (by a text) or noise (on its embeddings, 3 sigma, 10 draws)
    #[arg(long, value_name = "HOW", default_value = "replace", help_heading = METHOD)]
    #[arg(value_parser = PossibleValuesParser::new(["replace", "noise"]), hide_possible_values = true)]
    pub corruption: String,
    /// Text that replaces the subject [default: Random Person]
    #[arg(long, value_name = "TEXT", value_parser = text, help_heading = METHOD)]
    pub replace_with: Option<String>,
}

impl CorruptionArgs {
    /// The record's form of it.
    pub fn corruption(&self) -> Result<Corruption> {
        if self.corruption == "noise" {
            return match &self.replace_with {
                None => Ok(Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.0 }),
                Some(_) => Err(Error::input("`--replace-with` has no meaning with `--corruption noise`")
                    .hint("leave one of the two out")),
            };
        }
        let with = self.replace_with.clone().unwrap_or_else(|| "Random Person".into());
        Ok(Corruption::Replace { with })
    }
}

impl RunArgs {
    /// A model to load, with these options.
    pub fn model(&self, source: &Source) -> Model {
        Model {
            source: source.clone(),
            tokenizer: self.tokenizer.clone(),
            device: self.device,
            precision: self.precision.0,
            stats_text: None,
        }
    }
}

/// Puts the subject into a prompt with `{}`, or finds it there.
pub fn question(prompt: &str, subject: &str, target: Option<&str>, target_new: Option<&str>) -> Result<Question> {
    if !prompt.contains(SLOT) && !prompt.contains(subject) {
        return Err(subject_missing(prompt, subject));
    }
    // From here on the place is carried along, never searched again.
    let prompt = template_of(prompt, subject)?;
    if prompt.trim() == SLOT {
        return Err(Error::input("the prompt is nothing but its subject")
            .hint("a prompt goes on after the subject, for example \"The capital of France is\""));
    }
    if let (Some(target), Some(new)) = (target, target_new)
        && target.trim() == new.trim()
    {
        return Err(Error::input(format!("both targets are `{}`", target.trim())).hint("give two answers that differ"));
    }
    Ok(Question {
        prompt,
        subject: subject.to_owned(),
        target: target.map(str::to_owned),
        target_new: target_new.map(str::to_owned),
    })
}

fn subject_missing(prompt: &str, subject: &str) -> Error {
    let error = Error::input(format!("the subject `{subject}` is not in the prompt"));
    // Lower case may change a text's length, so the place is looked for word by word.
    let wanted = subject.to_lowercase();
    let starts = prompt.char_indices().map(|(at, _)| at);
    let near = starts.filter_map(|at| prompt[at..].get(..subject.len())).find(|part| part.to_lowercase() == wanted);
    match near {
        Some(near) => error.hint(format!("did you mean `--subject \"{near}\"`?")),
        None => error.hint("copy it from the prompt, or write `{}` where it belongs"),
    }
}

/// A text that is not blank.
pub fn text(value: &str) -> Result<String> {
    if value.trim().is_empty() {
        return Err(Error::input("it is empty"));
    }
    Ok(value.to_owned())
}

/// A subject: not blank, and without spaces around it, which would move its last token.
pub fn subject(value: &str) -> Result<String> {
    Ok(text(value)?.trim().to_owned())
}

/// An existing file.
pub fn file(value: &str) -> Result<PathBuf> {
    let path = PathBuf::from(value);
    if path.is_dir() {
        return Err(Error::input("it is a folder, not a file").hint("name the file itself"));
    }
    if !path.exists() {
        return Err(Error::input("there is no such file").hint("check the path"));
    }
    Ok(path)
}

/// A facts file, or the facts of the program.
pub fn facts(value: &str) -> Result<Facts> {
    if value == bundled::FACTS_NAME && !Path::new(value).exists() {
        return Ok(Facts::Bundled);
    }
    let hint = "give JSON, JSON lines, CSV or Parquet, or `bundled` for the facts that the bundled models know";
    file(value).map(Facts::File).map_err(|error| error.hint(hint))
}

/// A folder to write into: there already, or free to be made.
pub fn folder(value: &str) -> Result<PathBuf> {
    let path = PathBuf::from(value);
    if value.is_empty() {
        return Err(Error::input("it is empty"));
    }
    if path.exists() && !path.is_dir() {
        return Err(Error::input("it is a file, not a folder").hint("give a folder; it is made when it is missing"));
    }
    Ok(path)
}

/// A file to write: its folder must be there.
pub fn new_file(value: &str) -> Result<PathBuf> {
    let path = PathBuf::from(value);
    if value.is_empty() || path.is_dir() {
        return Err(Error::input("it is not a file name"));
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => {
            Err(Error::input(format!("there is no folder {}", parent.display())).hint("make the folder first"))
        }
        _ => Ok(path),
    }
}

/// A model: an existing path, else an id on the Hub.
pub fn source(value: &str) -> Result<Source> {
    Source::parse(value)
}

/// Parses a patch position by its name; a wrong one is answered with the possible names.
pub fn position() -> impl TypedValueParser<Value = PatchPosition> {
    PossibleValuesParser::new(POSITIONS.map(PatchPosition::name)).map(|name| {
        POSITIONS.into_iter().find(|position| position.name() == name).unwrap_or(PatchPosition::SubjectLast)
    })
}

/// Parses `--device`.
pub fn device(value: &str) -> Result<DeviceChoice, String> {
    value.parse()
}

/// Parses `--precision`.
pub fn precision() -> impl TypedValueParser<Value = WantedPrecision> {
    PossibleValuesParser::new(["auto", "f32", "f16"]).map(|name| {
        WantedPrecision(match name.as_str() {
            "f32" => Some(Precision::F32),
            "f16" => Some(Precision::F16),
            _ => None,
        })
    })
}

/// Parses `--emit`.
pub fn emit() -> impl TypedValueParser<Value = Emit> {
    PossibleValuesParser::new(["transformers"]).map(|_| Emit::Transformers)
}

/// Parses a stage.
pub fn stage() -> impl TypedValueParser<Value = u8> {
    PossibleValuesParser::new(["1", "2", "3"]).map(|stage| stage.parse().unwrap_or(1))
}

/// Parses the units that `engram trace` patches one at a time.
pub fn units(value: &str) -> Result<Units> {
    let hint = "write `--site head`, or `--site neuron 0..64` for the first 64 neurons of every layer";
    let mut words = value.split_whitespace();
    let units = match (words.next(), words.next(), words.next()) {
        (Some("head"), None, None) => Some(Units::Heads),
        (Some("neuron"), Some(range), None) => range.split_once("..").and_then(|(first, end)| {
            let range = first.parse().ok()?..end.parse().ok()?;
            (range.start < range.end).then_some(Units::Neurons(range))
        }),
        _ => None,
    };
    units.ok_or_else(|| Error::input("it is neither `head` nor `neuron` with a range").hint(hint))
}

/// Joins `--site neuron A..B` to one value: as two of them it could take the prompt that follows `--site head`.
pub fn with_ranges(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::new();
    for argument in arguments {
        let site = out.len() > 1 && out[out.len() - 2] == "--site" && out[out.len() - 1] == "neuron";
        let joined = out.last().is_some_and(|last| last == "--site=neuron");
        match argument.to_str() {
            Some(range) if (site || joined) && range.contains("..") => {
                if let Some(last) = out.last_mut() {
                    last.push(" ");
                    last.push(range);
                }
            }
            _ => out.push(argument),
        }
    }
    out
}

/// A count of at least one.
pub fn count(value: &str) -> Result<usize> {
    match value.parse::<usize>() {
        Ok(0) => Err(Error::input("it must be at least 1").hint("give a whole number from 1 on")),
        Ok(count) => Ok(count),
        Err(_) => Err(Error::input("it is not a count").hint("give a whole number from 1 on")),
    }
}

/// A layer, `1..=L`; the model's L is checked when it is loaded.
pub fn layer(value: &str) -> Result<usize> {
    count(value).map_err(|error| error.hint("layers are numbered from 1 to the model's last layer"))
}

/// A finite number above zero.
pub fn positive(value: &str) -> Result<f32> {
    match value.parse::<f32>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        Ok(_) => Err(Error::input("it must be above 0 and finite").hint("give a number above 0")),
        Err(_) => Err(Error::input("it is not a number").hint("give a number above 0, such as 0.005")),
    }
}

/// A finite number that is not below zero.
pub fn not_negative(value: &str) -> Result<f32> {
    match value.parse::<f32>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        Ok(_) => Err(Error::input("it must be finite and not below 0").hint("give 0 or a number above it")),
        Err(_) => Err(Error::input("it is not a number").hint("give a number such as 0.5")),
    }
}

/// Refuses a list that names something twice.
pub fn distinct<T: PartialEq>(flag: &str, values: &[T], name: impl Fn(&T) -> String) -> Result<()> {
    for (index, value) in values.iter().enumerate() {
        if values[..index].contains(value) {
            return Err(Error::input(format!("`{flag}` names `{}` twice", name(value))).hint("name each one once"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_heads_or_ranges_of_neurons() {
        let parsed = |line: &[&str]| with_ranges(line.iter().map(OsString::from));
        assert_eq!(parsed(&["engram", "--site", "neuron", "3..9", "x"])[2], "neuron 3..9");
        assert_eq!(parsed(&["engram", "--site=neuron", "3..9", "x"])[1], "--site=neuron 3..9");
        assert_eq!(parsed(&["engram", "--site", "head", "a..b"]).len(), 4);
        assert_eq!(units("head").ok(), Some(Units::Heads));
        assert_eq!(units("neuron 3..9").ok(), Some(Units::Neurons(3..9)));
        for bad in ["", "neuron", "heads", "neuron 9..3", "neuron 3", "neuron a..b", "head 1..2"] {
            assert!(units(bad).is_err_and(|error| error.next_step().is_some()), "{bad}");
        }
    }

    #[test]
    fn models_are_paths_or_ids() {
        assert_eq!(source("gpt2").ok(), Some(Source::Hub("gpt2".into())));
        assert_eq!(source("a-b/C_d.1").ok(), Some(Source::Hub("a-b/C_d.1".into())));
        assert_eq!(source(".").ok(), Some(Source::Path(".".into())));
        for id in ["a/b@v1", "a/b:c.gguf", "a/b@v1:q/c.GGUF"] {
            assert_eq!(source(id).ok(), Some(Source::Hub(id.into())));
        }
        for bad in ["", "a/b@", "./missing", "x.gguf", "a/b/c", "a b", "/", "a/", "a/b:", "a/b:c.bin", "a/b:../c.gguf"]
        {
            if Path::new(bad).exists() {
                continue;
            }
            assert!(source(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_subjects_place_is_carried_along() {
        for (prompt, subject, wanted) in [
            ("The capital of {} is", "France", "The capital of {} is"),
            ("The capital of France is", "France", "The capital of {} is"),
            ("The Parisian paper of {} is", "Paris", "The Parisian paper of {} is"),
            ("The Parisian paper of Paris is", "Paris", "The Parisian paper of {} is"),
        ] {
            let asked = question(prompt, subject, None, None);
            assert_eq!(asked.map(|q| q.prompt).ok().as_deref(), Some(wanted), "{prompt}");
        }
    }

    #[test]
    fn another_case_is_pointed_out() {
        let error = question("The capital of France is", "france", None, None).err();
        let hint = error.as_ref().and_then(Error::next_step).unwrap_or_default();
        assert!(hint.contains("France"), "{hint}");
        // Lengths in bytes differ between cases here; it must not panic.
        assert!(question("ẞtraße İ", "straße", None, None).is_err());
    }

    #[test]
    fn numbers_have_limits() {
        assert!(count("0").is_err() && count("-1").is_err() && count("3").is_ok());
        assert!(positive("-1").is_err() && positive("nan").is_err() && positive("5e-3").is_ok());
        assert!(positive("inf").is_err() && positive("0").is_err());
    }
}
