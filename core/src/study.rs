//! A whole study of one model: screening, Stage 1, redundancy, Stage 3, in batches whose borders depend on the settings
//! alone, so that a resumed study gives the identical record.

mod begun;
mod edits;
mod sequences;
#[cfg(not(target_family = "wasm"))]
pub mod shards;
mod tracing;
mod work;

pub use begun::is_complete;

use crate::edit::{at_once, complete};
use crate::error::{Error, Result};
use crate::facts::FactFile;
use crate::journal::{
    MlpLine, RedundancyLine, SequenceLine, edit_line, fact_line, mlp_line, redundancy_line, sequence_line,
};
use crate::load::Model;
pub use crate::protocol::StudyPhase;
use crate::record::{Corruption, EditLayers, EditRecord, FactRecord, Record, Settings, VERSION};
use crate::trace::measure_sigma;
use work::Work;

/// Events of a study while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A fact is finished (in study order).
    Fact(&'a FactRecord),
    /// A fact's redundancy curve is finished.
    Redundancy(&'a RedundancyLine),
    /// What MLPs restore of a fact is known.
    Mlp(&'a MlpLine),
    /// An edit is finished.
    Edit(&'a EditRecord),
    /// A step or a checkpoint of edits one after the other is finished.
    Sequence(&'a SequenceLine),
    /// How far a phase is.
    Progress {
        /// The phase.
        phase: StudyPhase,
        /// Done.
        done: usize,
        /// Of how many.
        of: usize,
    },
}

impl Event<'_> {
    /// The journal's line of what is finished; none of progress.
    ///
    /// # Errors
    /// When a number in it is not finite.
    pub fn line(&self) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Fact(fact) => fact_line(fact).map(Some),
            Self::Redundancy(line) => redundancy_line(line).map(Some),
            Self::Mlp(line) => mlp_line(line).map(Some),
            Self::Edit(edit) => edit_line(edit).map(Some),
            Self::Sequence(line) => sequence_line(line).map(Some),
            Self::Progress { .. } => Ok(None),
        }
    }
}

/// Takes a study's events; an error stops it (after the journal has what is finished).
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: Event<'_>) -> Result<()>;
    /// Stop after the fact at hand?
    fn stop(&self) -> bool {
        false
    }
}

/// Refuses settings that make no sense for a model, so that nothing is computed in vain.
///
/// # Errors
/// Naming the setting.
pub fn check(model: &Model, settings: &Settings) -> Result<()> {
    settings.check(model.layers())?;
    if let Corruption::Replace { with } = &settings.corruption {
        let most = settings.max_tokens.min(model.net.shape.positions);
        let count = model.tokens.encode(with)?.ids.len();
        if !(1..most).contains(&count) {
            return Err(Error::input(format!("the text that stands in for the subject has {count} tokens")).hint(
                format!("it must have at least 1, and prompts have at most {most}: give a name of a few words"),
            ));
        }
    }
    Ok(())
}

/// The settings of a single question: its prompt may be as long as the model takes.
///
/// # Errors
/// As [`check`].
pub fn question(model: &Model, settings: &Settings) -> Result<Settings> {
    let settings = Settings { max_tokens: model.net.shape.positions, ..settings.clone() };
    check(model, &settings)?;
    Ok(settings)
}

/// A record without facts: what a study of this model would be. Fills in the batch plan, the maps' window, under noise σ,
/// and what editors take from the model.
///
/// # Errors
/// As [`check`], or when the device fails.
pub async fn header(model: &Model, facts: &FactFile, mut settings: Settings, program: &str) -> Result<Record> {
    settings.rows = model.plan.rows;
    if settings.trace_batch == Settings::default().trace_batch {
        settings.trace_batch = model.plan.facts(model.layers(), settings.trace_batch);
    }
    settings.window = settings.window_of(model.layers());
    check(model, &settings)?;
    if let Corruption::Noise { sigma, .. } = &mut settings.corruption {
        *sigma = measure_sigma(model, &facts.facts).await?;
    }
    if settings.stages.contains(&3) {
        if let Some(joint) = settings.edit.methods.iter().find(|method| method.is_joint())
            && settings.edit.layers == EditLayers::Dominant
            && (settings.edit.sequence == 0 || settings.edit.batch > 1)
        {
            return Err(Error::input(format!("{} edits several facts together, at one layer", joint.title()))
                .hint("choose it with --edit-layers")
                .in_page("choose a layer"));
        }
        let seed = settings.seed;
        settings.edit.layers = settings.edit.layers.named(model.layers());
        complete(model, &mut settings.edit, seed).await?;
    }
    Ok(Record {
        engram: VERSION,
        program: program.to_string(),
        settings,
        model: model.info.clone(),
        device: model.compute.info.clone(),
        source: facts.source(),
        facts: Vec::new(),
        edits: None,
        sequences: Vec::new(),
        runs: Vec::new(),
    })
}

/// Runs what `record` still lacks and returns it complete. `record` is a [`header`], or what an interrupted study of the
/// same settings had journaled.
///
/// # Errors
/// When `record` is not what a study of these facts leaves, the device fails, or the observer stops it.
pub async fn run(model: &mut Model, facts: &FactFile, record: Record, observer: &mut dyn Observer) -> Result<Record> {
    check(model, &record.settings)?;
    model.plan.rows = record.settings.rows;
    let mut work = Work::new(model, facts, record, observer);
    begun::facts(&work.record, facts, &work.order)?;
    work.trace().await?;
    work.redundancy().await?;
    let edit = &work.settings.edit;
    let at_once: Vec<usize> = edit.methods.iter().map(|method| at_once(work.model, method)).collect();
    match (work.settings.stages.contains(&3), edit.sequence > 0) {
        (true, true) => work.sequences(None).await?,
        (true, false) => {
            work.mlp_windows().await?;
            work.edits(&at_once, None).await?;
        }
        (false, _) => {}
    }
    Ok(work.record)
}
