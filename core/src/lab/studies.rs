//! A study whose journal somebody else keeps.

use super::Tell;
use crate::error::{Error, Result};
use crate::facts::FactFile;
use crate::journal::{Chain, Found, alike, differences, header_line};
use crate::load::Model;
use crate::protocol::Event;
use crate::record::{Record, Settings};
use crate::study::{self, Observer};

/// Keeps a journal's lines; when it says that one is written, it is.
pub trait Log {
    /// Appends a line, its digest and newline included.
    ///
    /// # Errors
    /// When it cannot be kept; the study ends with it.
    fn append(&mut self, line: &[u8]) -> Result<()>;
}

/// Logs what is finished, and tells of it.
struct Logged<'a> {
    log: &'a mut dyn Log,
    chain: Chain,
    tell: Tell<'a>,
}

impl Observer for Logged<'_> {
    fn event(&mut self, event: study::Event<'_>) -> Result<()> {
        if let Some(line) = event.line()? {
            self.log.append(&self.chain.seal(&line))?;
        }
        (self.tell)(match event {
            study::Event::Fact(fact) => Event::Fact(Box::new(fact.clone())),
            // The page shows it with the edits.
            study::Event::Mlp(_) | study::Event::Sequence(_) => return Ok(()),
            study::Event::Redundancy(line) => Event::StudyRedundancy(line.clone()),
            study::Event::Edit(edit) => Event::StudyEdit(Box::new(edit.clone())),
            study::Event::Progress { phase, done, of } => Event::Progress { phase, done, of },
        });
        Ok(())
    }
}

/// Runs a study, or what `begun` lacks of it: the log then ends where that does. `key` is its name at the host.
///
/// # Errors
/// When the earlier part is of another study, the log fails, or the work was cancelled; what is finished is in the log.
pub async fn study(
    model: &mut Model,
    facts: &FactFile,
    settings: Settings,
    begun: Option<Found>,
    (key, program): (&str, &str),
    log: &mut dyn Log,
    tell: Tell<'_>,
) -> Result<Record> {
    let header = study::header(model, facts, settings.clone(), program).await?;
    let (record, chain, lost) = match begun {
        Some(Found::Study(begun)) => {
            let differences = differences(&begun.record, &alike(&header, &begun.record, &settings));
            if !differences.is_empty() {
                return Err(Error::input(format!("this is not the study that was begun: {}", differences.join("; ")))
                    .hint("load the model that it was begun with, or start a new study"));
            }
            (begun.record, begun.chain, begun.dropped.map(|lost| format!("{lost}; this work is done again")))
        }
        nothing => {
            let mut chain = Chain::default();
            log.append(&chain.seal(&header_line(&header)?))?;
            let lost = match nothing {
                Some(Found::Nothing(why)) => Some(format!("{why}, so the study starts again")),
                _ => None,
            };
            (header, chain, lost)
        }
    };
    let mut notes: Vec<String> = lost.map(|lost| format!("The journal: {lost}.")).into_iter().collect();
    notes.extend((!facts.warnings.is_empty()).then(|| format!("The facts: {}.", facts.warnings.join("; "))));
    let note = (!notes.is_empty()).then(|| notes.join(" "));
    tell(Event::StudyHeader { key: key.to_owned(), record: Box::new(record.clone()), note });
    study::run(model, facts, record, &mut Logged { log, chain, tell }).await
}
