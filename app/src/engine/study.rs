//! A study in a folder: facts from a file, a journal while it runs, the record at its end.

mod begin;

use super::Studied;
use super::kind;
use super::load::{load, open, record_name};
use crate::bundled;
use crate::progress::Progress;
use crate::wanted::{Facts, Model, Place};
use anyhow::Result;
use begin::Files;
pub(super) use begin::file_name;
use engram_core::facts::{FactFile, parse};
use engram_core::journal::Journal;
use engram_core::lab::{Begin, Lines, study};
use engram_core::record::{FactRecord, Outcome, Record, Settings};
use engram_core::study::{Event, StudyPhase};
use engram_core::text::told;
use engram_core::{Error, Kind};
use pollster::block_on;

/// See [`super::study`].
pub(super) fn run(
    wanted: &Model,
    facts: &Facts,
    settings: &Settings,
    place: &Place,
    progress: &Progress,
) -> Result<Studied> {
    let facts = read_facts(facts, progress)?;
    if place.strict {
        facts.strict()?;
    }
    if settings.n > facts.facts.len() {
        progress.note(&format!("{} facts are wanted, the file has {}", settings.n, facts.facts.len()));
    }
    let (files, journal) = Files::claim(&place.out, &record_name(&wanted.source))?;
    let studied = work(wanted, &facts, settings, (&files, journal), place, progress);
    if studied.is_err() {
        files.tidy();
    }
    studied
}

fn work(
    wanted: &Model,
    facts: &FactFile,
    settings: &Settings,
    (files, journal): (&Files, Journal),
    place: &Place,
    progress: &Progress,
) -> Result<Studied> {
    let mut loaded = load(wanted, progress)?;
    super::stats::attach(&mut loaded, wanted, &settings.edit, progress)?;
    let path = files.record.clone();
    let (mut resumed, mut unwritten) = (0, None);
    let begin = |header: &Record| {
        let mut journal = journal;
        let begin = begin::begin(files, &mut journal, (header, settings, facts), place.fresh, progress)?;
        let record = match begin {
            begin::Begin::Finished(record) => {
                resumed = record.facts.len();
                return Ok(Begin::Finished(record));
            }
            begin::Begin::At(record) => record,
        };
        if place.strict {
            record.facts.iter().try_for_each(sound)?;
        }
        resumed = record.facts.len();
        if resumed > 0 {
            progress.note(&format!("going on after {resumed} facts of an earlier run"));
        }
        Ok(Begin::At(record, Writing(unwritten.insert(journal))))
    };
    let mut bars = Bars { progress, phase: None, searching: false };
    let mut tell = |event: Event<'_>| match event {
        Event::Fact(fact) if place.strict => sound(fact),
        Event::Progress { phase, done, of } => {
            bars.show(phase, done, of);
            Ok(())
        }
        _ => Ok(()),
    };
    let program = super::program();
    let record = block_on(study(&mut loaded.model, facts, settings.clone(), &program, begin, &mut tell))?;
    if let Some(journal) = unwritten
        && let Some(kept) = journal.finish(&path, &record)?
    {
        progress.note(&format!("the record that was there, of other settings, is {}", kept.display()));
    }
    Ok(Studied { path, resumed, record })
}

/// The journal of a study that runs.
struct Writing<'a>(&'a mut Journal);

impl Lines for Writing<'_> {
    fn append(&mut self, line: &[u8]) -> engram_core::Result<()> {
        self.0.append(line)
    }
}

/// See [`super::check_studies`].
pub(super) fn check(models: &[Model], settings: &Settings, progress: &Progress) -> Result<()> {
    let names: Vec<String> = models.iter().map(|model| begin::file_name(&record_name(&model.source))).collect();
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            return Err(Error::input(format!("two models are called {name}, and so would be their records"))
                .hint("study them one by one, each with an --out of its own")
                .into());
        }
    }
    for model in models {
        let fits = open(model, progress).and_then(|opened| {
            let layers = engram_core::model::layers(opened.checkpoint.config())?;
            Ok(settings.check(layers)?)
        });
        match fits {
            Err(error) if kind(&error) == Some(Kind::Input) => return Err(error.context(model.source.name())),
            // What the network or a disk refuses now it may grant when this model has its turn.
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
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

/// Refuses a fact that was dropped for a defect of its own.
fn sound(fact: &FactRecord) -> engram_core::Result<()> {
    match &fact.outcome {
        Outcome::Dropped(dropped) if dropped.reason.is_defect() => {
            let (id, detail) = (told(&fact.id), told(&dropped.detail));
            Err(Error::input(format!("fact {id} ({}): {detail}", dropped.reason.name()))
                .hint("mend the fact, or leave out --strict to have it dropped with this reason"))
        }
        _ => Ok(()),
    }
}

/// Shows how far a study is.
struct Bars<'a> {
    progress: &'a Progress,
    phase: Option<StudyPhase>,
    /// A search is not at its last step.
    searching: bool,
}

impl Bars<'_> {
    fn show(&mut self, phase: StudyPhase, done: usize, of: usize) {
        // Edits are found and measured part by part: the steps of all of them tell how far the work is.
        if phase == StudyPhase::Edit && self.searching {
            return;
        }
        self.searching = phase == StudyPhase::Optimize && done < of;
        if self.phase != Some(phase) {
            self.phase = Some(phase);
            let (label, unit) = match phase {
                StudyPhase::Trace => ("tracing", "facts"),
                StudyPhase::Redundancy => ("redundancy", "curves"),
                StudyPhase::Mlp => ("tracing MLPs", "facts"),
                StudyPhase::SecondMoment => ("second moments of keys", "tokens"),
                StudyPhase::Optimize => ("finding v*", "steps"),
                StudyPhase::Edit => ("editing", "facts"),
            };
            self.progress.start(label, unit, Some(of as u64), done as u64);
        }
        self.progress.set(done as u64);
    }
}
