//! Fetching a model's files, one by one, from the commit that the first one stood at.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use engram_core::Error;
use engram_core::model::spec::Spec;
use engram_core::names::{HubId, is_plain};

use super::cache::{Folder, Lock};
use super::check::{Checked, check};
use super::client::{Client, Fault, Meta};
use super::names::said;
use super::transfer::Transfer;
use super::{Hub, INDEX, WHOLE, has_weights, shards};
use crate::progress::Progress;

/// Requests for a file's headers that are tried again; a user waits for them before anything is seen.
const HEADERS: usize = 2;

/// One download of a model's files.
pub(super) struct Job<'a> {
    pub(super) hub: &'a Hub,
    /// As the user named it, with a revision or not.
    pub(super) id: &'a str,
    /// The same, taken apart.
    pub(super) named: HubId<'a>,
    pub(super) folder: Folder,
    pub(super) client: Client,
    pub(super) progress: &'a Progress,
    /// Files that could not be held against a hash.
    pub(super) unchecked: RefCell<Vec<(String, Checked)>>,
}

impl Job<'_> {
    /// Everything that a model needs and that is not there yet.
    pub(super) fn all(&self, snapshot: &Path, commit: &str) -> anyhow::Result<()> {
        let there = |name: &str| snapshot.join(name).exists();
        let fetch = |name: &str| -> anyhow::Result<bool> { Ok(self.file(commit, name, Some(commit))?.is_some()) };
        for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
            if !there(name) && !fetch(name)? && name != "tokenizer_config.json" {
                return Err(self.absent(name));
            }
        }
        self.readable(&snapshot.join("config.json"))?;
        if has_weights(snapshot) || (!there(INDEX) && fetch(WHOLE)?) {
            return Ok(());
        }
        if !there(INDEX) && !fetch(INDEX)? {
            return Err(self.absent(WHOLE));
        }
        for shard in shards(&snapshot.join(INDEX)).with_context(|| format!("{}: {INDEX}", self.id))? {
            if !there(&shard) && !fetch(&shard)? {
                return Err(self.absent(&shard));
            }
        }
        Ok(())
    }

    /// Refuses a model that cannot be read (its family, its quantisation) before gigabytes of it are fetched.
    fn readable(&self, config: &Path) -> anyhow::Result<()> {
        let bytes = std::fs::read(config).with_context(|| config.display().to_string())?;
        match serde_json::from_slice(&bytes) {
            Ok(config) => Ok(Spec::read(&config).map(|_| ()).map_err(|error| error.at(self.id))?),
            // Whoever opens the files says what is wrong with it.
            Err(_) => Ok(()),
        }
    }

    /// Fetches one file, checks it and puts it into the folder of its commit; `None` where the hub has no such file.
    /// `pinned`: the commit that it has to be of.
    pub(super) fn file(&self, revision: &str, file: &str, pinned: Option<&str>) -> anyhow::Result<Option<PathBuf>> {
        let url = self.client.address(self.named.name, revision, file);
        let meta = match self.meta(&url) {
            Ok(meta) => meta,
            Err(Fault::Refused(refusal)) if refusal.is_absent() => return Ok(None),
            Err(fault) => return Err(self.explain(fault, &url).into()),
        };
        let commit = self.commit(&meta, &url, pinned)?;
        let blob = blob(&meta, &commit, file).map_err(|error| error.at(format!("{}: {file}", self.id)))?;
        let pointer = self.folder.commit(&commit).join(file);
        let disk = |error: std::io::Error| on_disk(&self.folder.path(), &error).at(format!("{}: {file}", self.id));
        if !pointer.exists() {
            let lock = self.lock(&blob, file)?;
            let shared = matches!(lock, Lock::Held(_));
            if pointer.exists() {
                // Another process has brought it meanwhile.
            } else if self.folder.blob(&blob).exists() {
                self.folder.link(&blob, &commit, file, false).map_err(disk)?;
            } else {
                self.bring(&meta, &url, &blob, file, shared)?;
                self.folder.link(&blob, &commit, file, true).map_err(disk)?;
            }
        }
        self.folder.remember(revision, &commit).map_err(disk)?;
        Ok(Some(pointer))
    }

    /// Says what could not be checked, once.
    pub(super) fn tell_unchecked(&self) {
        let unchecked = self.unchecked.borrow();
        for (how, what) in [
            (Checked::Size, "the server names no hash of them, so only their sizes were checked"),
            (Checked::Nothing, "the server names neither hash nor size of them, so nothing was checked"),
        ] {
            let files: Vec<&str> =
                unchecked.iter().filter(|(_, known)| *known == how).map(|(file, _)| file.as_str()).collect();
            if !files.is_empty() {
                self.progress.warn(&format!("{}: {}: {what}", self.id, files.join(", ")));
            }
        }
    }

    /// A file's headers. What may pass is tried again.
    fn meta(&self, url: &url::Url) -> Result<Meta, Fault> {
        let mut tries = 0;
        loop {
            let fault = match self.client.meta(url) {
                Ok(meta) => return Ok(meta),
                Err(fault) => fault,
            };
            let Some(pause) = fault.pause(tries).filter(|_| tries < self.hub.retries.min(HEADERS)) else {
                return Err(fault);
            };
            tries += 1;
            self.wait(pause)?;
        }
    }

    /// The commit that a file is of, as a name for a folder.
    fn commit(&self, meta: &Meta, url: &url::Url, pinned: Option<&str>) -> anyhow::Result<String> {
        let Some(commit) = meta.commit.as_deref().or(pinned) else { return Err(self.no_hub(meta, url).into()) };
        if !is_plain(commit) {
            return Err(Error::io(format!("{}: the server names a commit `{}`", self.id, said(commit)))
                .hint("that is no name of a commit: it is no hub, or a hostile one")
                .into());
        }
        if pinned.is_some_and(|pinned| pinned != commit) {
            let message = format!("{}: {url} answers with another commit, {commit}", self.id);
            return Err(Error::io(message).hint("files of two commits do not fit together: try another hub").into());
        }
        Ok(commit.to_owned())
    }

    /// Waits until nobody else fetches a file.
    fn lock(&self, blob: &str, file: &str) -> anyhow::Result<Lock> {
        let mut said = false;
        loop {
            let lock = self.folder.lock(blob).map_err(|error| on_disk(&self.folder.path(), &error))?;
            if !matches!(lock, Lock::Busy) {
                return Ok(lock);
            }
            if !std::mem::replace(&mut said, true) {
                self.progress.note(&format!("another program is downloading {file} of {}: waiting for it", self.id));
            }
            self.wait(Duration::from_millis(200)).map_err(|fault| self.explain_stop(fault))?;
        }
    }

    /// Brings a file's content into the cache, checked. Half a file of an earlier try is taken up, if no other process can
    /// be at it; if the whole is damaged then, it is fetched once more from the start, to a file of its own.
    fn bring(&self, meta: &Meta, url: &url::Url, blob: &str, file: &str, shared: bool) -> anyhow::Result<()> {
        let place = self.folder.blob(blob);
        let own = place.with_file_name(format!("{blob}.{}.incomplete", std::process::id()));
        if shared {
            self.folder.forget_halves(blob);
        }
        let parts = [Some(place.with_file_name(format!("{blob}.incomplete"))).filter(|_| shared), Some(own)];
        let at = |error: Error| error.at(format!("{}: {file}", self.id));
        let mut damaged = None;
        for part in parts.into_iter().flatten() {
            let resumable = shared && damaged.is_none();
            let transfer = Transfer { job: self, url, file, part: &part };
            let outcome = transfer.run(meta);
            if !resumable && outcome.is_err() {
                let _ = std::fs::remove_file(&part);
            }
            outcome.map_err(|fault| self.explain(fault, url))?;
            match check(&part, meta) {
                Ok(Ok(checked)) => {
                    if checked != Checked::Hash {
                        self.unchecked.borrow_mut().push((file.to_owned(), checked));
                    }
                    std::fs::rename(&part, &place).map_err(|error| at(on_disk(&place, &error)))?;
                    return Ok(());
                }
                Ok(Err(why)) => {
                    let _ = std::fs::remove_file(&part);
                    damaged = Some(why);
                }
                Err(error) => return Err(at(on_disk(&part, &error)).into()),
            }
        }
        let why = damaged.unwrap_or_default();
        Err(at(Error::io(format!("the download is damaged ({why}) and was removed"))
            .hint("run the same command again; if it happens again, the network or the mirror changes files"))
        .into())
    }

    /// Sleeps, but not through a Ctrl-C.
    pub(super) fn wait(&self, time: Duration) -> Result<(), Fault> {
        let end = std::time::Instant::now() + time;
        loop {
            if self.progress.is_cancelled() {
                return Err(Fault::Final(Error::cancelled().hint("run the same command again to go on from here")));
            }
            let left = end.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    }
}

/// The name of a file's content in the cache: its etag, and where the server sends none, one for this commit alone.
fn blob(meta: &Meta, commit: &str, file: &str) -> Result<String, Error> {
    let Some(etag) = &meta.etag else { return Ok(format!("untagged-{commit}-{}", file.replace('/', "--"))) };
    match is_plain(etag) && !etag.ends_with(".incomplete") {
        true => Ok(etag.clone()),
        false => Err(Error::io(format!("the server names the file's content `{}` (its ETag)", said(etag)))
            .hint("that cannot be a file name in the cache: it is no hub, or a hostile one")),
    }
}

/// A failure of the cache's disk.
pub(super) fn on_disk(path: &Path, error: &std::io::Error) -> Error {
    use std::io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let path = path.display();
    match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => Error::io(format!("{path}: no space left on the disk ({error})"))
            .hint("free some space, or set HF_HUB_CACHE to another disk; the downloaded part is kept"),
        PermissionDenied | ReadOnlyFilesystem => Error::io(format!("{path}: writing is not allowed ({error})"))
            .hint("set HF_HUB_CACHE to a folder of your own"),
        _ => Error::io(format!("{path}: {error}")).hint("set HF_HUB_CACHE to another folder"),
    }
}
