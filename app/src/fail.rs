//! How failures are told: `error: what`, then `hint: next step`, and the exit code.

use crate::ui::{ColorChoice, Ui};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use engram_core::{Error, Kind};
use std::error::Error as _;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

const USAGE: u8 = 2;

/// A failure at work. A reader who went away (`engram ... | head`) is none.
pub fn failure(ui: &Ui, error: &anyhow::Error) -> ExitCode {
    let broken = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken) {
        return ExitCode::SUCCESS;
    }
    let ours = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
    let parts: Vec<String> = error
        .chain()
        .map(|cause| match cause.downcast_ref::<Error>() {
            Some(ours) => ours.message().to_owned(),
            None => cause.to_string(),
        })
        .collect();
    ui.error(&parts.join(": "), ours.and_then(Error::next_step));
    match ours.map(|error| error.kind) {
        Some(Kind::Input) => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}

/// Help, version, or a line that the grammar refuses.
pub fn usage(ui: &Ui, error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let text = error.render();
        let text = text.ansi().to_string();
        return match ui.print(text.trim_end()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        };
    }
    let (message, hint) = explain(error);
    ui.error(&message, Some(&hint));
    ExitCode::from(USAGE)
}

/// clap's error in the words of this program.
fn explain(error: &clap::Error) -> (String, String) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        Some(ContextValue::StyledStr(text)) => Some(text.to_string()),
        Some(ContextValue::StyledStrs(texts)) => texts.first().map(ToString::to_string),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let help = format!("`{} --help` lists what is possible", program(error));
    let similar = |kind| text(kind).map(|word| format!("did you mean `{word}`?"));
    match error.kind() {
        ErrorKind::ValueValidation => {
            let cause = error.source();
            let ours = cause.and_then(|cause| cause.downcast_ref::<Error>());
            let why = match (ours, cause) {
                (Some(ours), _) => ours.message().to_owned(),
                (None, Some(cause)) => cause.to_string(),
                (None, None) => "it is not valid".into(),
            };
            let hint = ours.and_then(Error::next_step).map_or(help, str::to_owned);
            (format!("`{value}` cannot be {argument}: {why}"), hint)
        }
        ErrorKind::InvalidValue if value.is_empty() => (format!("{argument} needs a value"), help),
        ErrorKind::InvalidValue => {
            let possible = text(ContextKind::ValidValue).unwrap_or_default();
            (format!("`{value}` cannot be {argument}"), format!("it can be: {possible}"))
        }
        ErrorKind::UnknownArgument => {
            let hint = similar(ContextKind::SuggestedArg).unwrap_or(help);
            (format!("there is no argument `{argument}`"), hint)
        }
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let hint = similar(ContextKind::SuggestedSubcommand).unwrap_or(help);
            (format!("there is no command `{word}`"), hint)
        }
        ErrorKind::MissingRequiredArgument => {
            let many = argument.contains(", ");
            let verb = if many { "are" } else { "is" };
            (format!("{argument} {verb} missing"), help)
        }
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            if other == argument || other.is_empty() {
                (format!("{argument} is given twice"), "give it once".into())
            } else {
                (format!("{argument} and {other} exclude each other"), "leave one out".into())
            }
        }
        _ => {
            let whole = error.render().to_string();
            let first = whole.lines().next().unwrap_or_default();
            (first.trim_start_matches("error: ").to_owned(), help)
        }
    }
}

/// `engram trace`, or `engram` where no command was understood.
fn program(error: &clap::Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let words = usage.split_whitespace().skip_while(|word| *word != "engram");
    let words: Vec<&str> = words.take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).collect();
    if words.is_empty() { "engram".into() } else { words.join(" ") }
}

/// `--color` before the line is parsed.
pub fn wanted_color(arguments: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let inline = words.iter().find_map(|word| word.strip_prefix("--color="));
    let after = || words.windows(2).find_map(|pair| (pair[0] == "--color").then_some(pair[1]));
    inline.or_else(after).and_then(ColorChoice::from_word).unwrap_or_default()
}
