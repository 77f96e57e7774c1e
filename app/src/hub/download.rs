//! Downloading a model's files one by one, each taken up where it stopped and checked.

use std::cell::Cell;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use engram_core::Error;
use hf_hub::api::sync::{Api, ApiError, ApiRepo};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{Hub, INDEX, WHOLE, file_name, has_weights, shards};

/// One download of a model's files.
pub(super) struct Job<'a> {
    pub(super) hub: &'a Hub,
    pub(super) id: &'a str,
    pub(super) api: &'a Api,
    pub(super) bar: ProgressBar,
}

impl Job<'_> {
    /// Everything a model needs that is not there yet.
    pub(super) fn all(&self, repo: &ApiRepo, snapshot: &Path) -> anyhow::Result<()> {
        let there = |name: &str| snapshot.join(name).exists();
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            if !there(name) && self.file(repo, name)?.is_none() && name != "tokenizer_config.json" {
                return Err(self.absent(name));
            }
        }
        if has_weights(snapshot) || (!there(INDEX) && self.file(repo, WHOLE)?.is_some()) {
            return Ok(());
        }
        if !there(INDEX) && self.file(repo, INDEX)?.is_none() {
            return Err(self.absent(WHOLE));
        }
        for shard in shards(&snapshot.join(INDEX)).with_context(|| format!("{}: {INDEX} is unreadable", self.id))? {
            if !there(&shard) && self.file(repo, &shard)?.is_none() {
                return Err(self.absent(&shard));
            }
        }
        Ok(())
    }

    /// Downloads and checks one file; `None` where the hub has no such file.
    pub(super) fn file(&self, repo: &ApiRepo, name: &str) -> anyhow::Result<Option<PathBuf>> {
        let mut tries = 0;
        loop {
            let size = Rc::new(Cell::new(0));
            let meter = Meter { bar: self.bar.clone(), size: size.clone(), fresh: false };
            match repo.download_with_progress(name, meter) {
                Ok(path) => {
                    verify(&path, size.get()).map_err(|error| error.at(format!("{}: {name}", self.id)))?;
                    return Ok(Some(path));
                }
                Err(error) if status(&error) == Some(404) => return Ok(None),
                Err(error) if tries == 0 && unusable_part(&error) => {
                    tries += 1;
                    self.forget_part(&repo.url(name));
                }
                Err(error) if tries < self.hub.retries && passing(&error) => {
                    tries += 1;
                    // What has arrived is kept, and the next try goes on from there.
                    std::thread::sleep(Duration::from_millis(500 << tries));
                }
                Err(error) => return Err(self.explain(&repo.url(name), &error)),
            }
        }
    }

    pub(super) fn absent(&self, name: &str) -> anyhow::Error {
        Error::input(format!("{} on {} has no {name}", self.id, self.hub.endpoint))
            .hint(
                "check the id and the revision; a model needs config.json, tokenizer.json and safetensors weights \
                 (for GGUF, download the file and name it)",
            )
            .into()
    }

    /// Removes what an earlier try left of a file: nothing can be appended to it.
    fn forget_part(&self, url: &str) {
        if let Ok(metadata) = self.api.metadata(url) {
            let name = self.id.split('@').next().unwrap_or(self.id);
            let blob = self.hub.folder(name).join("blobs").join(metadata.etag());
            std::fs::remove_file(blob.with_extension("part")).ok();
        }
    }

    fn explain(&self, url: &str, error: &ApiError) -> anyhow::Error {
        let (id, endpoint) = (self.id, &self.hub.endpoint);
        match (status(error), error) {
            (Some(code @ (401 | 403)), _) => Error::input(format!("{id}: access denied (HTTP {code}) at {url}")).hint(format!(
                "check the id; if it is right, the model is private or gated: accept its licence at {endpoint}/{} and \
                 set HF_TOKEN to an access token",
                id.split('@').next().unwrap_or(id)
            )),
            (Some(code), _) => Error::io(format!("{id}: HTTP {code} at {url}"))
                .hint("try again later, or set HF_ENDPOINT to a mirror; a finished part is kept"),
            (None, ApiError::LockAcquisition(path)) => {
                Error::io(format!("{id}: another program is downloading it ({})", path.display()))
                    .hint("wait until it has finished")
            }
            (None, other) => Error::io(format!("{id} is not complete in the cache, and {url} failed: {other}")).hint(
                "check the network and run the same command again (a finished part is kept), set HF_ENDPOINT to a \
                 mirror, or name a local model folder",
            ),
        }
        .into()
    }
}

/// Shows a download, and remembers the size that the hub promised.
struct Meter {
    bar: ProgressBar,
    size: Rc<Cell<u64>>,
    fresh: bool,
}

impl hf_hub::api::Progress for Meter {
    fn init(&mut self, size: usize, filename: &str) {
        self.size.set(size as u64);
        self.bar.set_length(size as u64);
        self.bar.set_position(0);
        self.bar.set_message(filename.to_owned());
        self.fresh = true;
    }

    fn update(&mut self, size: usize) {
        self.bar.inc(size as u64);
        if std::mem::take(&mut self.fresh) {
            // The first step is what an earlier try left; it says nothing about the speed.
            self.bar.reset_eta();
        }
    }

    fn finish(&mut self) {}
}

pub(super) fn bar(quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template(
        "{msg} [{wide_bar}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left",
    );
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    ProgressBar::with_draw_target(Some(0), target).with_style(style)
}

/// Checks size and hash of a downloaded file, and removes it if they are wrong.
fn verify(pointer: &Path, size: u64) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::io(format!("{}: {error}", pointer.display()));
    let blob = std::fs::canonicalize(pointer).map_err(failed)?;
    let len = blob.metadata().map_err(failed)?.len();
    let etag = file_name(&blob);
    let actual = match etag.len() {
        _ if len != size => format!("{len} bytes instead of {size}"),
        64 => hash(Sha256::new(), &blob).map_err(failed)?,
        // What git calls a blob: small files are not in large-file storage.
        40 => hash(Sha1::new_with_prefix(format!("blob {len}\0")), &blob).map_err(failed)?,
        _ => return Ok(()),
    };
    if actual == etag {
        return Ok(());
    }
    std::fs::remove_file(&blob).map_err(failed)?;
    std::fs::remove_file(pointer).ok();
    Err(Error::io(format!("the download is damaged ({actual}, expected {etag}) and was removed"))
        .hint("run the same command again; if it happens again, the network or the mirror changes files"))
}

fn hash<D: Digest>(mut hasher: D, path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => hasher.update(&piece[..count]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The HTTP status of a refused request. The crate does not re-export its client's error type.
fn status(error: &ApiError) -> Option<u16> {
    error.to_string().rsplit_once("http status: ")?.1.trim().parse().ok()
}

/// Whether trying again may help.
fn passing(error: &ApiError) -> bool {
    match status(error) {
        Some(code) => code == 429 || code >= 500,
        None => matches!(error, ApiError::RequestError(_) | ApiError::IoError(_)),
    }
}

/// Whether the part on disk is as long as the file, or longer, so that the hub refuses to send the rest.
fn unusable_part(error: &ApiError) -> bool {
    status(error) == Some(416) || matches!(error, ApiError::InvalidResume)
}
