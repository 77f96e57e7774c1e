//! Records and journals on disk.

use super::atomic::write_atomic;
use super::check::consistent;
use super::lines::{RedundancyLine, Resumed, differences, edit_line, fact_line, header_line, redundancy_line, resume};
use super::{read_bytes, to_json, to_json_gz};
use crate::record::{EditRecord, FactRecord, Record};
use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Whether a file name asks for gzip.
pub fn is_gzip_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// Reads a record or journal file, plain or packed.
///
/// # Errors
/// As [`super::from_bytes`], and when the file cannot be read.
pub fn read(path: &Path) -> Result<Resumed> {
    let bytes = std::fs::read(path).map_err(|error| failed(path, "cannot be read", &error))?;
    read_bytes(&path.display().to_string(), &bytes)
}

/// Writes a record, packed if the name ends in `.gz`, whole or not at all.
///
/// # Errors
/// On a non-finite number and when the file cannot be written.
pub fn write(path: &Path, record: &Record) -> Result<()> {
    let bytes = if is_gzip_name(path) { to_json_gz(record) } else { to_json(record) };
    write_atomic(path, &bytes.map_err(|error| error.at(path.display()))?)
}

pub(super) fn failed(path: &Path, what: &str, error: &io::Error) -> Error {
    let path = path.display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            Error::io(format!("{path}: no space left on the disk ({error})"))
                .hint("free some space and run the same command again; what was recorded so far is kept and readable")
        }
        ErrorKind::NotFound => Error::io(format!("{path}: {what}: no such file or folder")),
        ErrorKind::PermissionDenied => {
            Error::io(format!("{path}: {what}: not allowed")).hint("choose another place with --out")
        }
        _ => Error::io(format!("{path}: {what}: {error}")),
    }
}

/// An open journal. It is locked while open, so that two runs never write the same one.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// End of the last whole line.
    end: u64,
}

impl Journal {
    /// Starts a journal with the header of this record, over any journal that was there.
    ///
    /// # Errors
    /// When another run holds it, or it cannot be written.
    pub fn create(path: &Path, header: &Record) -> Result<Self> {
        super::finite(header)?;
        let mut journal = Self::locked(path)?;
        journal.restart(header)?;
        Ok(journal)
    }

    /// Opens an existing journal of the same study and cuts a torn last line off. A journal that was killed within its
    /// header line starts again.
    ///
    /// # Errors
    /// When it belongs to another study (naming the fields that differ), is damaged before its last line, is held by
    /// another run, or cannot be read.
    pub fn open(path: &Path, header: &Record) -> Result<(Self, Resumed)> {
        super::finite(header)?;
        if !path.exists() {
            return Err(failed(path, "cannot be opened", &ErrorKind::NotFound.into()));
        }
        let mut journal = Self::locked(path)?;
        let mut bytes = Vec::new();
        journal.file.read_to_end(&mut bytes).map_err(|error| failed(path, "cannot be read", &error))?;
        if !bytes.contains(&b'\n') && serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_err() {
            journal.restart(header)?;
            let dropped = Some(format!("line 1 was cut off ({} bytes) and is dropped", bytes.len()));
            let record = Record { facts: Vec::new(), edits: None, ..header.clone() };
            return Ok((journal, Resumed { record, dropped, kept: 0 }));
        }
        let resumed = resume(&bytes).map_err(|error| error.at(path.display()))?;
        consistent(&resumed.record).map_err(|error| error.at(path.display()))?;
        let different = differences(&resumed.record, header);
        if !different.is_empty() {
            return Err(Error::input(format!("{} belongs to another study: {}", path.display(), different.join("; ")))
                .hint("choose another --out, or pass --fresh to start over"));
        }
        journal.end = resumed.kept;
        journal.cut()?;
        if journal.end > 0 && bytes.get(journal.end as usize - 1) != Some(&b'\n') {
            journal.put(b"\n")?; // whole, but killed before its newline
        }
        Ok((journal, resumed))
    }

    /// Appends a finished fact.
    ///
    /// # Errors
    /// On a non-finite number (nothing is written) and when the disk is full (the journal keeps its whole lines).
    pub fn append(&mut self, fact: &FactRecord) -> Result<()> {
        self.put(&fact_line(fact)?)
    }

    /// Appends the second pass of a fact.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_redundancy(&mut self, line: &RedundancyLine) -> Result<()> {
        self.put(&redundancy_line(line)?)
    }

    /// Appends a finished edit.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_edit(&mut self, edit: &EditRecord) -> Result<()> {
        self.put(&edit_line(edit)?)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the finished record and only then removes the journal.
    ///
    /// # Errors
    /// When the record cannot be written; the journal then stays.
    pub fn finish(self, path: &Path, record: &Record) -> Result<()> {
        write(path, record)?;
        // An open file cannot be removed everywhere, so close it first.
        drop(self.file);
        std::fs::remove_file(&self.path).map_err(|error| failed(&self.path, "cannot be removed", &error))
    }

    fn locked(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false) // not before the lock: another run may be writing it
            .open(path)
            .map_err(|error| failed(path, "cannot be opened", &error))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                Err(Error::input(format!("{}: another run is writing it", path.display()))
                    .hint("wait for it, or choose another --out"))
            }
            // A file system without locks is no reason not to work.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self { path: path.into(), file, end: 0 }),
        }
    }

    fn restart(&mut self, header: &Record) -> Result<()> {
        self.end = 0;
        self.cut()?;
        self.put(&header_line(header)?)
    }

    /// Cuts the file at the end of its last whole line.
    fn cut(&mut self) -> Result<()> {
        self.file
            .set_len(self.end)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.end)))
            .map(|_| ())
            .map_err(|error| failed(&self.path, "cannot be cut to its last whole line", &error))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // Half a line may be there. If cutting fails too, the reader drops it as torn.
            let _ = self.cut();
            return Err(failed(&self.path, "cannot be written", &error));
        }
        self.end += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
impl Journal {
    /// A journal over a path that cannot be cut, for tests of failing writes.
    pub(super) fn over(path: &Path) -> Result<Self> {
        Self::locked(path)
    }
}
