//! Studies in the browser's file system, a folder each. Where the browser keeps no files (private windows, insecure pages) they
//! are in memory: a paused study goes on, a closed tab loses it.

use super::opfs::{self, Stored};
use engram_core::lab::Log;
use engram_core::service::{About, Studies};
use engram_core::{Error, Result};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use web_sys::FileSystemDirectoryHandle;

const ABOUT: &str = "about.json";
const JOURNAL: &str = "journal.jsonl";
const FACTS: &str = "facts";

/// A study in memory.
pub(crate) struct Unkept {
    about: About,
    journal: Vec<u8>,
    facts: Option<Vec<u8>>,
}

/// The studies of this browser.
#[derive(Default)]
pub(crate) struct Kept {
    memory: Rc<RefCell<BTreeMap<String, Unkept>>>,
}

/// An open journal: a file and its end, or a study in memory.
pub(crate) enum Journal {
    File(Stored, u64),
    Memory(Rc<RefCell<BTreeMap<String, Unkept>>>, String),
}

impl Log for Journal {
    fn append(&mut self, line: &[u8]) -> Result<()> {
        match self {
            Self::File(file, end) => {
                file.write(*end, line)?;
                *end += line.len() as u64;
                file.flush()
            }
            Self::Memory(memory, key) => {
                let mut memory = memory.borrow_mut();
                memory.get_mut(key).ok_or_else(gone)?.journal.extend_from_slice(line);
                Ok(())
            }
        }
    }
}

fn gone() -> Error {
    Error::io("the study is not kept here any more").hint("start a new one")
}

/// A study's folder, made when missing.
async fn folder(key: &str) -> Option<FileSystemDirectoryHandle> {
    opfs::folder(&["studies", key]).await
}

impl Kept {
    fn look<T>(&self, key: &str, look: impl FnOnce(&mut Unkept) -> T) -> Result<T> {
        self.memory.borrow_mut().get_mut(key).map(look).ok_or_else(gone)
    }
}

impl Studies for Kept {
    type Log = Journal;

    async fn keys(&self) -> Vec<String> {
        match opfs::folder(&["studies"]).await {
            Some(all) => opfs::names(&all).await,
            None => self.memory.borrow().keys().cloned().collect(),
        }
    }

    async fn about(&self, key: &str) -> Option<About> {
        // Opening a folder would make it.
        if !self.keys().await.iter().any(|known| known == key) {
            return None;
        }
        match folder(key).await {
            Some(place) => opfs::read_json(&place, ABOUT).await.ok().flatten(),
            None => self.look(key, |study| study.about.clone()).ok(),
        }
    }

    async fn journal(&self, key: &str) -> Result<Vec<u8>> {
        match folder(key).await {
            Some(place) => Stored::open(&place, JOURNAL).await?.all(),
            None => self.look(key, |study| study.journal.clone()),
        }
    }

    async fn facts(&self, key: &str) -> Result<Vec<u8>> {
        match folder(key).await {
            Some(place) => Stored::open(&place, FACTS).await?.all(),
            None => self.look(key, |study| study.facts.clone())?.ok_or_else(gone),
        }
    }

    async fn create(&self, key: &str, about: &About, facts: Option<&[u8]>) -> Result<()> {
        opfs::persist().await;
        let Some(place) = folder(key).await else {
            let study = Unkept { about: about.clone(), journal: Vec::new(), facts: facts.map(<[u8]>::to_vec) };
            self.memory.borrow_mut().insert(key.to_owned(), study);
            return Ok(());
        };
        if let Some(facts) = facts {
            Stored::open(&place, FACTS).await?.replace(facts)?;
        }
        opfs::write_json(&place, ABOUT, about).await
    }

    async fn log(&self, key: &str, end: u64) -> Result<Journal> {
        match folder(key).await {
            Some(place) => {
                let file = Stored::open(&place, JOURNAL).await?;
                file.truncate(end)?;
                Ok(Journal::File(file, end))
            }
            None => {
                self.look(key, |study| study.journal.truncate(end as usize))?;
                Ok(Journal::Memory(self.memory.clone(), key.to_owned()))
            }
        }
    }

    async fn note(&self, key: &str, about: &About) -> Result<()> {
        match folder(key).await {
            Some(place) => opfs::write_json(&place, ABOUT, about).await,
            None => self.look(key, |study| study.about = about.clone()),
        }
    }

    async fn remove(&self, key: &str) -> Result<()> {
        match opfs::folder(&["studies"]).await {
            Some(all) => opfs::remove(&all, key).await,
            None => self.memory.borrow_mut().remove(key).map(|_| ()).ok_or_else(gone),
        }
    }
}
