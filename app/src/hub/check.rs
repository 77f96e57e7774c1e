//! Holding a downloaded file against what the hub said of it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::client::Meta;

/// What a file was held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// A hash of its content.
    Hash,
    /// Its size alone: the etag is no hash.
    Size,
    /// Nothing: the server told neither.
    Nothing,
}

/// Checks a whole file, and makes it last on the disk. The inner error says what is wrong with it.
pub(super) fn check(path: &Path, meta: &Meta) -> std::io::Result<Result<Checked, String>> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    if let Some(size) = meta.size.filter(|size| *size != len) {
        return Ok(Err(format!("{len} bytes instead of {size}")));
    }
    let etag = meta.etag.as_deref().unwrap_or_default().to_ascii_lowercase();
    let is_hash = etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let actual = match etag.len() {
        64 if is_hash => hash(Sha256::new(), &mut file)?,
        // What git calls a blob: small files are not in large-file storage.
        40 if is_hash => hash(Sha1::new_with_prefix(format!("blob {len}\0")), &mut file)?,
        _ => return Ok(Ok(if meta.size.is_some() { Checked::Size } else { Checked::Nothing })),
    };
    // A power failure must not leave a complete name with half a content.
    file.sync_all()?;
    Ok(if actual == etag { Ok(Checked::Hash) } else { Err(format!("its hash is {actual}, not {etag}")) })
}

fn hash<D: Digest>(mut hasher: D, file: &mut File) -> std::io::Result<String> {
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            count => hasher.update(&piece[..count]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
