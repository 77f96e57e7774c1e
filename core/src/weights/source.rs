//! Where the bytes come from: a mapped file, memory, or whatever a browser page can offer.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A boxed future that need not be `Send`: the browser's are not.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// `Send + Sync` natively, nothing in the browser, where handles to files never leave their thread.
#[cfg(not(target_family = "wasm"))]
pub trait Shareable: Send + Sync {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + Sync> Shareable for T {}

/// `Send + Sync` natively, nothing in the browser, where handles to files never leave their thread.
#[cfg(target_family = "wasm")]
pub trait Shareable {}
#[cfg(target_family = "wasm")]
impl<T> Shareable for T {}

/// One file that can be read in pieces.
pub trait ByteSource: Shareable {
    /// The file's name without folders, e.g. `model.safetensors`; decides what the file is taken for.
    fn name(&self) -> &str;

    /// The file's size in bytes.
    fn len(&self) -> u64;

    /// Whether the file holds nothing.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads exactly `len` bytes from `offset`; past the end is an error.
    fn read<'a>(&'a self, offset: u64, len: usize) -> BoxFuture<'a, Result<Cow<'a, [u8]>>>;
}

/// A file held in memory.
#[derive(Debug, Clone)]
pub struct MemoryFile {
    bytes: Cow<'static, [u8]>,
    name: String,
}

impl MemoryFile {
    /// Names some bytes: a vector, or bytes that are part of the program.
    pub fn new(bytes: impl Into<Cow<'static, [u8]>>, name: impl Into<String>) -> Self {
        Self { bytes: bytes.into(), name: name.into() }
    }
}

impl ByteSource for MemoryFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read<'a>(&'a self, offset: u64, len: usize) -> BoxFuture<'a, Result<Cow<'a, [u8]>>> {
        Box::pin(std::future::ready(slice(&self.name, &self.bytes, offset, len)))
    }
}

/// A file mapped into memory: pages come in when touched, and nothing is copied. Where the address space has no room for
/// it, or its file system cannot map, it is read piece by piece instead.
#[cfg(not(target_family = "wasm"))]
#[derive(Debug)]
pub struct MappedFile {
    content: Content,
    name: String,
}

#[cfg(not(target_family = "wasm"))]
#[derive(Debug)]
enum Content {
    /// Some systems refuse to map an empty file.
    Empty,
    Mapped(memmap2::Mmap),
    Read {
        file: std::sync::Mutex<std::fs::File>,
        len: u64,
    },
}

#[cfg(not(target_family = "wasm"))]
impl MappedFile {
    /// Maps a file.
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let failed = |error: std::io::Error| {
            Error::io(format!("{}: {error}", path.display())).hint("check that the file exists and may be read")
        };
        let file = std::fs::File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        if len == 0 {
            return Ok(Self { content: Content::Empty, name });
        }
        // A process with a limit of its own has better use for its address space.
        if crate::memory::limited() {
            return Ok(Self { content: Content::Read { file: file.into(), len }, name });
        }
        // SAFETY: the map is read-only and private to this value. Model files are not rewritten in place while in
        // use (downloads go to another name first); if one were, its numbers would change, not our memory layout.
        #[allow(unsafe_code)]
        let content = match unsafe { memmap2::Mmap::map(&file) } {
            Ok(map) => Content::Mapped(map),
            Err(error) => {
                log::debug!("{}: cannot be mapped ({error}), so it is read", path.display());
                Content::Read { file: file.into(), len }
            }
        };
        Ok(Self { content, name })
    }

    /// The same, never mapped.
    #[cfg(test)]
    fn unmapped(path: &std::path::Path) -> Result<Self> {
        let file = std::fs::File::open(path).map_err(|error| Error::io(error.to_string()))?;
        let len = file.metadata().map_err(|error| Error::io(error.to_string()))?.len();
        Ok(Self { content: Content::Read { file: file.into(), len }, name: "unmapped".into() })
    }

    /// The same file under another name.
    pub(super) fn called(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    fn piece(&self, offset: u64, len: usize) -> Result<Cow<'_, [u8]>> {
        use std::io::{Read, Seek, SeekFrom};
        let (file, all) = match &self.content {
            Content::Empty => return slice(&self.name, &[], offset, len),
            Content::Mapped(map) => return slice(&self.name, map, offset, len),
            Content::Read { file, len } => (file, *len),
        };
        let end = offset.saturating_add(len as u64);
        if end > all {
            return Err(truncated(&self.name, end, all));
        }
        let mut bytes = Vec::new();
        crate::memory::grow(&mut bytes, len, format_args!("a piece of {}", self.name))?;
        bytes.resize(len, 0);
        let failed = |error: std::io::Error| Error::io(format!("{}: {error}", self.name));
        let mut file = file.lock().map_err(|_| Error::io(format!("{}: an earlier read failed", self.name)))?;
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes)).map_err(failed)?;
        Ok(Cow::Owned(bytes))
    }
}

#[cfg(not(target_family = "wasm"))]
impl ByteSource for MappedFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        match &self.content {
            Content::Empty => 0,
            Content::Mapped(map) => map.len() as u64,
            Content::Read { len, .. } => *len,
        }
    }

    fn read<'a>(&'a self, offset: u64, len: usize) -> BoxFuture<'a, Result<Cow<'a, [u8]>>> {
        Box::pin(std::future::ready(self.piece(offset, len)))
    }
}

fn slice<'a>(name: &str, bytes: &'a [u8], offset: u64, len: usize) -> Result<Cow<'a, [u8]>> {
    usize::try_from(offset)
        .ok()
        .and_then(|start| bytes.get(start..start.checked_add(len)?))
        .map(Cow::Borrowed)
        .ok_or_else(|| truncated(name, offset.saturating_add(len as u64), bytes.len() as u64))
}

/// The error for a file that ends before what it promises.
pub(super) fn truncated(file: &str, wanted: u64, len: u64) -> Error {
    Error::input(format!("{file}: the file ends after {len} bytes, but {wanted} are needed"))
        .hint("the file is incomplete: download or copy it again")
}

/// Reads a whole (small) file, refusing sizes that no such file has.
pub(super) async fn read_all(source: &dyn ByteSource, at_most: u64) -> Result<Vec<u8>> {
    let len = source.len();
    if len > at_most {
        let (name, mib) = (source.name(), at_most >> 20);
        return Err(Error::input(format!("{name}: {len} bytes; at most {mib} MiB are expected of this file"))
            .hint("check that the right file was given"));
    }
    // The limit above fits a 32-bit usize.
    let bytes = source.read(0, len as usize).await?;
    match bytes {
        Cow::Owned(bytes) => Ok(bytes),
        Cow::Borrowed(bytes) => {
            let mut own = Vec::new();
            crate::memory::grow(&mut own, bytes.len(), source.name())?;
            own.extend_from_slice(bytes);
            Ok(own)
        }
    }
}

/// Bytes read at a time when a whole file or tensor goes by.
pub(super) const PIECE: usize = 4 << 20;

/// The SHA-256 of a whole file as lower-case hex.
pub(super) async fn sha256(source: &dyn ByteSource) -> Result<String> {
    let mut hasher = Sha256::new();
    let (mut offset, len) = (0, source.len());
    while offset < len {
        crate::pause::point().await?;
        let piece = (len - offset).min(PIECE as u64) as usize;
        hasher.update(&*source.read(offset, piece).await?);
        offset += piece as u64;
    }
    Ok(hex(&hasher.finalize()))
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_mapped_is_read() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), b"0123456789").expect("written");
        for source in [MappedFile::open(file.path()), MappedFile::unmapped(file.path())] {
            let source = source.expect("open");
            let read = |offset, len| pollster::block_on(source.read(offset, len)).map(Cow::into_owned);
            assert_eq!(source.len(), 10);
            assert_eq!(read(2, 3).ok().as_deref(), Some(&b"234"[..]));
            assert_eq!(read(10, 0).ok().as_deref(), Some(&b""[..]));
            assert!(read(8, 3).is_err_and(|error| error.message().contains("ends after 10 bytes, but 11")));
            assert!(read(u64::MAX, 3).is_err());
        }
    }
}
