//! The site as the repository carries it, in `app/site`, so that a program has it without a second build: each file
//! packed, and beside them the digest of the sources that it was built from, and one of the files themselves: none may be
//! missing from a clone.

use super::site::{self, Site};
use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where it is.
const FOLDER: [&str; 2] = ["app", "site"];
/// Its files after gzip, and those that gzip makes no smaller.
const PACKED: &str = "gzip";
/// As it says.
const PLAIN: &str = "plain";
/// What it was built from.
const DIGESTS: &str = "sources.txt";
/// What its programs are built from, besides the folders' tests.
const SOURCES: [&str; 9] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "core/Cargo.toml",
    "core/src",
    "index.html",
    "tests/browser/package-lock.json",
    "web",
    "xtask/src/web",
];

/// Parts of the site that are built by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    /// The digest of the sources that page, viewer and printer were built from.
    pub(crate) page: String,
    /// The digest of those that the worker was built from.
    pub(crate) worker: String,
}

/// The folder of the site that the repository carries.
pub(crate) fn folder() -> PathBuf {
    FOLDER.iter().fold(crate::shell::root(), |folder, name| folder.join(name))
}

/// The digest of the sources as they are now. Tests are none of them: they change nothing that is built.
pub(crate) fn sources(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for name in SOURCES {
        let path = root.join(name);
        match path.is_dir() {
            true => files.extend(site::listed(&path)?.into_iter().map(|below| format!("{name}/{below}"))),
            false => files.push(name.to_owned()),
        }
    }
    let test = |part: &str| matches!(part, "tests" | "snapshots" | "tests.rs") || part.ends_with("_tests.rs");
    files.retain(|file| !file.split('/').any(test));
    files.sort();
    let mut all = Sha256::new();
    for file in files {
        let bytes = site::read(&root.join(&file))?;
        all.update(file.as_bytes());
        all.update([0]);
        all.update(Sha256::digest(bytes));
    }
    hex(&all.finalize())
}

/// The digest of all files of a site with their names.
fn contents(site: &Site) -> Result<String> {
    let mut all = Sha256::new();
    for (path, bytes) in &site.0 {
        all.update(path.as_bytes());
        all.update([0]);
        all.update(Sha256::digest(bytes));
    }
    hex(&all.finalize())
}

fn hex(bytes: &[u8]) -> Result<String> {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

/// Writes the site; the bundled facts and models are part of the program in their own right.
#[cfg(any(feature = "web", test))]
pub(crate) fn write(site: &Site, built: &Built, folder: &Path) -> Result<()> {
    let mut kept = Site::default();
    let shipped = site.0.iter().filter(|(path, _)| !path.starts_with(site::BUNDLED));
    let shipped = Site(shipped.map(|(path, bytes)| (path.clone(), bytes.clone())).collect());
    for (path, bytes) in &shipped.0 {
        let packed = site::gzip(bytes)?;
        // What is packed already would be unpacked for nothing.
        match packed.len() < bytes.len() / 10 * 9 {
            true => kept.put(&format!("{PACKED}/{path}"), packed),
            false => kept.put(&format!("{PLAIN}/{path}"), bytes.as_slice()),
        }
    }
    let files = contents(&shipped)?;
    kept.put(DIGESTS, format!("page {}\nworker {}\nfiles {files}\n", built.page, built.worker));
    kept.write(folder)
}

/// Reads it back, without the bundled facts and models; none where there is no such folder.
pub(crate) fn read(folder: &Path) -> Result<Option<(Site, Built)>> {
    let digests = folder.join(DIGESTS);
    if !digests.is_file() {
        return Ok(None);
    }
    let text = String::from_utf8(site::read(&digests)?).context("the digests of app/site are no text")?;
    let named = |part: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(part)?.strip_prefix(' '));
        found.map(str::to_owned).with_context(|| format!("{} names no {part}", digests.display()))
    };
    let built = Built { page: named("page")?, worker: named("worker")? };
    let mut site = Site::default();
    for name in site::listed(&folder.join(PACKED))? {
        let mut bytes = Vec::new();
        let packed = site::read(&folder.join(PACKED).join(&name))?;
        GzDecoder::new(&*packed).read_to_end(&mut bytes).with_context(|| format!("app/site: {name} is damaged"))?;
        site.put(&name, bytes);
    }
    for name in site::listed(&folder.join(PLAIN))? {
        site.put(&name, site::read(&folder.join(PLAIN).join(&name))?);
    }
    if contents(&site)? != named("files")? {
        bail!("{} is not whole: a file is missing, or not the one that was built", folder.display());
    }
    Ok(Some((site, built)))
}

/// Whether the site that the repository carries was built from the sources as they are now.
///
/// # Errors
/// When it was not, saying which part, and what to do.
pub(crate) fn check() -> Result<()> {
    let now = sources(&crate::shell::root())?;
    let Some((_, built)) = read(&folder())? else { bail!("app/site is missing; `cargo xtask web` builds it") };
    match (built.page == now, built.worker == now) {
        (true, true) => Ok(()),
        (page, _) => {
            let part = if page { "worker" } else { "page" };
            bail!("app/site has a {part} of other sources than these; `cargo xtask web` builds it anew, then commit it")
        }
    }
}

/// Puts the site that the repository carries into `dist/`, with the bundled facts and models, as a web server needs it.
pub(crate) fn unpack(dist: &Path) -> Result<()> {
    let (mut site, _) = read(&folder())?.context("app/site is missing; `cargo xtask web` builds it")?;
    site::bundled(&mut site)?;
    site.write(dist)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_comes_back() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut site = Site::default();
        site.put("index.html", "page ".repeat(50));
        site.put("sample.gz", [1, 2, 3]);
        site.put("bundled/facts.json", "[]");
        let built = Built { page: "1".into(), worker: "2".into() };
        assert!(read(folder.path())?.is_none());
        write(&site, &built, folder.path())?;
        assert!(folder.path().join("gzip/index.html").is_file() && folder.path().join("plain/sample.gz").is_file());
        let (back, digests) = read(folder.path())?.context("nothing there")?;
        site.0.remove("bundled/facts.json");
        assert_eq!((back.0, digests), (site.0, built));
        std::fs::remove_file(folder.path().join("plain/sample.gz"))?;
        assert!(read(folder.path()).is_err(), "a file is missing");
        Ok(())
    }

    #[test]
    fn a_source_changes_the_digest_and_a_test_does_not() -> Result<()> {
        let root = tempfile::tempdir()?;
        for name in SOURCES {
            let path = root.path().join(name);
            if name.ends_with("src") || name.ends_with("/web") || name == "web" {
                std::fs::create_dir_all(path)?;
            } else {
                std::fs::create_dir_all(path.parent().context("no parent")?)?;
                std::fs::write(path, "")?;
            }
        }
        let before = sources(root.path())?;
        std::fs::write(root.path().join("core/src/tests.rs"), "1")?;
        assert_eq!(sources(root.path())?, before);
        std::fs::write(root.path().join("core/src/run.rs"), "1")?;
        assert_ne!(sources(root.path())?, before);
        Ok(())
    }
}
