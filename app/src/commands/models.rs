//! `engram models`: the bundled models, and what is in the cache of downloaded ones.

use crate::bundled;
use crate::engine::{self, Cached};
use crate::options;
use crate::render::table::{Align, Table};
use crate::render::text;
use crate::ui::Ui;
use anyhow::Result;
use clap::{Args, Subcommand};
use engram_core::Error;
use engram_core::names::HubId;

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
    /// List the bundled and the downloaded models and their sizes
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a downloaded model, all its revisions
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
        Some(Action::Path { id }) => {
            let path = find(id)?.path.unwrap_or_default();
            Ok(ui.print(&path.display().to_string())?)
        }
        Some(Action::Delete { id }) => {
            let model = find(id)?;
            let freed = engine::delete_model(&model.id)?;
            ui.note(&format!("deleted {}, {} freed", model.id, text::bytes(freed)));
            Ok(())
        }
    }
}

fn list(json: bool, ui: &Ui) -> Result<()> {
    let downloaded = engine::cached_models();
    let mut models = engine::bundled_models();
    let bundled = models.len();
    models.extend(downloaded);
    if json {
        return ui.print_json(&models);
    }
    ui.print_table(&table(&models))?;
    ui.note(&match models.len() > bundled {
        true => format!("downloaded models are in {}", engine::cache_folder().display()),
        false => "no models are downloaded; the first `--model owner/name` downloads one".to_owned(),
    });
    Ok(())
}

fn table(models: &[Cached]) -> Table {
    let head = [("model", Align::Left), ("revision", Align::Left), ("family", Align::Left), ("size", Align::Right)];
    let mut table = Table::new("", &head);
    for model in models {
        let family = model.family.as_deref().unwrap_or("-");
        // A commit is known by its first digits.
        let commit = model.revision.len() == 40 && model.revision.chars().all(|c| c.is_ascii_hexdigit());
        let revision = if commit { &model.revision[..8] } else { &model.revision };
        table.row([&model.id, revision, family, &text::bytes(model.bytes)]);
    }
    if models.len() > 1 {
        let total = text::bytes(models.iter().map(|model| model.bytes).sum());
        table.row(["total", "", "", &total]);
    }
    table
}

/// A model by its name; `owner/name@revision` where there are several revisions.
fn find(id: &str) -> Result<Cached> {
    if bundled::find(id).is_some() {
        return Err(Error::input(format!("{id} is part of the program and has no folder"))
            .hint(format!("use it by its name: --model {id}"))
            .into());
    }
    let models = engine::cached_models();
    let (name, revision) = match HubId::parse(id) {
        Some(HubId { name, revision, file: Some(file) }) => (format!("{name}:{file}"), revision),
        Some(HubId { name, revision, file: None }) => (name.to_owned(), revision),
        None => (id.to_owned(), None),
    };
    // Names on the Hub do not differ by case alone.
    let named = |model: &&Cached| model.id.eq_ignore_ascii_case(&name);
    let wanted = |model: &&Cached| revision.is_none_or(|revision| model.revision.starts_with(revision));
    match models.iter().filter(named).find(wanted) {
        Some(model) => Ok(model.clone()),
        None => {
            let error = Error::input(format!("{id} is not among the downloaded models"));
            let hint = if models.is_empty() { "no models are downloaded" } else { "`engram models` lists them" };
            Err(error.hint(hint).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::style::{Ink, Screen};

    #[test]
    fn the_list() {
        let model = |id: &str, revision: &str, bytes| Cached {
            id: id.into(),
            revision: revision.into(),
            family: Some("llama".into()),
            bytes,
            path: Some("cache".into()),
        };
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let models = [model("owner/one", "main", 269_000_000), model("owner/two", commit, 1_200)];
        let screen = Screen { width: 60, ink: Ink::None };
        insta::assert_snapshot!(crate::render::table::render(&table(&models), screen, false));
    }
}
