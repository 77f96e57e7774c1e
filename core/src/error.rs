//! One error type for the whole lab: what is wrong, where, and what to do next.

use crate::text::told;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of failure it is; decides the exit code and what a caller may retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The caller's input is wrong: a file, a flag, a prompt, a model folder.
    Input,
    /// The file system or the network failed.
    Io,
    /// The device ran out of memory; a smaller batch may work.
    Memory,
    /// The device failed, is missing, or computes wrong numbers.
    Device,
    /// A non-finite or otherwise impossible number appeared.
    Numeric,
    /// Somebody asked the work to stop.
    Cancelled,
}

impl Kind {
    /// The name used in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Io => "io",
            Self::Memory => "memory",
            Self::Device => "device",
            Self::Numeric => "numeric",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why the GPU cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The browser has no WebGPU.
    NoWebGpu,
    /// The page was not loaded from https or localhost.
    Insecure,
    /// There is WebGPU, but no adapter.
    NoAdapter,
    /// The adapter has no timestamp queries, which the GPU library needs in a browser.
    NoTimestamps,
    /// The adapter's limits are too small.
    TooSmall,
    /// The device computes wrong numbers.
    SelfTest,
    /// The adapter is a software one, slower than the CPU.
    Software,
    /// Something else; the report's line tells.
    Other,
}

/// An error with a message for people and, where one is known, the next step to take. Messages quote what is wrong, and
/// that may be anything: they are kept to a line that can be read ([`told`]).
#[derive(Debug, Clone, thiserror::Error)]
pub struct Error {
    /// The kind of failure.
    pub kind: Kind,
    message: String,
    hint: Option<String>,
    /// The next step in the lab's page, where it is another one.
    page: Option<String>,
    trouble: Option<Trouble>,
}

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a given kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: told(&message.into()), hint: None, page: None, trouble: None }
    }

    /// Wrong input.
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(Kind::Input, message)
    }

    /// A file or network failure.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(Kind::Io, message)
    }

    /// A device failure.
    pub fn device(message: impl Into<String>) -> Self {
        Self::new(Kind::Device, message)
    }

    /// An impossible number.
    pub fn numeric(message: impl Into<String>) -> Self {
        Self::new(Kind::Numeric, message)
    }

    /// The work was cancelled.
    pub fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "cancelled")
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(told(&hint.into()));
        self
    }

    /// Adds what to do next in the lab's page, where the hint speaks of a command line.
    #[must_use]
    pub fn in_page(mut self, hint: impl Into<String>) -> Self {
        self.page = Some(told(&hint.into()));
        self
    }

    /// Says why the GPU cannot be used.
    #[must_use]
    pub fn because(mut self, trouble: Trouble) -> Self {
        self.trouble = Some(trouble);
        self
    }

    /// Why the GPU cannot be used, where that is known.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// Puts the place in front of the message: `place: message`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = told(&format!("{place}: {}", self.message));
        self
    }

    /// The message without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The next step, where one is known.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The next step in the lab's page, where one is known: it has no command line.
    pub fn page_step(&self) -> Option<&str> {
        self.page.as_deref().or(self.hint.as_deref().filter(|hint| !is_for_terminals(hint)))
    }
}

/// Whether a hint names a flag, a command or a variable of a shell.
fn is_for_terminals(hint: &str) -> bool {
    let mut words = hint.split(|c: char| c.is_whitespace() || "`(),;:".contains(c));
    words.any(|word| word.strip_prefix("--").is_some_and(|flag| flag.starts_with(|c: char| c.is_ascii_alphabetic())))
        || ["`engram ", "`ulimit", "same command", "HF_"].iter().any(|shell| hint.contains(shell))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_told_of_no_flags() {
        let step = |hint: &str| Error::input("x").hint(hint).page_step().map(str::to_owned);
        for hint in
            ["use --device cpu", "run `engram doctor`", "try (--fresh)", "run the same command again", "set HF_TOKEN"]
        {
            assert_eq!(step(hint), None, "{hint}");
        }
        for hint in ["choose another layer", "a dash -- like this", "one---two"] {
            assert_eq!(step(hint).as_deref(), Some(hint));
        }
        let both = Error::input("x").hint("use --device cpu").in_page("switch the device to CPU");
        assert_eq!((both.next_step(), both.page_step()), (Some("use --device cpu"), Some("switch the device to CPU")));
    }

    #[test]
    fn whatever_is_quoted_a_message_is_a_line() {
        let long = "\u{1b}[31m\n\u{202e}é".repeat(20_000);
        let error =
            Error::input(format!("the name `{long}` is no name")).hint(format!("not {long}")).at(&long).at("file");
        let message = error.message();
        assert!(message.len() < 10_000 && message.starts_with("file: ␛[31m⏎"), "{message}");
        assert!(message.ends_with("` is no name"), "{message}");
        for text in [message, error.next_step().unwrap_or_default()] {
            assert!(text.len() < 10_000 && !text.chars().any(crate::text::is_hidden), "{text}");
        }
    }
}
