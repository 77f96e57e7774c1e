//! Result pages: where their frame comes from, and how one is written.

use crate::lab::site::Site;
use engram_core::journal::write_atomic;
use engram_core::record::Record;
use engram_core::verify::{Check, State};
use engram_core::{Error, Result, pack};
use engram_web::{print, shell};
use std::path::Path;

/// The frame's place in the site.
const FRAME: &str = "frame.html";

/// A frame, and whether it has a viewer: a program that was built before the site has none.
pub struct Frame {
    text: String,
    /// Figures can be moved.
    pub alive: bool,
}

impl Frame {
    /// The frame of a built site, else the program's own, else one that can only be read.
    ///
    /// # Errors
    /// When a folder is given that is no site, or has no frame.
    pub fn choose(folder: Option<&Path>) -> Result<Self> {
        let missing =
            || Error::input("the site has no frame for result pages").hint("build it again: `cargo xtask web`");
        let site = folder.map_or_else(|| Ok(Site::own()), |folder| Site::choose(Some(folder)))?;
        let found = site.find(FRAME).map_err(|error| Error::io(format!("{FRAME}: {error}")))?;
        let bytes = match found {
            None if folder.is_some() => return Err(missing()),
            None => return Ok(Self { text: shell::bare(), alive: false }),
            Some(content) => content.unpacked().map_err(|error| Error::io(format!("{FRAME}: {error}")))?,
        };
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| missing())?;
        Ok(Self { text, alive: true })
    }

    /// Writes a page over records, whole or not at all; gives its size in bytes.
    ///
    /// # Errors
    /// When no page can be made of them, or it cannot be written.
    pub fn write(&self, path: &Path, records: &[Record]) -> Result<usize> {
        let page = print::page(&self.text, records)?;
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
    if print::page(&own.text, records)? == page {
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

    #[test]
    fn a_frame_comes_from_a_site_or_from_the_program() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        assert!(Frame::choose(Some(folder.path())).is_err());
        std::fs::write(folder.path().join("index.html"), "")?;
        let told = Frame::choose(Some(folder.path())).err().map(|error| error.to_string());
        assert!(told.is_some_and(|told| told.contains("no frame")));
        std::fs::write(folder.path().join(FRAME), shell::FRAME)?;
        assert!(Frame::choose(Some(folder.path()))?.alive);
        // With or without the site, the program can write pages.
        Frame::choose(None)?;
        Ok(())
    }
}
