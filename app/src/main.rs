//! Engram's command line. Exit codes: 0 ok, 1 failed, 2 wrong usage or input; shards have more (docs/SCALE.md).

#![expect(unreachable_pub, reason = "a program exports nothing; `pub` marks what a module offers to the others")]

mod bundled;
mod cell;
mod cli;
mod commands;
mod engine;
mod export;
mod fail;
mod hub;
mod lab;
mod memory;
mod method;
mod native;
mod options;
mod progress;
mod records;
mod render;
mod report;
mod slurm;
mod talk;
mod ui;
mod wanted;

use clap::FromArgMatches;
use cli::{Cli, Command};
use std::process::ExitCode;
use ui::{ColorChoice, Ui};

fn main() -> ExitCode {
    memory::prepare();
    let arguments = options::with_ranges(std::env::args_os());
    // Errors of the grammar are shown before --color and --quiet are parsed.
    let early = Ui::new(fail::wanted_color(&arguments), false);
    let parsed = cli::command()
        .color(early.clap_color())
        .try_get_matches_from(&arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return fail::usage(&early, &error, &arguments),
    };
    let ui = Ui::new(cli.global.color, cli.global.quiet);
    talk::start(ui, cli.global.verbose);
    // To a server Ctrl-C means something else.
    if !matches!(cli.command, Some(Command::Lab(_) | Command::Serve(_))) {
        stop_on_ctrl_c(ui);
    }
    match run(&cli, &ui) {
        Ok(code) => code,
        Err(error) => fail::failure(&ui, &error),
    }
}

/// The first Ctrl-C asks the engine to stop at the end of a block, the second does not wait for it.
fn stop_on_ctrl_c(ui: Ui) {
    progress::interrupt_work();
    let mut asked = false;
    let handler = ctrlc::set_handler(move || {
        if std::mem::replace(&mut asked, true) {
            std::process::exit(1);
        }
        match progress::cancel() {
            true => ui.note("stopping; once more to stop at once"),
            false => ui.note("stopping after this unit; once more to stop at once"),
        }
    });
    if let Err(error) = handler {
        log::debug!("no Ctrl-C handler: {error}");
    }
}

/// Runs the command. A code other than 0 is of a failure that was told already.
fn run(cli: &Cli, ui: &Ui) -> anyhow::Result<ExitCode> {
    let done = |result: anyhow::Result<()>| result.map(|()| ExitCode::SUCCESS);
    let all = |result: anyhow::Result<bool>| result.map(|all| if all { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    match &cli.command {
        None => done(ui.print(cli::WELCOME).map_err(Into::into)),
        Some(Command::Demo(args)) => all(commands::demo::run(args, ui)),
        Some(Command::Lab(args)) => done(commands::lab::run(args, ui)),
        Some(Command::Serve(args)) => done(commands::serve::run(args, ui)),
        Some(Command::Trace(args)) => done(commands::trace::run(args, ui)),
        Some(Command::Study(args)) => commands::study::run(args, ui),
        Some(Command::Edit(args)) => done(commands::edit::run(args, ui)),
        Some(Command::Merge(args)) => commands::merge::run(args, ui),
        Some(Command::Slurm(args)) => done(commands::slurm::run(args, ui)),
        Some(Command::Compare(args)) => done(commands::compare::run(args, ui)),
        Some(Command::Report(args)) => done(commands::report::run(args, ui)),
        Some(Command::Export(args)) => done(commands::export::run(args, ui)),
        Some(Command::Figure(args)) => done(commands::figure::run(args, ui)),
        Some(Command::Verify(args)) => all(commands::verify::run(args, ui)),
        Some(Command::Train(args)) => done(commands::train::run(args, ui)),
        Some(Command::Models(args)) => done(commands::models::run(args, ui)),
        Some(Command::Doctor(args)) => all(commands::doctor::run(args, ui)),
    }
}

impl Ui {
    /// The same choice for clap's help.
    fn clap_color(&self) -> clap::ColorChoice {
        if self.screen.ink == render::style::Ink::None { clap::ColorChoice::Never } else { clap::ColorChoice::Always }
    }
}

impl ColorChoice {
    /// Parses a word of the command line.
    fn from_word(word: &str) -> Option<Self> {
        <Self as clap::ValueEnum>::from_str(word, false).ok()
    }
}
