//! A file that one run at a time may have.

use super::file::failed;
use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// An open file, locked until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    pub(super) file: File,
    held: bool,
    there: bool,
}

impl Lock {
    /// Opens a file, made when missing, and locks it. Nothing in it is read or changed.
    ///
    /// # Errors
    /// When another run holds it, or it cannot be written.
    pub fn take(path: &Path) -> Result<Self> {
        // A run that ends removes its file. Who has opened it before and locks it after holds a file without a name,
        // and must look again.
        for _ in 0..100 {
            let mut lock = Self::open(path)?;
            match lock.file.try_lock() {
                Ok(()) => lock.held = true,
                Err(TryLockError::WouldBlock) => break,
                // A file system without locks is no reason not to work.
                Err(TryLockError::Error(_)) => {}
            }
            if lock.stands() {
                return Ok(lock);
            }
        }
        Err(busy(path))
    }

    pub(super) fn open(path: &Path) -> Result<Self> {
        let there = path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false) // not before the lock: another run may be writing it
            .open(path)
            .map_err(|error| failed(path, "cannot be opened", &error))?;
        Ok(Self { path: path.into(), file, held: false, there })
    }

    /// Whether other runs are kept out; some network file systems have no locks.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// Whether the file was there before.
    pub fn was_there(&self) -> bool {
        self.there
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file while it is still locked: what another run may have made of an unlocked one would go with it.
    ///
    /// # Errors
    /// When the system refuses it.
    pub fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(&self.path, "cannot be removed", &error)),
            _ => Ok(()),
        }
    }

    /// Whether the open file is the one that the path names. Where the system cannot say it, it is taken to be.
    pub(super) fn stands(&self) -> bool {
        match same_file::Handle::from_path(&self.path) {
            Ok(there) => self.file.try_clone().and_then(same_file::Handle::from_file).is_ok_and(|here| here == there),
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }
}

/// Another run has it.
pub(super) fn busy(path: &Path) -> Error {
    Error::input(format!("{}: another run is writing it", path.display())).hint("wait for it, or choose another --out")
}
