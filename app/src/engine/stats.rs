//! The text that second moments of keys are taken over, and the folder that keeps them.

use super::load::Loaded;
use super::study::read_facts;
use crate::hub;
use crate::progress::Progress;
use crate::wanted::{Facts, Model, Source};
use anyhow::Result;
use engram_core::facts::{statements, text_of_parquet};
use engram_core::journal::write_atomic;
use engram_core::record::EditSettings;
use engram_core::second_moment::{Later, StatsText, Store};
use engram_core::{Error, Kind};
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The text that is fetched from the hub.
pub(crate) const WIKITEXT: &str = "wikitext";
/// WikiText-2, the training part: two million words.
const WIKITEXT_FILE: (&str, &str) = ("Salesforce/wikitext", "wikitext-2-raw-v1/train-00000-of-00001.parquet");

/// Files in the user's cache folder.
struct Folder(PathBuf);

impl Store for Folder {
    fn read<'a>(&'a self, name: &'a str) -> Later<'a, Option<Vec<u8>>> {
        Box::pin(ready(std::fs::read(self.0.join(name)).ok()))
    }

    fn write<'a>(&'a self, name: &'a str, bytes: &'a [u8]) -> Later<'a, ()> {
        let kept = std::fs::create_dir_all(&self.0)
            .map_err(|error| Error::io(error.to_string()))
            .and_then(|()| write_atomic(&self.0.join(name), bytes));
        if let Err(error) = kept {
            log::warn!("the second moment is not kept for the next time: {error}");
        }
        Box::pin(ready(()))
    }
}

/// Gives a model the text that its editors need.
pub(super) fn attach(loaded: &mut Loaded, wanted: &Model, settings: &EditSettings, progress: &Progress) -> Result<()> {
    if !settings.needs_second_moment() && settings.sequence == 0 {
        return Ok(());
    }
    let moments = &mut loaded.model.second_moments;
    moments.text = match (&wanted.stats_text, &wanted.source) {
        (Some(path), _) if path == Path::new(WIKITEXT) && !path.exists() => {
            let (dataset, file) = WIKITEXT_FILE;
            let file = hub::dataset(dataset, file, progress)?;
            Some(StatsText::new(WIKITEXT, text_of(&file)?))
        }
        (Some(path), _) => Some(read(path)?),
        (None, source) => {
            let facts = read_facts(&Facts::Bundled, progress)?;
            if !matches!(source, Source::Bundled(_)) {
                progress.note(
                    "C is taken over sentences about the bundled facts; --stats-text wikitext takes WikiText-2 from the \
                     hub, --stats-text FILE a text of your own",
                );
            }
            Some(StatsText::new("bundled facts", statements(&facts.facts)))
        }
    };
    moments.store = Some(moments_store());
    Ok(())
}

/// Second moments that are kept in a folder of their own.
pub(super) fn kept_in(folder: PathBuf) -> Arc<dyn Store> {
    Arc::new(Folder(folder))
}

/// Where second moments are kept.
pub(crate) fn moments_store() -> Arc<dyn Store> {
    Arc::new(Folder(folder()))
}

/// What a file says: plain text, or the column `text` of a Parquet file.
fn text_of(path: &Path) -> Result<String> {
    let failed = |error: Error| error.at(path.display().to_string());
    let bytes = std::fs::read(path).map_err(|error| failed(Error::io(error.to_string()).hint("check --stats-text")))?;
    match bytes.starts_with(b"PAR1") {
        true => Ok(text_of_parquet(&bytes).map_err(failed)?),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// A text file, or all text files of a folder in the order of their names.
fn read(path: &Path) -> Result<StatsText> {
    let failed = |path: &Path, error: std::io::Error| {
        Error::new(Kind::Input, format!("{}: {error}", path.display())).hint("check --stats-text")
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if path.is_file() {
        return Ok(StatsText::new(name, text_of(path)?));
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(path)
        .map_err(|error| failed(path, error))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file() && is_text(path))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::input(format!("{}: no .txt or .parquet files are there", path.display()))
            .hint("name a text file, or a folder of .txt or .parquet files")
            .into());
    }
    let mut texts = Vec::with_capacity(files.len());
    for file in &files {
        texts.push(text_of(file)?);
    }
    Ok(StatsText::new(name, texts.join("\n")))
}

/// Where Engram keeps what can be made again.
fn folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_else(std::env::temp_dir);
    set("ENGRAM_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("engram")))
        .or_else(|| set("LOCALAPPDATA").map(|local| local.join("engram")))
        .unwrap_or_else(|| user().join(".cache").join("engram"))
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("txt") || end.eq_ignore_ascii_case("parquet"))
}
