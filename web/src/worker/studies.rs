//! Studies in the browser's file system: a journal each, so that a closed tab loses nothing.

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
use wasm_bindgen::{JsCast, JsValue};
use web_sys::FileSystemDirectoryHandle;

/// What is known of a kept study without reading its journal.
#[derive(Serialize, Deserialize)]
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

/// A journal's file; without storage the lines are lost with the tab.
struct Kept(Option<(Stored, u64)>);

impl Log for Kept {
    fn append(&mut self, line: &[u8]) -> Result<()> {
        let Some((file, end)) = &mut self.0 else { return Ok(()) };
        file.write(*end, line)?;
        *end += line.len() as u64;
        file.flush()
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
            if let (Some(folder), Some(bytes)) = (folder(&key).await, bytes.filter(|_| facts.is_some())) {
                Stored::open(&folder, FACTS).await?.replace(&bytes)?;
            }
            (key, about, None, facts)
        }
    };
    opfs::persist().await;
    let place = folder(&key).await;
    let mut log = Kept(match &place {
        Some(place) => {
            let file = Stored::open(place, JOURNAL).await?;
            let end = match &begun {
                Some(Found::Study(begun)) => begun.kept,
                _ => 0,
            };
            file.truncate(end)?;
            opfs::write_json(place, ABOUT, &about).await?;
            Some((file, end))
        }
        None => None,
    });
    let begun = begun.filter(|_| log.0.is_some());
    let settings = about.settings.clone();
    let result = lab.study(facts.as_ref(), settings, begun, &key, &mut log, tell).await;
    drop(log);
    if let Some(place) = &place {
        update(place, about, result.is_ok()).await?;
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
    let place = folder(key).await.ok_or_else(|| unknown(key))?;
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
    let all = opfs::folder(&["studies"]).await.filter(|_| valid(key));
    match all {
        Some(all) => opfs::remove(&all, key).await,
        None => Err(unknown(key)),
    }
}

/// What is kept, newest first.
pub(crate) async fn list() -> Result<Vec<Saved>> {
    let Some(all) = opfs::folder(&["studies"]).await else { return Ok(Vec::new()) };
    let mut studies = Vec::new();
    for key in opfs::names(&all).await {
        let Some(place) = folder(&key).await else { continue };
        // A folder without a readable account was left by a tab that closed at the wrong moment.
        let Ok(Some(mut about)) = opfs::read_json::<About>(&place, ABOUT).await else { continue };
        if !about.finished
            && let Ok(journal) = journal_of(&place).await
        {
            about.count(&journal);
        }
        studies.push(Saved {
            key,
            model: about.model,
            info: about.info,
            facts: about.facts,
            validated: about.validated,
            n: about.settings.n,
            edits: about.edits,
            finished: about.finished,
            changed_ms: about.changed_ms,
        });
    }
    studies.sort_by(|a, b| b.changed_ms.total_cmp(&a.changed_ms));
    Ok(studies)
}

/// The bundled facts, fetched from the page's own server once.
pub(crate) async fn bundled_facts() -> Result<FactFile> {
    let bytes = models::bundled::fetch("facts.json").await?;
    host::rest().await;
    parse("bundled facts", &bytes)
}
