//! A study: facts from a file, a journal while it runs, the record at its end.

use super::load::load;
use super::{Facts, Model, Place, Studied};
use crate::bundled;
use crate::render::progress::Progress;
use anyhow::{Context, Result};
use engram_core::facts::{FactFile, parse};
use engram_core::journal::{self, Journal};
use engram_core::record::{Record, Settings};
use engram_core::study::{self, Event, Observer, Phase};
use engram_core::{Error, Kind};
use pollster::block_on;
use std::path::PathBuf;

/// See [`super::study`].
pub(super) fn run(
    wanted: &Model,
    facts: &Facts,
    settings: &Settings,
    place: &Place,
    progress: &Progress,
) -> Result<Studied> {
    let facts = read_facts(facts, progress)?;
    let mut loaded = load(wanted, progress)?;
    std::fs::create_dir_all(&place.out)
        .map_err(|error| Error::io(format!("{}: {error}", place.out.display())).hint("choose another --out"))?;
    let stem = file_name(&loaded.model.info.name);
    let path = place.out.join(format!("{stem}.engram.json"));
    let journal_path = place.out.join(format!("{stem}.engram.journal"));
    if place.fresh {
        for old in [&path, &journal_path].into_iter().filter(|old| old.exists()) {
            std::fs::remove_file(old).with_context(|| old.display().to_string())?;
        }
    }
    let mut settings = settings.clone();
    let earlier = [&journal_path, &path].into_iter().find(|file| file.exists());
    let mut header = block_on(study::header(&loaded.model, &facts, settings.clone(), &super::program()))?;
    if let Some(earlier) = earlier {
        // The batch plan of the first run is kept: another one would move the last bits.
        settings.rows = journal::read(earlier)?.record.settings.rows;
        header.settings.rows = settings.rows;
    }
    if path.exists() && !journal_path.exists() {
        return finished(&mut loaded.model, &facts, &header, path, progress);
    }
    let (journal, record) = match journal_path.exists() {
        true => {
            let (journal, resumed) = Journal::open(&journal_path, &header)?;
            if let Some(dropped) = resumed.dropped {
                progress.warn(&dropped);
            }
            (journal, resumed.record)
        }
        false => (Journal::create(&journal_path, &header)?, header),
    };
    let resumed = record.facts.len();
    if resumed > 0 {
        progress.note(&format!("going on after {resumed} facts of an earlier run"));
    }
    let mut observer = Journaled { journal: Some(journal), progress, phase: None };
    let record = block_on(study::run(&mut loaded.model, &facts, record, &mut observer))?;
    if let Some(journal) = observer.journal.take() {
        journal.finish(&path, &record)?;
    }
    Ok(Studied { path, resumed, record })
}

/// The record is there already: the same study gives it again, another one is refused.
fn finished(
    model: &mut engram_core::model::Model,
    facts: &FactFile,
    header: &Record,
    path: PathBuf,
    progress: &Progress,
) -> Result<Studied> {
    let record = journal::read(&path)?.record;
    let differences = journal::differences(&record, header);
    if !differences.is_empty() {
        return Err(Error::input(format!("{} is of another study: {}", path.display(), differences.join("; ")))
            .hint("choose another --out, or start again with --fresh")
            .into());
    }
    let resumed = record.facts.len();
    let mut observer = Journaled { journal: None, progress, phase: None };
    let record = block_on(study::run(model, facts, record, &mut observer))?;
    Ok(Studied { path, resumed, record })
}

pub(super) fn read_facts(facts: &Facts, progress: &Progress) -> Result<FactFile> {
    let Facts::File(path) = facts else {
        return Ok(parse("bundled facts", bundled::FACTS)?);
    };
    let bytes = std::fs::read(path)
        .map_err(|error| Error::new(Kind::Input, format!("{}: {error}", path.display())).hint("check --facts"))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = parse(&name, &bytes)?;
    for warning in &file.warnings {
        progress.warn(warning);
    }
    Ok(file)
}

/// A model's name as a file name: `org/name@revision` becomes `org--name@revision`.
fn file_name(name: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.@".contains(c) { c.to_string() } else { "--".into() };
    name.chars().map(safe).collect()
}

/// Journals what is finished and shows how far the study is.
struct Journaled<'a> {
    journal: Option<Journal>,
    progress: &'a Progress,
    phase: Option<Phase>,
}

impl Observer for Journaled<'_> {
    fn event(&mut self, event: Event<'_>) -> engram_core::Result<()> {
        let Some(journal) = &mut self.journal else {
            return match event {
                Event::Progress { .. } => Ok(()),
                _ => {
                    Err(Error::input("the record lacks results that its settings ask for")
                        .hint("start again with --fresh"))
                }
            };
        };
        match event {
            Event::Fact(fact) => journal.append(fact),
            Event::Redundancy(line) => journal.append_redundancy(line),
            Event::Edit(edit) => journal.append_edit(edit),
            Event::Progress { phase, done, of } => {
                if self.phase != Some(phase) {
                    self.phase = Some(phase);
                    let (label, unit) = match phase {
                        Phase::Trace => ("tracing", "facts"),
                        Phase::Redundancy => ("redundancy", "facts"),
                        Phase::Optimize => ("finding v*", "steps"),
                        Phase::Edit => ("editing", "facts"),
                    };
                    self.progress.start(label, unit, Some(of as u64), done as u64);
                }
                self.progress.set(done as u64);
                Ok(())
            }
        }
    }

    fn stop(&self) -> bool {
        self.progress.is_cancelled()
    }
}
