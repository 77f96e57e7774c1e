//! The terminal: data goes to stdout, talk to stderr. What colours and widths there are is decided here, once.

use crate::render::style::{Ink, Screen, Tone};
use crate::render::table::{self, Table};
use anstream::AutoStream;
use engram_core::Error;
use engram_core::text::told;
use std::io::{self, IsTerminal, Write};

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Also into files and pipes
    Always,
    /// Not at all
    Never,
}

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    /// Standard output's width and colours.
    pub screen: Screen,
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Standard error's width and colours.
    pub talk: Screen,
    /// Standard error is a terminal, so progress may be redrawn.
    pub live: bool,
    /// `--quiet`.
    pub quiet: bool,
}

/// Width where it cannot be known.
const WIDTH: usize = 100;

impl Ui {
    /// Looks at both streams.
    pub fn new(color: ColorChoice, quiet: bool) -> Self {
        let width = width();
        let (stdout, stderr) = (io::stdout(), io::stderr());
        Self {
            screen: Screen { width, ink: ink(color, AutoStream::choice(&stdout)) },
            terminal: stdout.is_terminal(),
            talk: Screen { width, ink: ink(color, AutoStream::choice(&stderr)) },
            live: stderr.is_terminal(),
            quiet,
        }
    }

    /// Data: a text and a line end to stdout.
    pub fn print(&self, text: &str) -> io::Result<()> {
        let mut out = AutoStream::new(io::stdout().lock(), stream(self.screen.ink));
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Data: a value as JSON to stdout.
    pub fn print_json<T: serde::Serialize>(&self, value: &T) -> anyhow::Result<()> {
        Ok(self.print(&serde_json::to_string_pretty(value)?)?)
    }

    /// Data: a table to stdout.
    pub fn print_table(&self, table: &Table) -> io::Result<()> {
        self.print(&table::render(table, self.screen, self.terminal))
    }

    /// Talk: a line to stderr, unless `--quiet`. What it quotes may be anything.
    pub fn note(&self, line: &str) {
        self.say(&told(line));
    }

    /// Talk as it is, painted or of several lines, unless `--quiet`; with nothing from outside in it that is not escaped.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.talk(text);
        }
    }

    /// Talk: a warning to stderr, also with `--quiet`.
    pub fn warn(&self, line: &str) {
        self.talk(&format!("{} {}", self.talk.paint(Tone::Warning, "warning:"), told(line)));
    }

    /// Tells a failure with all its causes, and the next step where one is known.
    pub fn failure(&self, error: &anyhow::Error) {
        let ours = error.chain().find_map(|cause| cause.downcast_ref::<Error>());
        let part = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<Error>() {
            Some(ours) => ours.message().to_owned(),
            None => cause.to_string(),
        };
        let parts: Vec<String> = error.chain().map(part).collect();
        self.error(&parts.join(": "), ours.and_then(Error::next_step));
    }

    /// Talk: an error with its next step to stderr.
    pub fn error(&self, message: &str, hint: Option<&str>) {
        self.talk(&format!("{} {}", self.talk.paint(Tone::Bad, "error:"), told(message)));
        for line in hint.iter().flat_map(|hint| hint.lines()) {
            self.talk(&format!("{} {}", self.talk.paint(Tone::Hint, "hint:"), told(line)));
        }
    }

    fn talk(&self, line: &str) {
        let mut err = AutoStream::new(io::stderr().lock(), stream(self.talk.ink));
        // Where stderr is closed nobody listens, and that is no failure.
        let _ = writeln!(err, "{line}");
    }
}

/// Terminal width, else COLUMNS, else [`WIDTH`].
fn width() -> usize {
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let variable = || std::env::var("COLUMNS").ok().and_then(|value| value.parse().ok());
    terminal.or_else(variable).filter(|width| *width > 0).unwrap_or(WIDTH)
}

/// The flag decides; `auto` follows NO_COLOR, CLICOLOR, TERM and whether it is a terminal, as anstream knows them.
fn ink(color: ColorChoice, auto: anstream::ColorChoice) -> Ink {
    let on = match color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => auto != anstream::ColorChoice::Never,
    };
    let deep = std::env::var("COLORTERM").is_ok_and(|v| v == "truecolor" || v == "24bit");
    match (on, deep) {
        (false, _) => Ink::None,
        (true, false) => Ink::Ansi256,
        (true, true) => Ink::True,
    }
}

fn stream(ink: Ink) -> anstream::ColorChoice {
    // `Always`, not `AlwaysAnsi`: old Windows consoles get their colours through the console's own calls.
    if ink == Ink::None { anstream::ColorChoice::Never } else { anstream::ColorChoice::Always }
}
