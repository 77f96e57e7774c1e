//! Where a study begins: at the first fact, or after what an earlier run left in its journal or its record.

use crate::progress::Progress;
use engram_core::facts::FactFile;
use engram_core::journal::{self, Found, Journal, Resumed};
use engram_core::record::{Record, Settings};
use engram_core::study::is_complete;
use engram_core::{Error, Result};
use std::path::{Path, PathBuf};

/// The files of one model's study.
pub(super) struct Files {
    pub(super) record: PathBuf,
    journal: PathBuf,
    /// The folder was made for this run.
    made: Option<PathBuf>,
}

impl Files {
    /// Makes the folder and holds the study's journal, so that what cannot be written is known before anything is
    /// computed and no second run comes in between.
    pub(super) fn claim(out: &Path, model: &str) -> Result<(Self, Journal)> {
        let made = (!out.exists()).then(|| out.to_path_buf());
        std::fs::create_dir_all(out)
            .map_err(|error| Error::io(format!("{}: {error}", out.display())).hint("choose another --out"))?;
        let stem = file_name(model);
        let record = out.join(format!("{stem}.engram.json"));
        if record.is_dir() {
            return Err(Error::input(format!("{}: a folder stands where the record goes", record.display()))
                .hint("choose another --out"));
        }
        let files = Self { record, journal: out.join(format!("{stem}.engram.journal")), made };
        match Journal::lock(&files.journal) {
            Ok(journal) => Ok((files, journal)),
            Err(error) => {
                files.tidy();
                Err(error)
            }
        }
    }

    /// Takes a folder back that nothing came into.
    pub(super) fn tidy(&self) {
        if let Some(made) = &self.made {
            let _ = std::fs::remove_dir(made); // only when it is empty
        }
    }
}

/// A model's name as a file name: `org/name@revision` becomes `org--name@revision`.
pub(in crate::engine) fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.@".contains(c) { c.to_string() } else { "--".into() };
    name.chars().map(safe).collect()
}

/// What a run does with what is there.
#[derive(Debug, PartialEq)]
enum Choice {
    /// Nothing is there that counts.
    Anew,
    /// The record is there, of this very study.
    Finished(Record),
    /// The journal goes on.
    Journal(Box<Resumed>),
    /// The journal goes on with other settings of its later stages; so many edits are dropped.
    Changed(Box<Resumed>, usize),
    /// A journal begins with what a record has. So many of its edits do not fit other settings of its later stages.
    Record(Record, usize),
}

/// Chooses where to begin. A journal comes before a record: it is what was worked on last. Only where the record is the
/// very study that is asked for, and the journal is not, nothing is left to do.
fn choose(
    files: &Files,
    found: Found,
    record: Option<Record>,
    (header, asked, facts): (&Record, &Settings, &FactFile),
) -> Result<Choice> {
    let header = |there: &Record| journal::alike(header, there, asked);
    let same = |there: &Record| journal::differences(there, &header(there)).is_empty();
    let journal = match found {
        Found::Study(resumed) if same(&resumed.record) => return Ok(Choice::Journal(resumed)),
        Found::Study(resumed) => Some(resumed),
        Found::Nothing(_) => None,
    };
    if let Some(record) = record.as_ref().filter(|record| same(record))
        && is_complete(record, facts).map_err(|error| error.at(files.record.display()))?
    {
        return Ok(Choice::Finished(record.clone()));
    }
    if let Some(mut resumed) = journal {
        let header = header(&resumed.record);
        let dropped = change(&files.journal, &mut resumed.record, &header)?;
        return Ok(Choice::Changed(resumed, dropped));
    }
    let Some(mut record) = record else { return Ok(Choice::Anew) };
    let header = header(&record);
    let dropped = change(&files.record, &mut record, &header)?;
    // What is wrong with it would be wrong with the journal.
    is_complete(&record, facts).map_err(|error| error.at(files.record.display()))?;
    Ok(Choice::Record(record, dropped))
}

/// Gives what is there the new settings of its later stages. The batch plan stays: another one would move the last bits.
fn change(path: &Path, there: &mut Record, header: &Record) -> Result<usize> {
    let differences = journal::tracing_differences(there, header);
    if !differences.is_empty() {
        let what = format!("{} belongs to another study: {}", path.display(), differences.join("; "));
        let hint = match differences.iter().any(|difference| difference.starts_with("precision")) {
            true => "go on in the same precision with --precision, choose another --out, or pass --fresh to start over",
            false => "choose another --out, or pass --fresh to start over",
        };
        return Err(Error::input(what).hint(hint));
    }
    let settings = Settings { rows: there.settings.rows, ..header.settings.clone() };
    Ok(journal::change(there, &settings))
}

/// Where a run begins.
pub(super) enum Begin {
    /// There is nothing to do.
    Finished(Record),
    /// The journal is ready for the next line; this much is there.
    At(Record),
}

/// Reads what is there, says what of it cannot be used, and makes the journal ready for the next line.
///
/// # Errors
/// When what is there is of another study, naming the fields that differ, or cannot be read or written.
pub(super) fn begin(
    files: &Files,
    journal: &mut Journal,
    (header, asked, facts): (&Record, &Settings, &FactFile),
    fresh: bool,
    progress: &Progress,
) -> Result<Begin> {
    if !journal.is_locked() {
        let path = files.journal.display();
        progress.warn(&format!("{path}: this file system has no locks, so let no other run write there"));
    }
    if fresh {
        // A record that is there stays until the new one is complete.
        journal.start(header)?;
        return Ok(Begin::At(header.clone()));
    }
    let found = journal.found()?;
    let lost = match &found {
        Found::Nothing(why) if journal.was_there() => Some(why.clone()),
        _ => None,
    };
    let whole = lost.is_none();
    let path = files.journal.display();
    if let Found::Study(resumed) = &found {
        if let Some(dropped) = &resumed.dropped {
            progress.warn(&format!("{path}: {dropped}; this work is done again"));
        }
        if resumed.undigested {
            progress.note(&format!("{path}: an older program wrote it, whose lines carry no digests"));
        }
    }
    let unfinished = matches!(found, Found::Study(_));
    let record = finished(&files.record, &found)?;
    let choice = choose(files, found, record, (header, asked, facts))?;
    if let Some(why) = lost {
        let copy = journal.keep_copy()?.map(|copy| format!("; a copy is {}", copy.display())).unwrap_or_default();
        let then = if matches!(choice, Choice::Anew) { ", so the study starts again" } else { "" };
        progress.warn(&format!("{path}: {why}{then}{copy}"));
    }
    Ok(match choice {
        Choice::Anew => {
            journal.start(header)?;
            Begin::At(header.clone())
        }
        Choice::Finished(record) => {
            if unfinished {
                progress.note(&format!("{path} stays, of other settings of stage 3"));
            } else if !whole {
                journal.clear()?;
            }
            Begin::Finished(record)
        }
        Choice::Journal(resumed) => {
            journal.go_on(&resumed)?;
            Begin::At(resumed.record)
        }
        Choice::Changed(resumed, dropped) => {
            progress.note(&format!("going on with other settings of stage 3{}", again(dropped)));
            journal.go_on(&resumed)?;
            journal.append_settings(&resumed.record.settings)?;
            Begin::At(resumed.record)
        }
        Choice::Record(record, dropped) => {
            progress.note(&format!("going on from what {} has{}", files.record.display(), again(dropped)));
            journal.start(&record)?;
            Begin::At(record)
        }
    })
}

/// The record that is there. One that cannot be read is in the way only when there is no journal to go on from.
fn finished(path: &Path, found: &Found) -> Result<Option<Record>> {
    match (path.exists().then(|| journal::read(path)), found) {
        (None, _) | (Some(Err(_)), Found::Study(_)) => Ok(None),
        (Some(Ok(read)), _) => Ok(Some(read.record)),
        (Some(Err(error)), Found::Nothing(_)) => {
            Err(error.hint("move it away, choose another --out, or start again with --fresh"))
        }
    }
}

fn again(edits: usize) -> String {
    match edits {
        0 => String::new(),
        1 => "; 1 edit no longer fits and is done again".to_owned(),
        more => format!("; {more} edits no longer fit and are done again"),
    }
}
