//! Models from the Hugging Face hub, in the cache folder that its other programs use too.
//!
//! What is in the cache is found without the network. What is downloaded is checked against the hash that the hub
//! gives as the file's etag, which is also the name of the file's blob in the cache.

mod download;

use std::path::{Path, PathBuf};

use anyhow::Context;
use engram_core::Error;
use hf_hub::api::sync::ApiBuilder;
use hf_hub::{Cache, Repo, RepoType};

use download::Job;

const INDEX: &str = "model.safetensors.index.json";
const WHOLE: &str = "model.safetensors";

/// Finds or downloads a model: `org/name` or `org/name@revision`. Returns the folder with its files.
pub(crate) fn fetch(id: &str, quiet: bool) -> anyhow::Result<PathBuf> {
    Hub::from_env().fetch(id, quiet)
}

/// Whether a model is in the cache, complete; nothing is asked of the network.
pub(crate) fn is_at_hand(id: &str) -> bool {
    Hub { offline: true, ..Hub::from_env() }.fetch(id, true).is_ok()
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
    /// `org/name`.
    pub(crate) id: String,
    /// A branch or tag where one points here, else the commit.
    pub(crate) revision: String,
    /// The folder that [`fetch`] returns.
    pub(crate) path: PathBuf,
    /// The size of its files.
    pub(crate) bytes: u64,
    /// `model_type` of config.json.
    pub(crate) family: Option<String>,
}

/// A hub and a cache folder.
pub(crate) struct Hub {
    pub(crate) cache: PathBuf,
    pub(crate) endpoint: String,
    pub(crate) token: Option<String>,
    /// Use the cache only.
    pub(crate) offline: bool,
    /// How often an interrupted download is taken up again.
    pub(crate) retries: usize,
}

impl Hub {
    /// As `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_ENDPOINT` and `HF_HUB_OFFLINE` say.
    pub(crate) fn from_env() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let home = set("HF_HOME").map(PathBuf::from).unwrap_or_else(|| {
            let user = set("HOME").or_else(|| set("USERPROFILE")).map_or_else(std::env::temp_dir, PathBuf::from);
            let caches = set("XDG_CACHE_HOME").map_or_else(|| user.join(".cache"), PathBuf::from);
            caches.join("huggingface")
        });
        let cache = set("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from);
        let token = set("HF_TOKEN").or_else(|| std::fs::read_to_string(home.join("token")).ok());
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Self {
            cache,
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            token: token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()),
            offline: set("HF_HUB_OFFLINE").is_some_and(|value| !matches!(value.as_str(), "0" | "false" | "FALSE")),
            retries: 3,
        }
    }

    pub(crate) fn fetch(&self, id: &str, quiet: bool) -> anyhow::Result<PathBuf> {
        let (name, revision) = parse(id)?;
        let folder = self.folder(name);
        if let Some(snapshot) = snapshot(&folder, revision).filter(|snapshot| complete(snapshot)) {
            return Ok(snapshot);
        }
        if self.offline {
            let message =
                format!("{id} is not complete in the cache ({}), and HF_HUB_OFFLINE is set", folder.display());
            return Err(Error::io(message).hint("unset HF_HUB_OFFLINE, or name a local model folder").into());
        }
        let api = ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_user_agent("engram", env!("CARGO_PKG_VERSION"))
            .build()
            .with_context(|| format!("cannot reach {}", self.endpoint))?;
        let repo =
            |revision: &str| api.repo(Repo::with_revision(name.to_owned(), RepoType::Model, revision.to_owned()));
        let job = Job { hub: self, id, api: &api, bar: download::bar(quiet) };
        // The files of one commit: a branch may move between two files, or since an interrupted download.
        let snapshot = match snapshot(&folder, revision) {
            Some(started) => started,
            None => {
                let config = job.file(&repo(revision), "config.json")?.ok_or_else(|| job.absent("config.json"))?;
                config.parent().map(Path::to_owned).context("a file without a folder")?
            }
        };
        let commit = snapshot.file_name().map(|commit| commit.to_string_lossy().into_owned()).unwrap_or_default();
        let pinned = repo(&commit);
        let result = job.all(&pinned, &snapshot);
        job.bar.finish_and_clear();
        if commit != revision {
            // Left by the pinned downloads; a commit needs no name.
            std::fs::remove_file(folder.join("refs").join(&commit)).ok();
        }
        result.map(|()| snapshot)
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
                let bytes = entries(&path).iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
                if bytes > 0 {
                    let (id, family) = (id.clone(), family(&path));
                    let revision = named.map_or(commit, |(name, _)| name.clone());
                    models.push(CachedModel { id, revision, path, bytes, family });
                }
            }
        }
        models.sort_by(|a, b| (&a.id, &a.revision).cmp(&(&b.id, &b.revision)));
        models
    }

    pub(crate) fn delete(&self, id: &str) -> anyhow::Result<u64> {
        let (name, _) = parse(id)?;
        if id.contains('@') {
            return Err(Error::input(format!("{id}: revisions share files and are removed together"))
                .hint(format!("name the model alone: {name}"))
                .into());
        }
        let folder = self.folder(name);
        if !folder.is_dir() {
            return Err(Error::input(format!("{id} is not in the cache ({})", self.cache.display())).into());
        }
        let blobs = entries(&folder.join("blobs")).iter().filter_map(|blob| Some(blob.metadata().ok()?.len())).sum();
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        Ok(blobs)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.cache.join(format!("models--{}", name.replace('/', "--")))
    }
}

/// `org/name[@revision]` to name and revision.
fn parse(id: &str) -> anyhow::Result<(&str, &str)> {
    let (name, revision) = id.split_once('@').unwrap_or((id, "main"));
    let plain = |part: &str, more: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || more.contains(c);
        !part.is_empty() && part.chars().all(allowed) && !part.starts_with(['.', '/']) && !part.contains("..")
    };
    if name.split('/').count() <= 2 && name.split('/').all(|part| plain(part, "")) && plain(revision, "/") {
        return Ok((name, revision));
    }
    Err(Error::input(format!("`{id}` is neither a local folder or file nor a hub id"))
        .hint("an id looks like HuggingFaceTB/SmolLM2-135M or gpt2, with @revision where one is wanted")
        .into())
}

/// The folder of a revision, complete or not.
fn snapshot(folder: &Path, revision: &str) -> Option<PathBuf> {
    let named = std::fs::read_to_string(folder.join("refs").join(revision)).ok();
    let commit = named.as_deref().map_or(revision, str::trim);
    Some(folder.join("snapshots").join(commit)).filter(|path| !commit.is_empty() && path.is_dir())
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
    let inside = |file: &String| !file.starts_with(['/', '.']) && !file.contains("..");
    anyhow::ensure!(!files.is_empty() && files.iter().all(inside), "it names no files, or files outside the model");
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
#[path = "hub_tests.rs"]
mod tests;
