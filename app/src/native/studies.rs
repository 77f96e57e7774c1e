//! Studies of the native engine: a folder each, below the user's data.

use engram_core::journal::{Lock, write_atomic};
use engram_core::lab::Log;
use engram_core::service::{About, Studies};
use engram_core::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

const ABOUT: &str = "about.json";
const JOURNAL: &str = "journal.jsonl";
const FACTS: &str = "facts";
const LOCK: &str = "lock";

/// A folder of studies.
pub(super) struct Folder(pub(super) PathBuf);

/// An open journal that nobody else writes.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    _lock: Lock,
}

impl Log for Journal {
    fn append(&mut self, line: &[u8]) -> Result<()> {
        self.file.write_all(line).and_then(|()| self.file.sync_data()).map_err(|error| failed(&self.path, &error))
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::io(format!("{}: {error}", path.display())).hint("free some disk space, and go on with the study")
}

impl Folder {
    /// Keys are letters, digits and hyphens, so none is a path.
    fn of(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }

    fn read(&self, key: &str, name: &str) -> Result<Vec<u8>> {
        let path = self.of(key).join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(bytes),
            // It ended before its first line.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && name == JOURNAL => Ok(Vec::new()),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    fn write(&self, key: &str, name: &str, bytes: &[u8]) -> Result<()> {
        let folder = self.of(key);
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
        write_atomic(&folder.join(name), bytes)
    }
}

impl Studies for Folder {
    type Log = Journal;

    async fn keys(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    async fn about(&self, key: &str) -> Option<About> {
        serde_json::from_slice(&self.read(key, ABOUT).ok()?).ok()
    }

    async fn journal(&self, key: &str) -> Result<Vec<u8>> {
        self.read(key, JOURNAL)
    }

    async fn facts(&self, key: &str) -> Result<Vec<u8>> {
        self.read(key, FACTS)
    }

    async fn create(&self, key: &str, about: &About, facts: Option<&[u8]>) -> Result<()> {
        if let Some(facts) = facts {
            self.write(key, FACTS, facts)?;
        }
        self.note(key, about).await
    }

    async fn log(&self, key: &str, end: u64) -> Result<Journal> {
        let taken = |_| {
            Error::input("another engram computes this study").hint("wait for it, or end it; what it has done is kept")
        };
        let lock = Lock::take(&self.of(key).join(LOCK)).map_err(taken)?;
        let path = self.of(key).join(JOURNAL);
        let open = || {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            file.set_len(end)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(|error| failed(&path, &error))?;
        Ok(Journal { file, path, _lock: lock })
    }

    async fn note(&self, key: &str, about: &About) -> Result<()> {
        let bytes = serde_json::to_vec(about).map_err(|error| Error::io(format!("{ABOUT}: {error}")))?;
        self.write(key, ABOUT, &bytes)
    }

    async fn remove(&self, key: &str) -> Result<()> {
        let path = self.of(key);
        fs::remove_dir_all(&path).map_err(|error| failed(&path, &error))
    }
}
