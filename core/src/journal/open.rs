//! A journal on disk: who may write it, what it holds, and how a study ends.

use super::check::consistent;
use super::file::{failed, read, write};
use super::lines::{
    Found, Resumed, SequenceLine, edit_line, fact_line, find, header_line, sequence_line, settings_line,
};
use super::lock::{Lock, busy};
use super::{Chain, differences};
use crate::record::{Record, Sequence, Settings};
use crate::{Error, Result};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// An open journal. It is locked while open, so that two runs never write the same one, whatever they were told to do
/// with it.
#[derive(Debug)]
pub struct Journal {
    lock: Lock,
    /// End of the last whole line.
    end: u64,
    chain: Chain,
}

impl Journal {
    /// Opens a journal, made when missing, and locks it. Nothing is read or changed yet.
    ///
    /// # Errors
    /// When another run holds it, or it cannot be written.
    pub fn lock(path: &Path) -> Result<Self> {
        Ok(Self { lock: Lock::take(path)?, end: 0, chain: Chain::default() })
    }

    /// Whether other runs are kept out; some network file systems have no locks.
    pub fn is_locked(&self) -> bool {
        self.lock.is_held()
    }

    /// Whether the file was there before.
    pub fn was_there(&self) -> bool {
        self.lock.was_there()
    }

    /// What the file holds. It stays as it is.
    ///
    /// # Errors
    /// When it cannot be read, a newer program wrote it, or it holds what no study writes.
    pub fn found(&mut self) -> Result<Found> {
        let mut bytes = Vec::new();
        let read = self.lock.file.seek(SeekFrom::Start(0)).and_then(|_| self.lock.file.read_to_end(&mut bytes));
        read.map_err(|error| failed(self.lock.path(), "cannot be read", &error))?;
        let found = find(&bytes).map_err(|error| error.at(self.lock.path().display()))?;
        if let Found::Study(resumed) = &found {
            let fresh = |error: Error| error.at(self.lock.path().display()).hint("start again with --fresh");
            consistent(&resumed.record).map_err(fresh)?;
        }
        Ok(found)
    }

    /// Starts over: a header, and the facts and edits that the record has already, in one write.
    ///
    /// # Errors
    /// On a number that is not finite (nothing is changed), or when it cannot be written.
    pub fn start(&mut self, record: &Record) -> Result<()> {
        let mut chain = Chain::default();
        let mut bytes = chain.seal(&header_line(record)?);
        for fact in &record.facts {
            bytes.extend(chain.seal(&fact_line(fact)?));
        }
        for edit in record.edits.iter().flatten() {
            bytes.extend(chain.seal(&edit_line(edit)?));
        }
        for (place, sequence) in record.sequences.iter().enumerate() {
            for line in sequence_lines(place, sequence)? {
                bytes.extend(chain.seal(&line));
            }
        }
        self.cut(0)?;
        self.put(&bytes)?;
        self.chain = chain;
        Ok(())
    }

    /// Goes on after what [`Journal::found`] has taken; what was not is cut off.
    ///
    /// # Errors
    /// When the file cannot be cut.
    pub fn go_on(&mut self, resumed: &Resumed) -> Result<()> {
        self.chain = resumed.chain.clone();
        self.cut(resumed.kept)
    }

    /// Takes everything out; a journal that is dropped so leaves no file.
    ///
    /// # Errors
    /// When the file cannot be cut.
    pub fn clear(&mut self) -> Result<()> {
        self.cut(0)
    }

    /// Keeps a copy of a journal of which nothing can be read, if there is more in it than the beginning of a line.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn keep_copy(&mut self) -> Result<Option<PathBuf>> {
        let mut bytes = Vec::new();
        let read = self.lock.file.seek(SeekFrom::Start(0)).and_then(|_| self.lock.file.read_to_end(&mut bytes));
        read.map_err(|error| failed(self.lock.path(), "cannot be read", &error))?;
        let more = bytes.iter().position(|byte| *byte == b'\n').is_some_and(|end| end + 1 < bytes.len());
        if !more {
            return Ok(None);
        }
        let copy = free_name(self.lock.path());
        super::write_atomic(&copy, &bytes)?;
        Ok(Some(copy))
    }

    /// From here on other settings of the later stages hold, see [`super::change`].
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_settings(&mut self, settings: &Settings) -> Result<()> {
        self.append(&settings_line(settings)?)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.lock.path()
    }

    /// Writes the finished record and only then removes the journal. A file of another study that stands in the record's
    /// place gets another name, which is returned.
    ///
    /// # Errors
    /// When the record cannot be written; the journal then stays, and so does what stood in the record's place.
    pub fn finish(self, path: &Path, record: &Record) -> Result<Option<PathBuf>> {
        let other = path.is_file() && !read(path).is_ok_and(|there| differences(&there.record, record).is_empty());
        let kept = other.then(|| free_name(path));
        if let Some(kept) = &kept {
            std::fs::rename(path, kept).map_err(|error| failed(path, "cannot be renamed", &error))?;
        }
        if let Err(error) = write(path, record) {
            let _ = kept.map(|kept| std::fs::rename(kept, path));
            return Err(error);
        }
        // The name of the record must be on the disk before that of the journal goes. Not every system can ask for it.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        self.lock.remove()?;
        Ok(kept)
    }

    /// Cuts the file and goes there.
    fn cut(&mut self, end: u64) -> Result<()> {
        self.end = end;
        self.lock
            .file
            .set_len(end)
            .and_then(|()| self.lock.file.seek(SeekFrom::Start(end)))
            .map(|_| ())
            .map_err(|error| failed(self.lock.path(), "cannot be cut to its last whole line", &error))
    }

    /// Appends a line of what is finished ([`super::fact_line`], [`super::redundancy_line`], [`super::edit_line`]).
    ///
    /// # Errors
    /// When the disk is full (the journal keeps its whole lines).
    pub fn append(&mut self, json: &[u8]) -> Result<()> {
        let mut chain = self.chain.clone();
        self.put(&chain.seal(json))?;
        self.chain = chain;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        // Where there are no locks, another run may have written what this one does not know of.
        if self.lock.file.metadata().is_ok_and(|about| about.is_file() && about.len() != self.end) {
            return Err(busy(self.lock.path()));
        }
        if let Err(error) = self.lock.file.write_all(bytes) {
            // Half a line may be there. If cutting fails too, the reader drops it as cut off.
            let _ = self.cut(self.end);
            return Err(failed(self.lock.path(), "cannot be written", &error));
        }
        self.end += bytes.len() as u64;
        Ok(())
    }
}

/// A journal that came to nothing leaves no empty file.
impl Drop for Journal {
    fn drop(&mut self) {
        let empty = self.lock.file.metadata().is_ok_and(|about| about.is_file() && about.len() == 0);
        if self.end == 0 && empty && self.lock.stands() {
            let _ = self.lock.remove();
        }
    }
}

/// The lines of a sequence that a record has.
///
/// # Errors
/// On a number that is not finite.
fn sequence_lines(place: usize, sequence: &Sequence) -> Result<Vec<Vec<u8>>> {
    let line =
        SequenceLine { sequence: place, method: sequence.method, layer: sequence.layer, ..SequenceLine::default() };
    let steps = sequence.steps.iter().map(|step| SequenceLine { step: Some(step.clone()), ..line.clone() });
    let checkpoints = sequence.checkpoints.iter();
    let checkpoints = checkpoints.map(|one| SequenceLine { checkpoint: Some(one.clone()), ..line.clone() });
    steps.chain(checkpoints).map(|line| sequence_line(&line)).collect()
}

/// A name beside a file that nothing has: `NAME.old`, `NAME.old2` and so on.
fn free_name(path: &Path) -> PathBuf {
    let named = |ending: String| {
        let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
        name.push(ending);
        path.with_file_name(name)
    };
    let names = std::iter::once(".old".to_owned()).chain((2..).map(|number| format!(".old{number}")));
    names.map(named).find(|name| !name.exists()).unwrap_or_else(|| named(".old".into()))
}

#[cfg(test)]
impl Journal {
    /// As on a file system without locks.
    pub(super) fn without_lock(path: &Path) -> Result<Self> {
        Ok(Self { lock: Lock::open(path)?, end: 0, chain: Chain::default() })
    }
}
