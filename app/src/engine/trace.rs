//! One fact traced, whatever the filters would say of it.

use super::Tracing;
use super::load::load;
use crate::progress::Progress;
use crate::wanted::{Model, Question};
use anyhow::Result;
use engram_core::facts::{Fact, FactFile};
use engram_core::load::Model as LoadedModel;
use engram_core::question::fact_of;
use engram_core::record::{FactRecord, Outcome, Record, Settings};
use engram_core::run::Sites;
use engram_core::study::{self, header};
use engram_core::trace::{self, Extras, OneFact, Part, SecondPass, Units};
use pollster::block_on;

/// See [`super::trace`].
pub(super) fn run(
    wanted: &Model,
    question: &Question,
    settings: &Settings,
    units: Option<&Units>,
    progress: &Progress,
) -> Result<Tracing> {
    of(&load(wanted, progress)?.model, question, settings, units, progress)
}

/// The same with a model that is loaded.
fn of(
    model: &LoadedModel,
    question: &Question,
    settings: &Settings,
    units: Option<&Units>,
    progress: &Progress,
) -> Result<Tracing> {
    let settings = &study::question(model, settings)?;
    let (fact, own) = block_on(fact_of(model, question.asked()))?;
    progress.notes(model.tokens.doubled(&fact.prompt())?);
    let file = FactFile::of("prompt", vec![fact.clone()]);
    let mut record = block_on(header(model, &file, settings.clone(), &super::program()))?;
    record.facts.push(traced(model, &fact, &record, units, progress)?);
    Ok(Tracing { record, greedy: own.text })
}

/// Everything of one fact.
fn traced(
    model: &LoadedModel,
    fact: &Fact,
    record: &Record,
    units: Option<&Units>,
    progress: &Progress,
) -> Result<FactRecord> {
    let settings = &record.settings;
    let tokens = trace::tokenize(model, fact, settings)?.map_err(|dropped| dropped.refusal("traced"))?;
    progress.start("tracing", "passes", Some(2 + settings.maps.min(1) as u64), 0);
    let keep = units.map_or_else(Sites::to_resume, |units| units.sites(model.layers()));
    let one = block_on(OneFact::capture(model, tokens, settings, &keep))?;
    let extras = Extras { lens: true, second: SecondPass::Own, maps: settings.maps > 0, units };
    let mut started = false;
    let mut part = |part: Part<'_>| match part {
        Part::Stage1(_) => progress.set(1),
        Part::Lens(_) => {}
        Part::Redundancy(..) | Part::MapRow(_) => progress.set(2),
        Part::Units(done, all) => {
            if !std::mem::replace(&mut started, true) {
                progress.finish();
                progress.start("heads and neurons", "runs", Some(all as u64), 0);
            }
            progress.set(done as u64);
        }
    };
    let traced = block_on(trace::trace_one(model, &one, settings, &extras, &mut part))?;
    progress.finish();
    Ok(fact.record(0, Outcome::of(traced, one.dropped.as_ref())))
}

#[cfg(test)]
mod tests;
