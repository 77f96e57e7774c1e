//! Studies in the browser's file system: a journal each, so that a closed tab loses nothing. Where the browser keeps no
//! files (private windows, insecure pages), journals are in memory: a paused study goes on, a closed tab loses it.

use super::opfs::{self, Stored};
use super::queue::Engine;
use super::{host, js, models};
use engram_core::facts::{FactFile, parse};
use engram_core::journal::{self, Found};
use engram_core::lab::Log;
use engram_core::protocol::{Event, ModelRef, Saved, StudyCommand};
use engram_core::record::{ModelInfo, Settings};
use engram_core::{Error, Result};
use js_sys::Uint8Array;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::FileSystemDirectoryHandle;

/// What is known of a kept study without reading its journal.
#[derive(Clone, Serialize, Deserialize)]
struct About {
    model: ModelRef,
    info: ModelInfo,
    facts: String,
    /// The facts are a file of their own beside the journal.
    own_facts: bool,
    settings: Settings,
    validated: usize,
    edits: usize,
    finished: bool,
    changed_ms: f64,
}

const ABOUT: &str = "about.json";
const JOURNAL: &str = "journal.jsonl";
const FACTS: &str = "facts";

/// A study of a browser that keeps no files.
struct Unkept {
    about: About,
    journal: Vec<u8>,
    facts: Option<Vec<u8>>,
}

thread_local! {
    static MEMORY: RefCell<BTreeMap<String, Unkept>> = RefCell::default();
}

impl Unkept {
    /// What `look` finds in the study with this key, if there is one.
    fn with<T>(key: &str, look: impl FnOnce(&mut Self) -> T) -> Option<T> {
        MEMORY.with_borrow_mut(|all| all.get_mut(key).map(look))
    }
}

/// A journal: a file and its end, or the memory of a study with this key.
enum Kept {
    File(Stored, u64),
    Memory(String),
}

impl Log for Kept {
    fn append(&mut self, line: &[u8]) -> Result<()> {
        match self {
            Self::File(file, end) => {
                file.write(*end, line)?;
                *end += line.len() as u64;
                file.flush()
            }
            Self::Memory(key) => {
                Unkept::with(key, |study| study.journal.extend_from_slice(line)).ok_or_else(|| unknown(key))
            }
        }
    }
}

async fn folder(key: &str) -> Option<FileSystemDirectoryHandle> {
    match valid(key) {
        true => opfs::folder(&["studies", key]).await,
        false => None,
    }
}

/// A key is a folder's name that this program made.
fn valid(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Runs a study, new or begun.
pub(crate) async fn run(
    engine: &mut Engine,
    ask: StudyCommand,
    message: &JsValue,
    tell: &dyn Fn(Event),
) -> Result<Event> {
    let (lab, model) = engine.lab.as_mut().ok_or_else(|| Error::input("no model is loaded").hint("load one first"))?;
    let (key, about, begun, facts) = match &ask.key {
        Some(key) => {
            let (about, begun, facts) = kept(key).await?;
            (key.clone(), about, Some(begun), facts)
        }
        None => {
            let name = lab.model().info.name.to_lowercase();
            let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            let key = format!("{:.0}-{plain}", js::now_ms());
            let bytes = js::get(message, "bytes").dyn_into::<Uint8Array>().ok().map(|bytes| bytes.to_vec());
            let facts = match (&ask.facts, &bytes) {
                (Some(name), Some(bytes)) => Some(parse(name, bytes)?),
                (Some(name), None) => return Err(Error::input(format!("{name}: the file did not arrive"))),
                (None, _) => None,
            };
            let about = About {
                model: model.clone(),
                info: lab.model().info.clone(),
                facts: ask.facts.clone().unwrap_or_else(|| lab.facts().name.clone()),
                own_facts: facts.is_some(),
                settings: ask.settings.clone(),
                validated: 0,
                edits: 0,
                finished: false,
                changed_ms: js::now_ms(),
            };
            let bytes = bytes.filter(|_| facts.is_some());
            match (folder(&key).await, bytes) {
                (Some(folder), Some(bytes)) => Stored::open(&folder, FACTS).await?.replace(&bytes)?,
                (Some(_), None) => {}
                (None, facts) => {
                    let study = Unkept { about: about.clone(), journal: Vec::new(), facts };
                    MEMORY.with_borrow_mut(|all| all.insert(key.clone(), study));
                }
            }
            (key, about, None, facts)
        }
    };
    opfs::persist().await;
    let place = folder(&key).await;
    let end = match &begun {
        Some(Found::Study(begun)) => begun.kept,
        _ => 0,
    };
    let mut log = match &place {
        Some(place) => {
            let file = Stored::open(place, JOURNAL).await?;
            file.truncate(end)?;
            opfs::write_json(place, ABOUT, &about).await?;
            Kept::File(file, end)
        }
        None => {
            Unkept::with(&key, |study| study.journal.truncate(end as usize));
            Kept::Memory(key.clone())
        }
    };
    let settings = about.settings.clone();
    let result = lab.study(facts.as_ref(), settings, begun, &key, &mut log, tell).await;
    drop(log);
    match &place {
        Some(place) => update(place, about, result.is_ok()).await?,
        None => {
            Unkept::with(&key, |study| {
                study.about.finished = result.is_ok();
                study.about.changed_ms = js::now_ms();
            });
        }
    }
    let record = Box::new(result?);
    Ok(Event::Study { key, finished: true, record })
}

/// Counts what the journal holds by now.
async fn update(place: &FileSystemDirectoryHandle, mut about: About, finished: bool) -> Result<()> {
    about.count(&journal_of(place).await?);
    about.finished = finished;
    about.changed_ms = js::now_ms();
    opfs::write_json(place, ABOUT, &about).await
}

impl About {
    fn count(&mut self, journal: &Found) {
        if let Found::Study(begun) = journal {
            self.validated = begun.record.validated().count();
            self.edits = begun.record.edits.as_ref().map_or(0, Vec::len);
        }
    }

    fn saved(self, key: String) -> Saved {
        Saved {
            key,
            model: self.model,
            info: self.info,
            facts: self.facts,
            validated: self.validated,
            n: self.settings.n,
            edits: self.edits,
            finished: self.finished,
            changed_ms: self.changed_ms,
        }
    }
}

/// What is whole of a journal.
async fn journal_of(place: &FileSystemDirectoryHandle) -> Result<Found> {
    let inner = async || {
        let found = journal::find(&Stored::open(place, JOURNAL).await?.all()?)?;
        if let Found::Study(begun) = &found {
            journal::check(&begun.record)?;
        }
        Ok(found)
    };
    inner().await.map_err(|error: Error| error.at("the kept study"))
}

async fn kept(key: &str) -> Result<(About, Found, Option<FactFile>)> {
    let Some(place) = folder(key).await else {
        let read = |study: &mut Unkept| -> Result<_> {
            let facts = study.facts.as_ref().map(|bytes| parse(&study.about.facts, bytes)).transpose()?;
            Ok((study.about.clone(), journal::find(&study.journal)?, facts))
        };
        return Unkept::with(key, read).unwrap_or_else(|| Err(unknown(key)));
    };
    let about: About = opfs::read_json(&place, ABOUT).await?.ok_or_else(|| unknown(key))?;
    let begun = journal_of(&place).await?;
    let facts = match about.own_facts {
        true => Some(parse(&about.facts, &Stored::open(&place, FACTS).await?.all()?)?),
        false => None,
    };
    Ok((about, begun, facts))
}

fn unknown(key: &str) -> Error {
    Error::input(format!("no study \"{key}\" is kept here")).hint("start a new one")
}

/// A kept study's record.
pub(crate) async fn open(key: &str) -> Result<Event> {
    let (about, begun, _) = kept(key).await?;
    match begun {
        Found::Study(begun) => {
            Ok(Event::Study { key: key.to_owned(), finished: about.finished, record: Box::new(begun.record) })
        }
        Found::Nothing(why) => {
            Err(Error::input(format!("the kept study: {why}")).hint("go on with it: it starts again"))
        }
    }
}

/// Forgets a study.
pub(crate) async fn remove(key: &str) -> Result<()> {
    match opfs::folder(&["studies"]).await {
        Some(all) if valid(key) => opfs::remove(&all, key).await,
        Some(_) => Err(unknown(key)),
        None => MEMORY.with_borrow_mut(|all| all.remove(key)).map(|_| ()).ok_or_else(|| unknown(key)),
    }
}

/// What is kept, newest first.
pub(crate) async fn list() -> Result<Vec<Saved>> {
    let mut studies = match opfs::folder(&["studies"]).await {
        Some(all) => kept_in(&all).await,
        None => MEMORY.with_borrow(|all| {
            let one = |(key, study): (&String, &Unkept)| {
                let mut about = study.about.clone();
                if let Ok(journal) = journal::find(&study.journal) {
                    about.count(&journal);
                }
                about.saved(key.clone())
            };
            all.iter().map(one).collect()
        }),
    };
    studies.sort_by(|a, b| b.changed_ms.total_cmp(&a.changed_ms));
    Ok(studies)
}

async fn kept_in(all: &FileSystemDirectoryHandle) -> Vec<Saved> {
    let mut studies = Vec::new();
    for key in opfs::names(all).await {
        let Some(place) = folder(&key).await else { continue };
        // A folder without a readable account was left by a tab that closed at the wrong moment.
        let Ok(Some(mut about)) = opfs::read_json::<About>(&place, ABOUT).await else { continue };
        if !about.finished
            && let Ok(journal) = journal_of(&place).await
        {
            about.count(&journal);
        }
        studies.push(about.saved(key));
    }
    studies
}

/// The bundled facts, fetched from the page's own server once.
pub(crate) async fn bundled_facts() -> Result<FactFile> {
    let bytes = models::bundled::fetch("facts.json").await?;
    host::rest().await;
    parse("bundled facts", &bytes)
}
