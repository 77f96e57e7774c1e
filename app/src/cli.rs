//! The command line's grammar: global flags and the list of commands.

use crate::commands::{
    compare, demo, doctor, edit, export, figure, lab, merge, models, report, serve, shards, slurm, study, trace, train,
    verify,
};
use crate::ui::ColorChoice;
use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Args, CommandFactory, Parser, Subcommand};

/// Where does a language model store a fact, how redundantly, and can it be rewritten?
#[derive(Debug, Parser)]
#[command(name = "engram", version, styles = STYLES, max_term_width = 100, infer_long_args = false)]
#[command(after_help = "Run `engram help COMMAND` for a command's flags and examples.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Print only warnings and errors
    #[arg(short, long, global = true, help_heading = GLOBAL, display_order = 900)]
    pub quiet: bool,
    /// When to use colour: auto, always or never; auto follows NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, help_heading = GLOBAL)]
    #[arg(hide_possible_values = true, display_order = 901)]
    #[arg(help = "When to use colour: auto, always or never; auto follows NO_COLOR")]
    pub color: ColorChoice,
    /// Print more about what happens; twice for details
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = GLOBAL)]
    #[arg(display_order = 902, conflicts_with = "quiet")]
    pub verbose: u8,
}

const GLOBAL: &str = "Every command";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run all three stages on the bundled models and report the results
    Demo(demo::DemoArgs),
    /// Open the lab in a browser: trace, edit and study, on this machine
    Lab(lab::LabArgs),
    /// Serve the lab and this machine's engine to pages on other machines
    Serve(serve::ServeArgs),
    /// Show which layers and tokens carry one fact
    Trace(Box<trace::TraceArgs>),
    /// Run the three stages on many facts and write a record
    Study(Box<study::StudyArgs>),
    /// Rewrite one fact in the weights and report the outcome
    Edit(Box<edit::EditArgs>),
    /// Make one record of the shards of a planned study
    Merge(merge::MergeArgs),
    /// Make the scripts that run a planned study on Slurm
    Slurm(slurm::SlurmArgs),
    /// Compare the records of several models
    Compare(Box<compare::CompareArgs>),
    /// Make one self-contained page of studies, with every number in it
    Report(report::ReportArgs),
    /// Write tables, records, raw values and figures as files
    Export(Box<export::ExportArgs>),
    /// Write one figure of records as SVG or PNG
    Figure(Box<figure::FigureArgs>),
    /// Check records against their facts and models, and recompute facts
    Verify(verify::VerifyArgs),
    /// Train a small model on facts
    Train(train::TrainArgs),
    /// List or delete downloaded models
    Models(models::ModelsArgs),
    /// Check GPU, CPU, cache and terminal, or how a model's files are read
    Doctor(doctor::DoctorArgs),
}

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(Style::new());

/// What `engram` alone says.
pub const WELCOME: &str = "\
Engram shows where a small language model stores a fact, how redundantly, and
whether it can be rewritten.

Where is one fact?
  engram trace \"The capital of France is\" --subject France \\
      --model HuggingFaceTB/SmolLM2-135M

Where are a hundred facts, and can they be edited?
  engram study --model HuggingFaceTB/SmolLM2-135M --facts counterfact.json \\
      -n 100 --out studies

Everything at once, offline, on small models that are part of the program?
  engram demo --quick

All of it in a browser, on this machine?
  engram lab

Does this machine's GPU work?
  engram doctor

All commands: engram --help";

/// The grammar.
pub fn command() -> clap::Command {
    Cli::command().mut_subcommand("study", shards::refuse_settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::record::{EditMethod, EditSettings, Settings};

    #[test]
    fn the_grammar_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn with_a_shard_the_plan_decides() {
        let refused = |line: &str| {
            let parsed = command().try_get_matches_from(line.split(' '));
            parsed.err().is_some_and(|error| error.kind() == clap::error::ErrorKind::ArgumentConflict)
        };
        let shard = "engram study --plan p --wave 1 --shard 0/2";
        assert!(command().try_get_matches_from(format!("{shard} --device cpu --notice 9 --quiet").split(' ')).is_ok());
        assert!(command().try_get_matches_from("engram study --status p --json".split(' ')).is_ok());
        for setting in ["-n 4", "--stages 1", "--edit-method rome", "--fluency", "--lr 0.1", "--model a", "--out o"] {
            assert!(refused(&format!("{shard} {setting}")), "{setting}");
            assert!(refused(&format!("engram study --status p {setting}")), "{setting}");
        }
    }

    #[test]
    fn defaults_are_the_methods_defaults() {
        let line = ["engram", "study", "--model", "a/b", "--facts", "Cargo.toml", "--out", "."];
        let Ok(Cli { command: Some(Command::Study(args)), .. }) = Cli::try_parse_from(line) else {
            panic!("the line must parse");
        };
        assert_eq!(args.settings().ok(), Some(Settings::default()));

        let line = ["engram", "edit", "The {}", "--subject", "s", "--target", "a", "--new", "b"];
        let line = line.into_iter().chain(["--model", "a/b"]);
        let Ok(Cli { command: Some(Command::Edit(args)), .. }) = Cli::try_parse_from(line) else {
            panic!("the line must parse");
        };
        let method = EditMethod::named("r-rome").expect("a method");
        assert_eq!(args.settings().map(|settings| settings.edit).ok(), Some(EditSettings::of(method)));
    }
}
