//! Result pages: where their frame comes from, and how one is written.

use crate::lab::site::Site;
use engram_core::journal::write_atomic;
use engram_core::record::Record;
use engram_core::{Error, Result};
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
