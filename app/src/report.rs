//! Result pages: where their frame comes from, and how one is written.

use crate::lab::site::Site;
use engram_core::journal::write_atomic;
use engram_core::record::Record;
use engram_core::verify::{Check, State};
use engram_core::{Error, Result, pack};
use engram_web::print;
use std::path::Path;

/// The frame's place in the site.
const FRAME: &str = "frame.html";

/// The frame of result pages, with the viewer in it.
pub struct Frame(String);

impl Frame {
    /// The frame of a built site, or the program's own.
    ///
    /// # Errors
    /// When a folder is given that is no site, or there is no frame: a page without one would not work.
    pub fn choose(folder: Option<&Path>) -> Result<Self> {
        let missing = || match folder {
            Some(folder) => Error::input(format!("the site `{}` has no {FRAME}", folder.display()))
                .hint("build it again: `cargo xtask web`"),
            None => Error::io("this program was built without the site, so it writes no pages")
                .hint("`cargo xtask web` in the repository makes the site; then build again, or give --site DIR"),
        };
        let site = folder.map_or_else(|| Ok(Site::own()), |folder| Site::choose(Some(folder)))?;
        let unread = |error| Error::io(format!("{FRAME}: {error}"));
        let content = site.find(FRAME).map_err(unread)?.ok_or_else(missing)?;
        let bytes = content.unpacked().map_err(unread)?;
        Ok(Self(String::from_utf8(bytes.to_vec()).map_err(|_| missing())?))
    }

    /// Writes a page over records, whole or not at all; gives its size in bytes.
    ///
    /// # Errors
    /// When no page can be made of them, or it cannot be written.
    pub fn write(&self, path: &Path, records: &[Record]) -> Result<usize> {
        let page = print::page(&self.0, records)?;
        write_atomic(path, page.as_bytes())?;
        Ok(page.len())
    }
}

/// Holds a result page against the records that it carries; `None` for a file that is no page.
///
/// # Errors
/// When it cannot be read, or no page can be made of its records.
pub fn verify(path: &Path, records: &[Record]) -> Result<Option<Check>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(error.to_string()).at(path.display()))?;
    let Some(page) = pack::from_page(&bytes).and_then(|_| String::from_utf8(bytes).ok()) else { return Ok(None) };
    let check = |state, detail: &str| Check::new("page", state, detail);
    let own = Frame::choose(None)?;
    if print::page(&own.0, records)? == page {
        return Ok(Some(check(State::Ok, "byte for byte the page that this program makes of its records")));
    }
    let said = print::says_what_its_records_give(&page, records)?;
    let version = format!("content=\"Engram {}\"", env!("CARGO_PKG_VERSION"));
    Ok(Some(match said {
        true => check(State::Ok, "its text and figures are what its records give; its viewer is that of another build"),
        false if !page.contains(&version) => {
            check(State::NotChecked, "it was made by another version, whose words may differ")
                .hint("hold a page that `engram report` makes of it against it")
        }
        false => check(State::Failed, "its text or figures are not what its records give: it was changed by hand")
            .hint("trust the records only: `engram report` makes a page of them"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_web::shell;

    #[test]
    fn a_frame_comes_from_a_site_or_from_the_program() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        assert!(Frame::choose(Some(folder.path())).is_err());
        std::fs::write(folder.path().join("index.html"), "")?;
        let told = Frame::choose(Some(folder.path())).err().map(|error| error.to_string());
        assert!(told.is_some_and(|told| told.contains("has no frame.html")));
        std::fs::write(folder.path().join(FRAME), shell::FRAME)?;
        assert_eq!(Frame::choose(Some(folder.path()))?.0, shell::FRAME);
        // The program has one of its own, filled with style and viewer.
        let own = Frame::choose(None)?.0;
        assert!(own.contains("id=\"engram-viewer\"") && !own.contains(shell::Mark::Style.text()));
        Ok(())
    }
}
