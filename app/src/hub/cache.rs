//! The cache's layout, which is that of `huggingface_hub`: contents under `blobs`, and for each commit a folder of links to
//! them. A file system without links has the files in that folder.
//!
//! ```text
//! models--org--name/refs/main                          the commit that a branch or tag stood at
//! models--org--name/blobs/<etag>                       a checked file; <etag>.incomplete while it comes
//! models--org--name/snapshots/<commit>/config.json  -> ../../blobs/<etag>
//! .locks/models--org--name/<etag>.lock                 held while a file is fetched
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{entries, file_name};
use engram_core::names::is_plain;

/// The folder of one model or dataset, all its revisions.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    cache: PathBuf,
    /// `models--org--name`, `datasets--org--name`.
    name: String,
    /// Whether links may be made.
    links: bool,
}

/// How a lock could be had.
#[derive(Debug)]
pub(super) enum Lock {
    /// Nobody else fetches this file while this value lives.
    Held(#[expect(dead_code, reason = "its end is the unlocking")] File),
    /// Another process fetches it.
    Busy,
    /// The file system knows no locks.
    None,
}

impl Folder {
    pub(super) fn new(cache: &Path, id: &str, links: bool) -> Self {
        let kind = if id.starts_with(super::DATASETS) { "" } else { "models--" };
        Self { cache: cache.to_owned(), name: format!("{kind}{}", id.replace('/', "--")), links }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.cache.join(&self.name)
    }

    /// The folder of a commit, there or not.
    pub(super) fn commit(&self, commit: &str) -> PathBuf {
        self.path().join("snapshots").join(commit)
    }

    /// A checked file, there or not.
    pub(super) fn blob(&self, name: &str) -> PathBuf {
        self.path().join("blobs").join(name)
    }

    /// The folder of a revision where one is known, with all its files or not.
    pub(super) fn snapshot(&self, revision: &str) -> Option<PathBuf> {
        let named = fs::read_to_string(self.path().join("refs").join(revision)).ok();
        let commit = named.as_deref().map_or(revision, str::trim);
        Some(self.commit(commit)).filter(|path| is_plain(commit) && path.is_dir())
    }

    /// Remembers which commit a branch or tag stands at; a commit's own name needs no such note.
    pub(super) fn remember(&self, revision: &str, commit: &str) -> io::Result<()> {
        let path = self.path().join("refs").join(revision);
        if revision == commit || fs::read_to_string(&path).is_ok_and(|known| known == commit) {
            return Ok(());
        }
        make_folder_of(&path)?;
        let new = path.with_file_name(format!("{}.{}.tmp", file_name(&path), std::process::id()));
        fs::write(&new, commit)?;
        fs::rename(&new, &path)
    }

    /// Tries to get a file for itself, so that two processes do not fetch it at once.
    pub(super) fn lock(&self, blob: &str) -> io::Result<Lock> {
        let path = self.cache.join(".locks").join(&self.name).join(format!("{blob}.lock"));
        make_folder_of(&path)?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        Ok(match file.try_lock() {
            Ok(()) => Lock::Held(file),
            Err(TryLockError::WouldBlock) => Lock::Busy,
            Err(TryLockError::Error(_)) => Lock::None,
        })
    }

    /// Removes the half files of processes that were killed. Whoever holds the lock knows that none of them lives.
    pub(super) fn forget_halves(&self, blob: &str) {
        for path in entries(&self.path().join("blobs")) {
            let name = file_name(&path);
            let process = name.strip_prefix(blob).and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".incomplete"));
            if process.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_digit())) {
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Gives a file of a commit its content. Where links cannot be made (a network share, Windows without developer mode)
    /// the content itself goes there: moved if it is `new`, else copied, since another commit may have it.
    pub(super) fn link(&self, blob: &str, commit: &str, file: &str, new: bool) -> io::Result<PathBuf> {
        let pointer = self.commit(commit).join(file);
        make_folder_of(&pointer)?;
        match fs::remove_file(&pointer) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let up = "../".repeat(file.split('/').count() + 1);
        if self.links && symlink(&format!("{up}blobs/{blob}"), &pointer).is_ok() {
            return Ok(pointer);
        }
        if pointer.exists() {
            return Ok(pointer); // another process was quicker
        }
        let content = self.blob(blob);
        if new {
            fs::rename(content, &pointer)?;
        } else {
            let half = pointer.with_file_name(format!(".{}.{}.tmp", file_name(&pointer), std::process::id()));
            fs::copy(content, &half).and_then(|_| fs::rename(&half, &pointer)).inspect_err(|_| {
                let _ = fs::remove_file(&half);
            })?;
        }
        Ok(pointer)
    }

    /// Removes a file of all commits with its content, and tells the bytes that became free. What is left without files
    /// goes too.
    pub(super) fn remove_file(&self, file: &str) -> io::Result<u64> {
        let mut freed = 0;
        let commits = entries(&self.path().join("snapshots"));
        for commit in &commits {
            let pointer = commit.join(file);
            if let Ok(content) = fs::canonicalize(&pointer) {
                freed += content.metadata()?.len();
                fs::remove_file(content)?;
            }
            match fs::remove_file(&pointer) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match commits.iter().all(|commit| count(commit) == 0) {
            true => Ok(freed + self.remove()?),
            false => Ok(freed),
        }
    }

    /// Removes the model, and tells the bytes that became free.
    pub(super) fn remove(&self) -> io::Result<u64> {
        let bytes = size(&self.path());
        fs::remove_dir_all(self.path())?;
        let _ = fs::remove_dir_all(self.cache.join(".locks").join(&self.name));
        Ok(bytes)
    }
}

/// Bytes of the files below a folder, links left out.
fn size(folder: &Path) -> u64 {
    let of = |path: PathBuf| match path.symlink_metadata() {
        Ok(about) if about.is_dir() => size(&path),
        Ok(about) if about.is_file() => about.len(),
        _ => 0,
    };
    entries(folder).into_iter().map(of).sum()
}

/// Files below a folder, links included.
fn count(folder: &Path) -> usize {
    entries(folder).into_iter().map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

pub(super) fn make_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

#[cfg(unix)]
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &str, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target.replace('/', "\\"), link)
}

#[cfg(not(any(unix, windows)))]
fn symlink(_: &str, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}
