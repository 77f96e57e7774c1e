//! `engram models`: what is in the cache of downloaded models.

use crate::engine::{self, Cached};
use crate::options;
use crate::render::table::{Align, Table};
use crate::render::text;
use crate::ui::Ui;
use anyhow::Result;
use clap::{Args, Subcommand};
use engram_core::Error;

/// Arguments of `engram models`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ModelsArgs {
    /// What to do; `list` when left out.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// List the downloaded models and their sizes
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a downloaded model
    Delete {
        /// The model, as `engram models` names it
        #[arg(value_name = "ID", value_parser = options::text)]
        id: String,
    },
    /// Print the folder of a downloaded model
    Path {
        /// The model, as `engram models` names it
        #[arg(value_name = "ID", value_parser = options::text)]
        id: String,
    },
}

const EXAMPLES: &str = "\
Examples:
  engram models
  engram models path HuggingFaceTB/SmolLM2-135M
  engram models delete HuggingFaceTB/SmolLM2-135M";

/// Runs the command.
pub fn run(args: &ModelsArgs, ui: &Ui) -> Result<()> {
    match &args.action {
        None => list(false, ui),
        Some(Action::List { json }) => list(*json, ui),
        Some(Action::Path { id }) => Ok(ui.print(&find(id)?.path.display().to_string())?),
        Some(Action::Delete { id }) => {
            let model = find(id)?;
            let freed = engine::delete_model(&model.id)?;
            ui.note(&format!("deleted {}, {} freed", model.id, text::bytes(freed)));
            Ok(())
        }
    }
}

fn list(json: bool, ui: &Ui) -> Result<()> {
    let models = engine::cached_models()?;
    if json {
        return ui.print_json(&models);
    }
    if models.is_empty() {
        ui.note("no models are downloaded; the first `--model owner/name` downloads one");
        return Ok(());
    }
    ui.print_table(&table(&models))?;
    ui.note(&format!("in {}", engine::cache_folder()?.display()));
    Ok(())
}

fn table(models: &[Cached]) -> Table {
    let head = [("model", Align::Left), ("size", Align::Right), ("state", Align::Left)];
    let mut table = Table::new("", &head);
    for model in models {
        let state = if model.complete { "complete" } else { "partly downloaded" };
        table.row([model.id.clone(), text::bytes(model.bytes), state.into()]);
    }
    if models.len() > 1 {
        let total = text::bytes(models.iter().map(|model| model.bytes).sum());
        table.row(["total".to_owned(), total, String::new()]);
    }
    table
}

fn find(id: &str) -> Result<Cached> {
    let models = engine::cached_models()?;
    // Ids on the Hub do not differ by case alone.
    let found = models.iter().find(|model| model.id.eq_ignore_ascii_case(id)).cloned();
    Ok(found.ok_or_else(|| {
        let error = Error::input(format!("{id} is not among the downloaded models"));
        match &models[..] {
            [] => error.hint("no models are downloaded"),
            _ => error.hint("`engram models` lists them"),
        }
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::style::{Ink, Screen};

    #[test]
    fn the_list() {
        let model = |id: &str, bytes, complete| Cached { id: id.into(), bytes, complete, path: "cache".into() };
        let models = [model("owner/one", 269_000_000, true), model("owner/two", 1_200, false)];
        let screen = Screen { width: 60, ink: Ink::None };
        insta::assert_snapshot!(crate::render::table::render(&table(&models), screen, false));
    }
}
