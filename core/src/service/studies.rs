//! Studies and where they are kept: a journal each, so that whoever is closed in the middle loses nothing.

use super::host::{Host, Studies};
use crate::error::{Error, Result};
use crate::facts::{FactFile, parse};
use crate::journal::{self, Chain, Found};
use crate::lab::{self, Begin, Lines as _, Log, Sealed};
use crate::load::Model;
use crate::protocol::{Event, ModelRef, Saved, StudyCommand};
use crate::record::{ModelInfo, Record, Settings};
use crate::study;
use serde::{Deserialize, Serialize};

/// What is known of a kept study without reading its journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Where its model came from.
    pub model: ModelRef,
    /// The model's identity.
    pub info: ModelInfo,
    /// Name of the facts.
    pub facts: String,
    /// The facts are a file of their own beside the journal.
    pub own_facts: bool,
    /// As they were asked for.
    pub settings: Settings,
    /// Validated facts so far.
    pub validated: usize,
    /// Edits so far.
    pub edits: usize,
    /// Everything is done.
    pub finished: bool,
    /// When it was last written, in milliseconds since 1970.
    pub changed_ms: f64,
}

impl About {
    fn count(&mut self, journal: &Found) {
        if let Found::Study(begun) = journal {
            self.validated = begun.record.validated().count();
            self.edits = begun.record.edits.as_ref().map_or(0, Vec::len);
        }
    }

    fn saved(self, key: String, running: bool) -> Saved {
        Saved {
            key,
            model: self.model,
            info: self.info,
            facts: self.facts,
            validated: self.validated,
            n: self.settings.n,
            edits: self.edits,
            finished: self.finished,
            running,
            changed_ms: self.changed_ms,
        }
    }
}

/// A study that is to go on, or to begin.
struct Asked {
    key: String,
    about: About,
    begun: Option<Found>,
    /// Facts of its own.
    facts: Option<FactFile>,
}

/// Runs a study of a model, new or begun. `bundled` are the facts where it brings none.
///
/// # Errors
/// As [`study`]; what is finished is kept.
pub(super) async fn run<H: Host>(
    host: &H,
    (model, place): (&mut Model, &ModelRef),
    bundled: &FactFile,
    (ask, brought): (StudyCommand, Option<Vec<u8>>),
    tell: &dyn Fn(Event),
) -> Result<Event> {
    let kept = host.studies();
    let Asked { key, mut about, begun, facts } = match ask.key {
        Some(key) => begun_study(kept, key).await?,
        None => new_study(host, (model, place), bundled, (ask, brought)).await?,
    };
    let end = match &begun {
        Some(Found::Study(begun)) => begun.kept,
        _ => 0,
    };
    let mut log = kept.log(&key, end).await?;
    let (settings, program) = (about.settings.clone(), host.program());
    let facts = facts.as_ref().unwrap_or(bundled);
    let result = study(model, facts, settings, begun, (&key, &program), &mut log, tell).await;
    drop(log);
    if let Ok(journal) = journal_of(kept, &key).await {
        about.count(&journal);
    }
    about.finished = result.is_ok();
    about.changed_ms = host.now_ms();
    let noted = kept.note(&key, &about).await;
    let record = Box::new(result?);
    noted?;
    Ok(Event::Study { key, finished: true, record })
}

/// Runs a study, or what `begun` lacks of it: the log then ends where that does. `key` is its name at the host.
///
/// # Errors
/// As [`lab::study`].
pub async fn study(
    model: &mut Model,
    facts: &FactFile,
    settings: Settings,
    begun: Option<Found>,
    (key, program): (&str, &str),
    log: &mut dyn Log,
    tell: &dyn Fn(Event),
) -> Result<Record> {
    let asked = settings.clone();
    let begin = |header: &Record| {
        let (record, sealed, lost) = begin(header, begun, &asked, log)?;
        let mut notes: Vec<String> = lost.map(|lost| format!("The journal: {lost}.")).into_iter().collect();
        notes.extend((!facts.warnings.is_empty()).then(|| format!("The facts: {}.", facts.warnings.join("; "))));
        let note = (!notes.is_empty()).then(|| notes.join(" "));
        tell(Event::StudyHeader { key: key.to_owned(), record: Box::new(record.clone()), note });
        Ok(Begin::At(record, sealed))
    };
    let mut told = |event: study::Event<'_>| {
        tell(match event {
            study::Event::Fact(fact) => Event::Fact(Box::new(fact.clone())),
            // The page shows it with the edits.
            study::Event::Mlp(_) | study::Event::Sequence(_) => return Ok(()),
            study::Event::Redundancy(line) => Event::StudyRedundancy(line.clone()),
            study::Event::Edit(edit) => Event::StudyEdit(Box::new(edit.clone())),
            study::Event::Progress { phase, done, of } => Event::Progress { phase, done, of },
        });
        Ok(())
    };
    lab::study(model, facts, settings, program, begin, &mut told).await
}

/// The record to go on with, the log behind what is there, and what of an earlier run was lost, in words.
fn begin<'a>(
    header: &Record,
    begun: Option<Found>,
    asked: &Settings,
    log: &'a mut dyn Log,
) -> Result<(Record, Sealed<'a>, Option<String>)> {
    match begun {
        Some(Found::Study(begun)) => {
            let differences = journal::differences(&begun.record, &journal::alike(header, &begun.record, asked));
            if !differences.is_empty() {
                return Err(Error::input(format!("this is not the study that was begun: {}", differences.join("; ")))
                    .hint("load the model that it was begun with, or start a new study"));
            }
            let lost = begun.dropped.map(|lost| format!("{lost}; this work is done again"));
            Ok((begun.record, Sealed { log, chain: begun.chain }, lost))
        }
        nothing => {
            let mut sealed = Sealed { log, chain: Chain::default() };
            sealed.append(&journal::header_line(header)?)?;
            let lost = match nothing {
                Some(Found::Nothing(why)) => Some(format!("{why}, so the study starts again")),
                _ => None,
            };
            Ok((header.clone(), sealed, lost))
        }
    }
}

async fn begun_study<S: Studies>(kept: &S, key: String) -> Result<Asked> {
    let about = about_of(kept, &key).await?;
    let begun = Some(journal_of(kept, &key).await?);
    let facts = match about.own_facts {
        true => Some(parse(&about.facts, &kept.facts(&key).await?)?),
        false => None,
    };
    Ok(Asked { key, about, begun, facts })
}

async fn new_study<H: Host>(
    host: &H,
    (model, place): (&Model, &ModelRef),
    bundled: &FactFile,
    (ask, brought): (StudyCommand, Option<Vec<u8>>),
) -> Result<Asked> {
    let facts = match (&ask.facts, &brought) {
        (Some(name), Some(bytes)) => Some(parse(name, bytes)?),
        (Some(name), None) => return Err(Error::input(format!("{name}: the file did not arrive"))),
        (None, _) => None,
    };
    let now = host.now_ms();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = model.info.name.to_lowercase().chars().map(plain).take(60).collect();
    let key = format!("{now:.0}-{name}");
    let about = About {
        model: place.clone(),
        info: model.info.clone(),
        facts: ask.facts.unwrap_or_else(|| bundled.name.clone()),
        own_facts: facts.is_some(),
        settings: ask.settings,
        validated: 0,
        edits: 0,
        finished: false,
        changed_ms: now,
    };
    host.studies().create(&key, &about, brought.filter(|_| facts.is_some()).as_deref()).await?;
    Ok(Asked { key, about, begun: None, facts })
}

/// A key is a name that this program made, and no path.
fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= 100 && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

async fn about_of<S: Studies>(kept: &S, key: &str) -> Result<About> {
    let about = if is_key(key) { kept.about(key).await } else { None };
    about.ok_or_else(|| unknown(key))
}

fn unknown(key: &str) -> Error {
    let key = crate::text::told(key);
    Error::input(format!("no study \"{key}\" is kept here")).hint("start a new one")
}

/// What is whole of a journal.
async fn journal_of<S: Studies>(kept: &S, key: &str) -> Result<Found> {
    let found = async {
        let found = journal::find(&kept.journal(key).await?)?;
        if let Found::Study(begun) = &found {
            journal::check(&begun.record)?;
        }
        Ok(found)
    };
    found.await.map_err(|error: Error| error.at("the kept study"))
}

/// A kept study's record.
pub(super) async fn open<S: Studies>(kept: &S, key: String) -> Result<Event> {
    let about = about_of(kept, &key).await?;
    match journal_of(kept, &key).await? {
        Found::Study(begun) => Ok(Event::Study { key, finished: about.finished, record: Box::new(begun.record) }),
        Found::Nothing(why) => {
            Err(Error::input(format!("the kept study: {why}")).hint("go on with it: it starts again"))
        }
    }
}

/// Forgets a study.
pub(super) async fn remove<S: Studies>(kept: &S, key: &str) -> Result<()> {
    match is_key(key) && kept.keys().await.iter().any(|known| known == key) {
        true => kept.remove(key).await,
        false => Err(unknown(key)),
    }
}

/// What is kept, newest first. The journal of the one that runs is open already.
pub(super) async fn list<S: Studies>(kept: &S, running: Option<&str>) -> Event {
    let mut studies = Vec::new();
    for key in kept.keys().await {
        // One without a readable account was left by a program that ended at the wrong moment.
        let Some(mut about) = kept.about(&key).await else { continue };
        let runs = running == Some(key.as_str());
        if !about.finished
            && !runs
            && let Ok(journal) = journal_of(kept, &key).await
        {
            about.count(&journal);
        }
        studies.push(about.saved(key, runs));
    }
    studies.sort_by(|a, b| b.changed_ms.total_cmp(&a.changed_ms));
    Event::Studies { studies }
}
