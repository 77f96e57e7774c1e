//! Second moments of keys, kept in the browser: the next tab does not compute them again.

use super::opfs;
use engram_core::Result;
use engram_core::second_moment::{Later, Store};

/// Folder of the files.
const FOLDER: &str = "second-moments";
/// Most files; they have up to some dozen megabytes each.
const MOST: usize = 16;

/// The browser's private file system.
pub(crate) struct Kept;

impl Store for Kept {
    fn read<'a>(&'a self, name: &'a str) -> Later<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let folder = opfs::folder(&[FOLDER]).await?;
            // Opening a file would make it.
            if !opfs::names(&folder).await.iter().any(|known| known == name) {
                return None;
            }
            opfs::Stored::open(&folder, name).await.ok()?.all().ok()
        })
    }

    fn write<'a>(&'a self, name: &'a str, bytes: &'a [u8]) -> Later<'a, ()> {
        Box::pin(async move {
            if let Err(error) = keep(name, bytes).await {
                log::warn!("the second moment is not kept for the next time: {error}");
            }
        })
    }
}

async fn keep(name: &str, bytes: &[u8]) -> Result<()> {
    let Some(folder) = opfs::folder(&[FOLDER]).await else { return Ok(()) };
    let known = opfs::names(&folder).await;
    if known.len() >= MOST {
        // Which ones go does not matter much: each can be computed again.
        for old in known.iter().take(known.len() + 1 - MOST) {
            opfs::remove(&folder, old).await?;
        }
    }
    let written = opfs::Stored::open(&folder, name).await?.replace(bytes);
    if written.is_err() {
        // Half a file is worth nothing.
        opfs::remove(&folder, name).await?;
    }
    written
}
