//! The files of the site, until all of them are there and `dist/` is brought up to date at once.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Where the bundled facts and models are, beside the worker's own script.
pub(crate) const BUNDLED: &str = "bundled/";

#[cfg(feature = "web")]
/// Where the lessons are, beside the page, under their own names: a teacher edits them there.
pub(crate) const LESSONS: &str = "lessons/";

/// Files of a bundled model that an engine reads.
const MODEL_FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

/// Paths below `dist/`, with `/` between their parts, and what the files hold.
#[derive(Debug, Default)]
pub(crate) struct Site(pub(crate) BTreeMap<String, Vec<u8>>);

impl Site {
    /// A file under a name of its own.
    pub(crate) fn put(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.0.insert(path.to_owned(), bytes.into());
    }

    #[cfg(any(feature = "web", test))]
    /// A file under a name that has its digest in it; the name comes back.
    pub(crate) fn put_hashed(&mut self, path: &str, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let name = hashed(path, &bytes);
        self.0.insert(name.clone(), bytes);
        name
    }

    #[cfg(any(feature = "web", test))]
    /// The one file whose name begins so.
    pub(crate) fn named(&self, beginning: &str) -> Option<&str> {
        self.0.keys().map(String::as_str).find(|name| name.starts_with(beginning))
    }

    /// Makes the folder hold these files and no others. The folder itself stays: a server may be at work in it. The page
    /// comes last, so that it never names a file that is not there.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let page_last = |path: &&String| path.as_str() == "index.html";
        let (page, others): (Vec<&String>, Vec<&String>) = self.0.keys().partition(page_last);
        for path in others.into_iter().chain(page) {
            let file = folder.join(path);
            let parent = file.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
            std::fs::write(&file, &self.0[path]).with_context(|| format!("cannot write {}", file.display()))?;
        }
        for name in listed(folder)?.into_iter().filter(|name| !self.0.contains_key(name)) {
            let file = folder.join(&name);
            std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
        }
        Ok(())
    }
}

#[cfg(any(feature = "web", test))]
/// `engram-web.js` with the first digits of its SHA-256: `engram-web-0123456789.js`.
pub(crate) fn hashed(path: &str, bytes: &[u8]) -> String {
    let digest: String =
        <sha2::Sha256 as sha2::Digest>::digest(bytes).iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    match path.rsplit_once('.') {
        Some((stem, end)) => format!("{stem}-{digest}.{end}"),
        None => format!("{path}-{digest}"),
    }
}

/// A file's bytes; an error names it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// After gzip. The header holds no name or time, so equal input gives equal bytes.
#[cfg(any(feature = "web", test))]
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    use std::io::Write as _;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes)?;
    Ok(out.finish()?)
}

/// Every file of a folder and of those in it, by its path below it; none where the folder is missing.
pub(crate) fn listed(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if !folder.is_dir() {
        return Ok(names);
    }
    let entries = folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type()?.is_dir() {
            true => names.extend(listed(&entry.path())?.into_iter().map(|below| format!("{name}/{below}"))),
            false => names.push(name),
        }
    }
    Ok(names)
}

#[cfg(feature = "web")]
/// Puts the lessons' texts into a site.
pub(crate) fn lessons(site: &mut Site) -> Result<()> {
    let from = crate::shell::root().join("web").join("lessons");
    for name in listed(&from)? {
        site.put(&format!("{LESSONS}{name}"), read(&from.join(&name))?);
    }
    Ok(())
}

/// Puts the bundled facts and models into a site.
pub(crate) fn bundled(site: &mut Site) -> Result<()> {
    let from = crate::shell::root().join("core").join("bundled");
    site.put(&format!("{BUNDLED}facts.json"), read(&from.join("facts.json"))?);
    for entry in from.join("models").read_dir().context("cannot list the bundled models")? {
        let model = entry?.path();
        let Some(name) = model.file_name().and_then(|name| name.to_str()) else { continue };
        for file in MODEL_FILES {
            site.put(&format!("{BUNDLED}models/{name}/{file}"), read(&model.join(file))?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_the_site_and_nothing_else() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut old = Site::default();
        old.put("index.html", "old");
        let gone = old.put_hashed("page.js", "old");
        let kept = old.put_hashed("worker.js", "kept");
        old.write(folder.path())?;

        let mut new = Site::default();
        new.put("index.html", "new");
        new.put("bundled/facts.json", "[]");
        new.put(&kept, "kept");
        assert_eq!(new.named("worker"), Some(kept.as_str()));
        new.write(folder.path())?;
        let mut names = listed(folder.path())?;
        names.sort();
        assert_eq!(names, ["bundled/facts.json", "index.html", &kept]);
        assert!(!names.contains(&gone));
        Ok(())
    }

    #[test]
    fn names_have_the_digest_of_what_the_files_hold() {
        assert_eq!(hashed("a/page.js", b""), "a/page-e3b0c44298.js");
        assert_ne!(hashed("page.js", b"1"), hashed("page.js", b"2"));
    }
}
