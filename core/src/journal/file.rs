//! Records on disk.

use super::atomic::write_atomic;
use super::{Resumed, read_bytes, to_json, to_json_gz};
use crate::record::Record;
use crate::{Error, Result};
use std::io::{self, ErrorKind};
use std::path::Path;

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
