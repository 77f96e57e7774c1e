//! Models from the Hugging Face hub, in the cache folder that its other programs use too.
//!
//! What is in the cache is found without the network. What is downloaded is checked against the hash that the hub
//! gives as the file's etag, which is also the name of the file's blob in the cache.

mod cache;
mod check;
mod client;
mod download;
mod env;
mod names;
mod refusal;
mod transfer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use engram_core::Error;
use engram_core::names::{HubId, is_gguf, is_inside};

use crate::progress::Progress;
use cache::Folder;
use client::Client;
use download::Job;

const INDEX: &str = "model.safetensors.index.json";
const WHOLE: &str = "model.safetensors";
/// Before the name of a dataset.
const DATASETS: &str = "datasets/";

/// Finds or downloads a model: `org/name` or `org/name@revision`. Returns the folder with its files, or for
/// `org/name:FILE.gguf` that file.
pub(crate) fn fetch(id: &str, progress: &Progress) -> anyhow::Result<PathBuf> {
    Hub::from_env().fetch(id, progress)
}

/// Finds or downloads a file of a dataset, `owner/name`.
pub(crate) fn dataset(name: &str, file: &str, progress: &Progress) -> anyhow::Result<PathBuf> {
    Hub::from_env().dataset(name, file, progress)
}

/// Whether a model is in the cache, complete; nothing is asked of the network.
pub(crate) fn is_at_hand(id: &str) -> bool {
    Hub::from_env().at_hand(id).is_ok_and(|snapshot| snapshot.is_some())
}

/// The models in the cache.
pub(crate) fn cached() -> Vec<CachedModel> {
    Hub::from_env().cached()
}

/// Removes a model, all its revisions, from the cache. Returns the bytes that became free.
pub(crate) fn delete(id: &str) -> anyhow::Result<u64> {
    Hub::from_env().delete(id)
}

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedModel {
    /// `org/name`, of a GGUF file `org/name:FILE.gguf`.
    pub(crate) id: String,
    /// A branch or tag where one points here, else the commit.
    pub(crate) revision: String,
    /// The folder, or the file, that [`fetch`] returns.
    pub(crate) path: PathBuf,
    /// The size of its files.
    pub(crate) bytes: u64,
    /// `model_type` of config.json.
    pub(crate) family: Option<String>,
}

/// An access token.
#[derive(Clone)]
pub(crate) struct Token {
    value: String,
    /// The variable or file that it is from.
    from: String,
}

/// A hub and a cache folder.
pub(crate) struct Hub {
    pub(crate) cache: PathBuf,
    endpoint: String,
    token: Option<Token>,
    /// Use the cache only.
    offline: bool,
    /// Whether the cache may hold links.
    links: bool,
    /// How often in a row a transfer that brings nothing is taken up again.
    retries: usize,
    /// How long a server may say nothing.
    idle: Duration,
}

impl Hub {
    fn fetch(&self, id: &str, progress: &Progress) -> anyhow::Result<PathBuf> {
        if let Some(snapshot) = self.at_hand(id)? {
            return Ok(snapshot);
        }
        let named = parse(id)?;
        let (name, revision) = (named.name, named.revision.unwrap_or("main"));
        let folder = Folder::new(&self.cache, name, self.links);
        let job = self.job(id, named, &folder, "name a local model folder", progress)?;
        // The files of one commit: a branch may move between two files, or since an interrupted download.
        let outcome = (|| {
            if let Some(file) = named.file {
                return job.file(revision, file, None)?.ok_or_else(|| job.absent(file));
            }
            let snapshot = match folder.snapshot(revision) {
                Some(started) => started,
                None => {
                    let config = job.file(revision, "config.json", None)?.ok_or_else(|| job.absent("config.json"))?;
                    config.parent().map(Path::to_owned).context("a file without a folder")?
                }
            };
            job.all(&snapshot, &file_name(&snapshot)).map(|()| snapshot)
        })();
        progress.finish();
        job.tell_unchecked();
        outcome
    }

    fn dataset(&self, name: &str, file: &str, progress: &Progress) -> anyhow::Result<PathBuf> {
        // The hub's addresses and the cache's folders have this word in front of a dataset's name.
        let id = format!("{DATASETS}{name}");
        let folder = Folder::new(&self.cache, &id, self.links);
        if let Some(file) = folder.snapshot("main").map(|snapshot| snapshot.join(file)).filter(|file| file.exists()) {
            return Ok(file);
        }
        let named = HubId { name: &id, revision: None, file: Some(file) };
        let job = self.job(&id, named, &folder, "name a local file", progress)?;
        let outcome = job.file("main", file, None).and_then(|found| found.ok_or_else(|| job.absent(file)));
        progress.finish();
        job.tell_unchecked();
        outcome
    }

    /// A download, where the network may be used; `otherwise` is what the user can do else.
    fn job<'a>(
        &'a self,
        id: &'a str,
        named: HubId<'a>,
        folder: &Folder,
        otherwise: &str,
        progress: &'a Progress,
    ) -> anyhow::Result<Job<'a>> {
        if self.offline {
            let message =
                format!("{id} is not complete in the cache ({}), and HF_HUB_OFFLINE is set", folder.path().display());
            return Err(Error::io(message).hint(format!("unset HF_HUB_OFFLINE, or {otherwise}")).into());
        }
        let (client, folder) = (Client::new(self)?, folder.clone());
        Ok(Job { hub: self, id, named, folder, client, progress, unchecked: Default::default() })
    }

    /// The folder of a model that is in the cache, complete, or its file.
    fn at_hand(&self, id: &str) -> anyhow::Result<Option<PathBuf>> {
        let named = parse(id)?;
        let snapshot = Folder::new(&self.cache, named.name, self.links).snapshot(named.revision.unwrap_or("main"));
        Ok(match named.file {
            Some(file) => snapshot.map(|snapshot| snapshot.join(file)).filter(|file| file.exists()),
            None => snapshot.filter(|snapshot| complete(snapshot)),
        })
    }

    pub(crate) fn cached(&self) -> Vec<CachedModel> {
        let mut models = Vec::new();
        for folder in entries(&self.cache) {
            let Some(id) = file_name(&folder).strip_prefix("models--").map(|id| id.replace("--", "/")) else {
                continue;
            };
            let refs: Vec<_> = entries(&folder.join("refs"))
                .into_iter()
                .filter_map(|path| Some((file_name(&path), std::fs::read_to_string(&path).ok()?)))
                .collect();
            for path in entries(&folder.join("snapshots")) {
                let commit = file_name(&path);
                let named = refs.iter().find(|(_, target)| target.trim() == commit);
                let revision = named.map_or(commit, |(name, _)| name.clone());
                let (mut ggufs, mut bytes) = (Vec::new(), 0);
                for file in entries(&path) {
                    match file.metadata() {
                        Ok(about) if is_gguf(&file_name(&file)) => ggufs.push((file, about.len())),
                        Ok(about) => bytes += about.len(),
                        Err(_) => {}
                    }
                }
                // Each GGUF file is a model by itself.
                for (file, bytes) in ggufs {
                    let id = format!("{id}:{}", file_name(&file));
                    models.push(CachedModel { id, revision: revision.clone(), path: file, bytes, family: None });
                }
                if bytes > 0 {
                    let (id, family) = (id.clone(), family(&path));
                    models.push(CachedModel { id, revision, path, bytes, family });
                }
            }
        }
        models.sort_by(|a, b| (&a.id, &a.revision).cmp(&(&b.id, &b.revision)));
        models
    }

    pub(crate) fn delete(&self, id: &str) -> anyhow::Result<u64> {
        let HubId { name, revision, file } = parse(id)?;
        if revision.is_some() {
            return Err(Error::input(format!("{id}: revisions share files and are removed together"))
                .hint(match file {
                    Some(file) => format!("name the file alone: {name}:{file}"),
                    None => format!("name the model alone: {name}"),
                })
                .into());
        }
        let folder = Folder::new(&self.cache, name, self.links);
        if !folder.path().is_dir() {
            return Err(Error::input(format!("{id} is not in the cache ({})", self.cache.display())).into());
        }
        let removed = match file {
            Some(file) => folder.remove_file(file),
            None => folder.remove(),
        };
        removed.with_context(|| format!("cannot remove {}", folder.path().display()))
    }
}

/// `org/name[@revision][:FILE.gguf]`.
fn parse(id: &str) -> anyhow::Result<HubId<'_>> {
    HubId::parse(id).ok_or_else(|| {
        Error::input(format!("`{}` is neither a local folder or file nor a hub id", names::said(id)))
            .hint(
                "an id looks like HuggingFaceTB/SmolLM2-135M or gpt2, with @revision where one is wanted, and \
                 :FILE.gguf for a GGUF file",
            )
            .into()
    })
}

fn complete(snapshot: &Path) -> bool {
    let there = |name: &str| snapshot.join(name).exists();
    there("config.json") && there("tokenizer.json") && has_weights(snapshot)
}

fn has_weights(snapshot: &Path) -> bool {
    let index = snapshot.join(INDEX);
    match index.exists() {
        true => shards(&index).is_ok_and(|files| files.iter().all(|file| snapshot.join(file).exists())),
        false => entries(snapshot).iter().any(|path| file_name(path).ends_with(".safetensors") && path.exists()),
    }
}

/// The files that an index names.
fn shards(index: &Path) -> anyhow::Result<Vec<String>> {
    let index: serde_json::Value = serde_json::from_slice(&std::fs::read(index)?)?;
    let map = index.get("weight_map").and_then(|map| map.as_object()).context("no weight_map")?;
    let mut files: Vec<_> = map.values().filter_map(|file| file.as_str()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    if files.is_empty() || !files.iter().all(|file| is_inside(file) && file.ends_with(".safetensors")) {
        return Err(Error::io("it names no safetensors files, or files outside the model")
            .hint("the model's repository is damaged: tell its owner, or use another revision")
            .into());
    }
    Ok(files)
}

fn family(snapshot: &Path) -> Option<String> {
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(snapshot.join("config.json")).ok()?).ok()?;
    Some(config.get("model_type")?.as_str()?.to_owned())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
