//! Saved changes of weights, read for a model at hand: Engram's own files, and folders of PEFT adapters.

use super::LoadedChange;
use super::load::Loaded;
use crate::progress::Progress;
use anyhow::Result;
use engram_core::edit::{read_adapter, read_delta};
use engram_core::{Error, hex, memory};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The files of an adapter.
pub(super) const ADAPTER_CONFIG: &str = "adapter_config.json";
pub(super) const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// Reads the change that a path names; it fits the model as a whole, or there is an error.
pub(super) fn read(path: &Path, loaded: &Loaded, progress: &Progress) -> Result<LoadedChange> {
    let net = &loaded.model.net;
    let place = |error: Error| error.at(path.display());
    let (change, weights) = match folder_of(path) {
        Some(folder) => {
            let weights = file(&folder.join(ADAPTER_WEIGHTS))?;
            (read_adapter(net, &file(&folder.join(ADAPTER_CONFIG))?, &weights).map_err(place)?, weights)
        }
        None => {
            let bytes = file(path)?;
            (read_delta(net, &bytes).map_err(place)?, bytes)
        }
    };
    let info = &loaded.model.info;
    if change.made_for_sha256.as_ref().is_some_and(|sha256| *sha256 != info.weights_sha256) {
        let whose = change.made_for.as_deref().unwrap_or("another model");
        progress.note(&format!("{} was made for {whose} with other weights than {} has", path.display(), info.name));
    }
    let (path, sha256) = (path.display().to_string(), hex(&Sha256::digest(&weights)));
    Ok(LoadedChange { path, sha256, change })
}

/// The folder of an adapter: one that is named, or that of a file of it that is named.
fn folder_of(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.to_owned());
    }
    let own = path.file_name().is_some_and(|name| name == ADAPTER_CONFIG || name == ADAPTER_WEIGHTS);
    let parent = path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    parent.filter(|_| own).map(Path::to_owned)
}

/// A file's bytes.
fn file(path: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| {
        let error = Error::input(format!("{}: {error}", path.display()));
        let old = path.with_extension("bin").is_file();
        match path.file_name().is_some_and(|name| name == ADAPTER_WEIGHTS) && old {
            true => {
                error.hint("only safetensors are read, no pickles: save the adapter again with PEFT's save_pretrained")
            }
            false => error.hint(
                "give a file of --save-delta, or a folder with adapter_config.json and adapter_model.safetensors",
            ),
        }
    };
    let len = std::fs::metadata(path).map_err(failed)?.len();
    // The file, and its numbers.
    memory::reserve(2 * len, &format!("the change {}", path.display()))?;
    Ok(std::fs::read(path).map_err(failed)?)
}
