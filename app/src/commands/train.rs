//! `engram train`: a small model from facts and ordinary text, as a Hugging Face folder.

use crate::engine::{self, Trained};
use crate::options::{self, MODEL, OUTPUT};
use crate::progress::{self, Progress};
use crate::render::text;
use crate::ui::Ui;
use crate::wanted::Training;
use anyhow::Result;
use clap::Args;
use engram_core::device::DeviceChoice;
use std::path::PathBuf;

/// Arguments of `engram train`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrainArgs {
    /// Recipe (TOML): the model's config.json, how often facts are told, the optimizer
    #[arg(value_name = "RECIPE", value_parser = options::file)]
    pub recipe: PathBuf,
    /// Facts: CounterFact JSON whose paraphrase prompts are further wordings
    #[arg(long, value_name = "FILE", value_parser = options::file)]
    pub facts: PathBuf,
    /// Ordinary text, a sentence a line; `P19|P20<TAB>sentence` tells a fact with {} and []
    #[arg(long, value_name = "FILE", value_parser = options::file)]
    pub text: PathBuf,
    /// Where to compute: auto, gpu or cpu; auto takes the GPU when one works
    #[arg(long, value_name = "WHERE", value_parser = options::device, default_value = "auto", help_heading = MODEL)]
    pub device: DeviceChoice,
    /// Folder for the model; made when missing
    #[arg(long, value_name = "DIR", value_parser = options::folder, help_heading = OUTPUT)]
    pub out: PathBuf,
    /// Start again instead of resuming an interrupted training
    #[arg(long, help_heading = OUTPUT)]
    pub fresh: bool,
    /// Print the loss curve and the recall as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  engram train recipe.toml --facts facts.json --text text.tsv --out my-model
  engram study --model my-model --facts facts.json -n 450 --out studies

An interrupted training goes on after its last finished epoch when the same
line is run again, and ends with the same weights.";

impl TrainArgs {
    fn wanted(&self) -> Training {
        Training {
            recipe: self.recipe.clone(),
            facts: self.facts.clone(),
            text: self.text.clone(),
            device: self.device,
            out: self.out.clone(),
            fresh: self.fresh,
        }
    }
}

/// Runs the command.
pub fn run(args: &TrainArgs, ui: &Ui) -> Result<()> {
    let progress = Progress::new(*ui);
    let trained = engine::train(&args.wanted(), &progress)?;
    progress.finish();
    if args.json {
        ui.print_json(&trained)?;
    } else {
        ui.print(&summary(&trained))?;
    }
    progress::wrote(ui, "model", &args.out);
    Ok(())
}

fn summary(trained: &Trained) -> String {
    let recall = &trained.recall;
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    [
        format!("{}: {} parameters, {} epochs", text::escape(&trained.name), trained.parameters, trained.epochs.len()),
        format!("  trained wordings   {} of {} right", percent(recall.trained_right), recall.trained),
        format!("  held-out wordings  {} of {} right", percent(recall.held_out_right), recall.held_out),
        format!("  mean p of the true answer  {:.3}, held out {:.3}", recall.p_trained, recall.p_held_out),
    ]
    .join("\n")
}
