//! A study: where it begins, what of it is journaled, who hears of it. Every study is run here; where it is kept, and from what it goes
//! on, is its host's.

use crate::error::{Kind, Result};
use crate::facts::FactFile;
use crate::journal::Chain;
use crate::load::Model;
use crate::pause;
use crate::record::{Record, Settings};
use crate::study::{self, Event, Observer};

/// Keeps a journal's lines; when it says that one is written, it is.
pub trait Log {
    /// Appends a line, its digest and newline included.
    ///
    /// # Errors
    /// When it cannot be kept; the study ends with it.
    fn append(&mut self, line: &[u8]) -> Result<()>;
}

/// Takes a journal's lines and seals them.
pub trait Lines {
    /// Appends a line without its digest.
    ///
    /// # Errors
    /// As [`Log::append`].
    fn append(&mut self, line: &[u8]) -> Result<()>;
}

/// A log whose lines are sealed one after the other.
pub struct Sealed<'a> {
    /// Where they are kept.
    pub log: &'a mut dyn Log,
    /// Seals up to the last one.
    pub chain: Chain,
}

impl Lines for Sealed<'_> {
    fn append(&mut self, line: &[u8]) -> Result<()> {
        self.log.append(&self.chain.seal(line))
    }
}

/// Where a study begins.
pub enum Begin<L> {
    /// Nothing is left to do.
    Finished(Record),
    /// With what this record has, and a journal that is ready for the next line.
    At(Record, L),
}

/// Runs a study. `begin` gets its header, a record without facts, and says what of it is there; `tell` hears what is finished, once the
/// journal has it, and how far the work is. Its error ends the study.
///
/// # Errors
/// When the settings do not fit the model, what is there is of another study, the journal cannot be written, the device fails, or the
/// work was cancelled; what is finished is in the journal.
pub async fn study<L: Lines>(
    model: &mut Model,
    facts: &FactFile,
    settings: Settings,
    program: &str,
    begin: impl FnOnce(&Record) -> Result<Begin<L>>,
    tell: &mut dyn FnMut(Event<'_>) -> Result<()>,
) -> Result<Record> {
    let header = study::header(model, facts, settings, program).await?;
    match begin(&header)? {
        Begin::Finished(record) => Ok(record),
        Begin::At(record, mut lines) => {
            let done = study::run(model, facts, record, &mut Journaled { lines: &mut lines, tell }).await;
            done.map_err(|error| match error.kind {
                Kind::Cancelled => error
                    .hint("run the same command again to go on from here")
                    .in_page("start the study again to go on from here"),
                _ => error,
            })
        }
    }
}

/// Journals what is finished, and tells of it.
struct Journaled<'a> {
    lines: &'a mut dyn Lines,
    tell: &'a mut dyn FnMut(Event<'_>) -> Result<()>,
}

impl Observer for Journaled<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let Some(line) = event.line()? {
            self.lines.append(&line)?;
        }
        (self.tell)(event)
    }

    fn stop(&self) -> bool {
        pause::is_cancelled()
    }
}
