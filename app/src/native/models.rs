//! Models of the native engine: bundled ones, those in the Hub's cache, and those in folders that its owner names. A page names an
//! entry of this list; nothing that it says becomes a path.

use crate::bundled;
use crate::hub;
use engram_core::names::{HubId, is_gguf};
use engram_core::protocol::{Cached, ModelRef};
use engram_core::service::{Opened, Parts};
use engram_core::weights::Checkpoint;
use engram_core::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A model on this computer.
struct Entry {
    cached: Cached,
    path: PathBuf,
}

/// Folders that are searched besides the Hub's cache.
pub(super) struct Models {
    pub(super) folders: Vec<PathBuf>,
}

impl Models {
    /// What is here, by name.
    pub(super) fn list(&self) -> Vec<Cached> {
        self.all().into_iter().map(|entry| entry.cached).collect()
    }

    fn all(&self) -> Vec<Entry> {
        let hub = hub::cached().into_iter().filter_map(|model| {
            let id = HubId::parse(&model.id)?;
            let revision = (model.revision != "main").then(|| model.revision.clone());
            let file = id.file.map(str::to_owned);
            let place = ModelRef::Hub { id: id.name.to_owned(), revision, file };
            // Half a download is offered where it can be completed.
            hub::is_at_hand(&named(&place)?).then(|| entry(model.id.clone(), place, model.path, model.bytes))
        });
        let mut all: Vec<Entry> = hub.collect();
        for folder in &self.folders {
            all.extend(found(folder));
        }
        all
    }

    /// Opens the files of a model of the list, or of a bundled one.
    pub(super) async fn open(&self, model: &ModelRef) -> Result<Opened> {
        match model {
            ModelRef::Bundled { name } => {
                let none = || Error::input(format!("\"{}\" is no bundled model", engram_core::text::told(name)));
                let model = bundled::find(name).ok_or_else(none)?;
                Ok(opened(name.clone(), Parts::Sources(model.sources()), model.bytes()))
            }
            ModelRef::Files { .. } | ModelRef::Url { .. } => {
                Err(Error::input("this computer's engine takes models from its own disk, not from a page")
                    .hint("put the model into a folder that `engram lab --models DIR` names")
                    .in_page("choose a model of the list, or compute in this tab"))
            }
            ModelRef::Hub { .. } | ModelRef::Cached { .. } => {
                let is = |entry: &Entry| match model {
                    ModelRef::Cached { key } => entry.cached.key == *key,
                    _ => entry.cached.model == *model,
                };
                let entry = self.all().into_iter().find(is).ok_or_else(|| missing(model))?;
                let checkpoint = match entry.path.is_file() && matches!(entry.cached.model, ModelRef::Hub { .. }) {
                    true => Checkpoint::of_file(&entry.path).await,
                    false => Checkpoint::open(&entry.path, None).await,
                };
                let checkpoint = checkpoint.map_err(|error| error.at(&entry.cached.name))?;
                Ok(opened(entry.cached.name, Parts::Whole(Box::new(checkpoint)), entry.cached.bytes))
            }
        }
    }
}

fn missing(model: &ModelRef) -> Error {
    let name = engram_core::text::told(model.name());
    Error::input(format!("{name} is not on this computer"))
        .hint(format!("fetch it with `engram trace --model {name} …`, which keeps it"))
        .in_page("load it in this tab, or fetch it with the program first")
}

fn opened(name: String, parts: Parts, bytes: u64) -> Opened {
    Opened {
        name,
        parts,
        all: bytes,
        here: bytes,
        licence: None,
        weights_sha256: None,
        tokenizer_sha256: None,
        kept: None,
        remarks: Vec::new(),
    }
}

/// A Hub model as the command line names it.
fn named(model: &ModelRef) -> Option<String> {
    let ModelRef::Hub { id, revision, file } = model else { return None };
    let revision = revision.as_ref().map(|revision| format!("@{revision}")).unwrap_or_default();
    let file = file.as_ref().map(|file| format!(":{file}")).unwrap_or_default();
    Some(format!("{id}{revision}{file}"))
}

fn entry(name: String, model: ModelRef, path: PathBuf, bytes: u64) -> Entry {
    let used = path.metadata().and_then(|about| about.modified()).ok();
    let used = used.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let cached = Cached {
        key: key(&path),
        name,
        model,
        bytes,
        all: bytes,
        verified: None,
        used_ms: used.map_or(0.0, |time| time.as_secs_f64() * 1e3),
    };
    Entry { cached, path }
}

/// A name for a path that tells nothing of it.
fn key(path: &Path) -> String {
    engram_core::hex(&Sha256::digest(path.as_os_str().as_encoded_bytes()))[..16].to_owned()
}

/// The folder itself where it is a model, its GGUF files, and the models one level below.
fn found(folder: &Path) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut places = vec![folder.to_owned()];
    let below = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    places.extend(below.filter(|path| path.is_dir()));
    places.sort();
    for place in places {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let files: Vec<PathBuf> =
            std::fs::read_dir(&place).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        let size = |path: &PathBuf| path.metadata().map_or(0, |about| about.len());
        let weights: u64 = files.iter().filter(|path| name(path).ends_with(".safetensors")).map(size).sum();
        let mut push = |path: &Path, bytes: u64| {
            let name = name(path).trim_end_matches(".gguf").to_owned();
            all.push(entry(name, ModelRef::Cached { key: key(path) }, path.to_owned(), bytes));
        };
        if weights > 0 && place.join("config.json").is_file() {
            push(&place, weights);
        }
        for file in files.iter().filter(|path| is_gguf(&name(path)) && path.is_file()) {
            push(file, size(file));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use pollster::block_on;

    #[test]
    fn what_is_not_in_the_list_is_not_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let model = folder.path().join("one");
        std::fs::create_dir(&model).expect("a folder");
        for (name, bytes) in [("config.json", "{}"), ("model.safetensors", "1234"), ("tokenizer.json", "{}")] {
            std::fs::write(model.join(name), bytes).expect("a file");
        }
        std::fs::write(folder.path().join("two.Q4_0.gguf"), "GGUF").expect("a file");
        let models = Models { folders: vec![folder.path().to_owned()] };
        let here = |cached: &Cached| matches!(cached.model, ModelRef::Cached { .. });
        let list: Vec<Cached> = models.list().into_iter().filter(here).collect();
        let told: Vec<(&str, u64)> = list.iter().map(|model| (model.name.as_str(), model.bytes)).collect();
        assert_eq!(told, [("two.Q4_0", 4), ("one", 4)]);
        let text = serde_json::to_string(&list).expect("json");
        assert!(!text.contains(&*folder.path().to_string_lossy()), "no path leaves this computer: {text}");
        for key in ["", "../one", model.to_str().expect("a path")] {
            let refused = block_on(models.open(&ModelRef::Cached { key: key.into() })).err().expect("not of the list");
            assert!(refused.message().contains("is not on this computer"), "{refused}");
        }
        let elsewhere = ModelRef::Url { url: "http://127.0.0.1/secret".into() };
        let refused = block_on(models.open(&elsewhere)).err().expect("a page names no addresses");
        assert!(refused.message().contains("its own disk"), "{refused}");
        let open = |at: usize| block_on(models.open(&list[at].model)).err();
        assert!(open(0).is_some_and(|error| error.to_string().contains("two.Q4_0")), "it is no GGUF file");
    }
}
