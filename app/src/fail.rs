//! How failures are told: `error: what`, then `hint: next step`, and the exit code.

use crate::cli::Cli;
use crate::engine;
use crate::ui::{ColorChoice, Ui};
use clap::CommandFactory;
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
    ui.failure(error);
    match engine::kind(error) {
        Some(Kind::Input) => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}

/// Help, version, or a line that the grammar refuses.
pub fn usage(ui: &Ui, error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let text = error.render().ansi().to_string();
        return match ui.print(text.trim_end()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        };
    }
    let (message, hint) = explain(error, &format!("`{} --help` lists what is possible", program(arguments)));
    ui.error(&message, Some(&hint));
    ExitCode::from(USAGE)
}

/// clap's error in the words of this program.
fn explain(error: &clap::Error, help: &str) -> (String, String) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let whole = text(ContextKind::InvalidArg).unwrap_or_default();
    let argument = flag(&whole);
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let similar = |kind| text(kind).map_or(help.to_owned(), |word| format!("did you mean `{word}`?"));
    match error.kind() {
        ErrorKind::ValueValidation => {
            let cause = error.source();
            let ours = cause.and_then(|cause| cause.downcast_ref::<Error>());
            let why = match (ours, cause) {
                (Some(ours), _) => ours.message().to_owned(),
                (None, Some(cause)) => cause.to_string(),
                (None, None) => "it is not valid".into(),
            };
            let hint = ours.and_then(Error::next_step).unwrap_or(help).to_owned();
            match value.trim() {
                "" => (format!("{argument} is empty"), hint),
                _ => (format!("{argument} cannot be `{value}`: {why}"), hint),
            }
        }
        ErrorKind::InvalidValue => {
            let possible = text(ContextKind::ValidValue).unwrap_or_default();
            let hint = if possible.is_empty() { help.to_owned() } else { format!("it can be: {possible}") };
            match value.as_str() {
                "" => (format!("{argument} needs a value"), hint),
                _ => (format!("{argument} cannot be `{value}`"), hint),
            }
        }
        ErrorKind::UnknownArgument => (format!("there is no argument `{whole}`"), similar(ContextKind::SuggestedArg)),
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            (format!("there is no command `{word}`"), similar(ContextKind::SuggestedSubcommand))
        }
        ErrorKind::MissingRequiredArgument => {
            let verb = if whole.contains(", ") { "are" } else { "is" };
            (format!("{whole} {verb} missing"), help.to_owned())
        }
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            if other == whole || other.is_empty() {
                (format!("{argument} is given twice"), "give it once".into())
            } else {
                (format!("{argument} and {} exclude each other", flag(&other)), "leave one out".into())
            }
        }
        _ => {
            let whole = error.render().to_string();
            let first = whole.lines().next().unwrap_or_default();
            (first.trim_start_matches("error: ").to_owned(), help.to_owned())
        }
    }
}

/// `--layer` of `--layer <LAYER>`; an argument without dashes stays `<PROMPT>`.
fn flag(argument: &str) -> &str {
    let name = argument.split_whitespace().next().unwrap_or_default();
    name.strip_suffix("...").unwrap_or(name)
}

/// `engram trace`, or `engram` where no command was understood.
fn program(arguments: &[OsString]) -> String {
    let command = Cli::command();
    let known = |word: &&OsString| command.get_subcommands().any(|c| word.to_str() == Some(c.get_name()));
    match arguments.iter().skip(1).find(known).and_then(|word| word.to_str()) {
        Some(word) => format!("engram {word}"),
        None => "engram".into(),
    }
}

/// `--color` before the line is parsed.
pub fn wanted_color(arguments: &[OsString]) -> ColorChoice {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    let inline = words.iter().find_map(|word| word.strip_prefix("--color="));
    let after = || words.windows(2).find_map(|pair| (pair[0] == "--color").then_some(pair[1]));
    inline.or_else(after).and_then(ColorChoice::from_word).unwrap_or_default()
}
