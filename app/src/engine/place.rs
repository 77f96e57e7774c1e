//! Places to write, looked at before anything is computed.

use crate::wanted::Save;
use anyhow::{Context, Result};
use engram_core::Error;
use std::path::Path;

impl Save {
    /// Refuses places that cannot be written, before anything is computed.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(file) = &self.delta {
            let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            writable(parent.unwrap_or(Path::new(".")))?;
        }
        for folder in [&self.model, &self.lora].into_iter().flatten() {
            let made = !folder.exists();
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            writable(folder)?;
            if made {
                let _ = std::fs::remove_dir(folder); // nothing is in it until the edit is done
            }
        }
        Ok(())
    }
}

/// Refuses a folder into which no file can be written.
fn writable(folder: &Path) -> Result<()> {
    // One without a name where the system has such: nothing stays there if this run is killed.
    tempfile::tempfile_in(folder).map(drop).map_err(|error| {
        let what = format!("{}: nothing can be written there: {error}", folder.display());
        Error::io(what).hint("choose another place").into()
    })
}
