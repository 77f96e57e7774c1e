//! The command line's grammar: global flags and the list of commands.

use crate::commands::{
    compare, demo, doctor, edit, export, lab, merge, models, report, serve, slurm, study, trace, train, verify,
};
use crate::ui::ColorChoice;
use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Args, Parser, Subcommand};

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use engram_core::record::{EditMethod, EditSettings, Settings};

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
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
