//! A study: facts from a file, a journal while it runs, the record at its end.

mod begin;

use super::Studied;
use super::kind;
use super::load::{load, open, record_name};
use crate::bundled;
use crate::progress::Progress;
use crate::wanted::{Facts, Model, Place};
use anyhow::Result;
use begin::{Begin, Files};
use engram_core::facts::{FactFile, parse};
use engram_core::journal::Journal;
use engram_core::record::{FactRecord, Outcome, Settings};
use engram_core::study::{self, Event, Observer, StudyPhase};
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
    (files, mut journal): (&Files, Journal),
    place: &Place,
    progress: &Progress,
) -> Result<Studied> {
    let mut loaded = load(wanted, progress)?;
    super::stats::attach(&mut loaded, wanted, &settings.edit, progress)?;
    let model = &mut loaded.model;
    let header = block_on(study::header(model, facts, settings.clone(), &super::program()))?;
    let path = files.record.clone();
    let record = match begin::begin(files, &mut journal, (&header, settings, facts), place.fresh, progress)? {
        Begin::Finished(record) => return Ok(Studied { path, resumed: record.facts.len(), record }),
        Begin::At(record) => record,
    };
    if place.strict {
        record.facts.iter().try_for_each(sound)?;
    }
    let resumed = record.facts.len();
    if resumed > 0 {
        progress.note(&format!("going on after {resumed} facts of an earlier run"));
    }
    let mut observer = Recorder { journal, progress, phase: None, searching: false, strict: place.strict };
    let record = block_on(study::run(model, facts, record, &mut observer))?;
    if let Some(kept) = observer.journal.finish(&path, &record)? {
        progress.note(&format!("the record that was there, of other settings, is {}", kept.display()));
    }
    Ok(Studied { path, resumed, record })
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

/// Journals what is finished and shows how far the study is.
struct Recorder<'a> {
    journal: Journal,
    progress: &'a Progress,
    phase: Option<StudyPhase>,
    /// A search is not at its last step.
    searching: bool,
    strict: bool,
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

impl Observer for Recorder<'_> {
    fn event(&mut self, event: Event<'_>) -> engram_core::Result<()> {
        if let Event::Fact(fact) = event
            && self.strict
        {
            sound(fact)?;
        }
        if let Some(line) = event.line()? {
            self.journal.append(&line)?;
        }
        match event {
            Event::Fact(_) | Event::Redundancy(_) | Event::Mlp(_) | Event::Edit(_) | Event::Sequence(_) => Ok(()),
            // Edits are found and measured part by part: the steps of all of them tell how far the work is.
            Event::Progress { phase: StudyPhase::Edit, .. } if self.searching => Ok(()),
            Event::Progress { phase, done, of } => {
                self.searching = phase == StudyPhase::Optimize && done < of;
                if self.phase != Some(phase) {
                    self.phase = Some(phase);
                    let (label, unit) = match phase {
                        StudyPhase::Trace => ("tracing", "facts"),
                        StudyPhase::Redundancy => ("redundancy", "facts"),
                        StudyPhase::Mlp => ("tracing MLPs", "facts"),
                        StudyPhase::SecondMoment => ("second moments of keys", "tokens"),
                        StudyPhase::Optimize => ("finding v*", "steps"),
                        StudyPhase::Edit => ("editing", "facts"),
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
