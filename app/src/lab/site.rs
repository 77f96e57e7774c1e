//! Where the files come from: the program itself, or a folder. The bundled facts and models are the program's own.

use super::headers;
use crate::bundled;
use axum::body::Bytes;
use engram_core::{Error, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A file that the build has put into the program.
pub struct Embedded {
    /// Its path in the site.
    pub path: &'static str,
    /// Its bytes are compressed.
    pub gzip: bool,
    /// Its bytes.
    pub bytes: &'static [u8],
}

static EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// A site.
pub enum Site {
    /// Files in the program.
    Embedded(&'static [Embedded]),
    /// A folder; its files are read anew each time, so it may be built again meanwhile.
    Folder(PathBuf),
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The bytes are compressed.
    pub gzip: bool,
    /// The bytes.
    pub bytes: Bytes,
}

impl Content {
    /// As it is.
    pub fn plain(bytes: impl Into<Bytes>) -> Self {
        Self { gzip: false, bytes: bytes.into() }
    }

    /// Compressed, where that makes it smaller by much.
    pub fn small(path: &str, bytes: Vec<u8>) -> Self {
        if !headers::compressible(path) {
            return Self::plain(bytes);
        }
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        match packed.write_all(&bytes).and_then(|()| packed.finish()) {
            Ok(packed) => Self { gzip: true, bytes: packed.into() },
            Err(_) => Self::plain(bytes),
        }
    }

    /// Unpacks it.
    pub fn unpacked(self) -> io::Result<Bytes> {
        if !self.gzip {
            return Ok(self.bytes);
        }
        let mut plain = Vec::new();
        GzDecoder::new(&*self.bytes).read_to_end(&mut plain)?;
        Ok(plain.into())
    }
}

impl Site {
    /// The folder, if one is given, else what is in the program.
    pub fn choose(folder: Option<&Path>) -> Result<Self> {
        match folder {
            Some(folder) => Self::folder(folder),
            None => Self::built_in(EMBEDDED),
        }
    }

    /// What the build has put into the program, even if it is not a whole site.
    pub fn own() -> Self {
        Self::Embedded(EMBEDDED)
    }

    fn folder(folder: &Path) -> Result<Self> {
        let wrong = |what: &str| {
            let error = Error::input(format!("--site cannot be `{}`: {what}", folder.display()));
            Err(error.hint("`cargo xtask web` makes such a folder, dist/"))
        };
        match folder {
            _ if !folder.exists() => wrong("there is no such folder"),
            _ if !folder.is_dir() => wrong("it is a file, not a folder"),
            _ if !folder.join("index.html").is_file() => wrong("it has no index.html"),
            // Links out of the folder are found by the true names of both.
            _ => match folder.canonicalize() {
                Ok(folder) => Ok(Self::Folder(folder)),
                Err(error) => wrong(&error.to_string()),
            },
        }
    }

    fn built_in(files: &'static [Embedded]) -> Result<Self> {
        if !files.iter().any(|file| file.path == "index.html") {
            return Err(Error::io("this program was built without the site")
                .hint("`cargo xtask web` in the repository makes it; then build again, or give --site DIR"));
        }
        Ok(Self::Embedded(files))
    }

    /// A file, by a path that [`relative`] has passed.
    pub fn find(&self, path: &str) -> io::Result<Option<Content>> {
        let own = match self {
            Self::Embedded(files) => files
                .iter()
                .find(|file| file.path == path)
                .map(|file| Content { gzip: file.gzip, bytes: Bytes::from_static(file.bytes) }),
            Self::Folder(folder) => read(folder, path)?.map(|bytes| Content::small(path, bytes)),
        };
        Ok(own.or_else(|| of_the_program(path.strip_prefix("bundled/")?)))
    }
}

/// A bundled file, by its path below `core/bundled`.
fn of_the_program(path: &str) -> Option<Content> {
    match path {
        "facts.json" => Some(Content { gzip: true, bytes: Bytes::from_static(bundled::FACTS) }),
        _ => bundled::file(path).map(Bytes::from_static).map(Content::plain),
    }
}

/// A file of a folder; none that a link has outside of it.
fn read(folder: &Path, path: &str) -> io::Result<Option<Vec<u8>>> {
    // Whatever is wrong with a name (too long, through a file, a link to itself), there is no file by it.
    let Ok(file) = folder.join(path).canonicalize() else { return Ok(None) };
    if !file.starts_with(folder) || !file.is_file() {
        return Ok(None);
    }
    match std::fs::read(file) {
        // It may have gone meanwhile: the site is being built again.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The path of a request as one below the site; `None` for one that could lead elsewhere.
pub fn relative(path: &str) -> Option<String> {
    let decoded = decoded(path.strip_prefix('/')?)?;
    if decoded.is_empty() {
        return Some("index.html".into());
    }
    // Backslashes and colons are separators and drives on Windows.
    let strange = |c: char| c.is_control() || matches!(c, '\\' | ':');
    let safe = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(strange);
    decoded.split('/').all(safe).then_some(decoded)
}

/// A path without its percent signs.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_site() {
        assert_eq!(relative("/").as_deref(), Some("index.html"));
        assert_eq!(relative("/a/b.js").as_deref(), Some("a/b.js"));
        assert_eq!(relative("/a%20b%2ejs").as_deref(), Some("a b.js"));
        let leading = ["", "a", "//", "/../a", "/a/../../b", "/a//b", "/a/", "/./a", "/%2e%2e/a", "/..%2fa", "/%2e/a"];
        let strange = ["/a%00", "/a%5cb", "/c:/a", "/%", "/%2", "/%zz", "/%ff", "/%+1"];
        for path in leading.iter().chain(&strange) {
            assert_eq!(relative(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_site_is_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let told = |site: Result<Site>| site.err().map(|e| format!("{e} {}", e.next_step().unwrap_or_default()));
        let empty = told(Site::choose(Some(folder.path()))).unwrap_or_default();
        assert!(empty.contains("it has no index.html") && empty.contains("cargo xtask web"), "{empty}");
        assert!(
            told(Site::choose(Some(&folder.path().join("none")))).is_some_and(|why| why.contains("no such folder"))
        );
        assert!(told(Site::built_in(&[])).is_some_and(|why| why.contains("built without the site")));
        Ok(())
    }
}
