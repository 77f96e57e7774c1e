//! One fact traced, whatever the filters would say of it.

use super::Tracing;
use super::emit;
use super::load::load;
use crate::progress::Progress;
use crate::wanted::{Model, Question};
use anyhow::Result;
use engram_core::facts::{Fact, FactFile};
use engram_core::load::Model as LoadedModel;
use engram_core::question::fact_of;
use engram_core::record::{Corruption, FactRecord, Outcome, Record, Settings};
use engram_core::run::Sites;
use engram_core::study::{self, header};
use engram_core::trace::{self, CellName, Extras, OneFact, Part, SecondPass, Units};
use pollster::block_on;

/// See [`super::trace`].
pub(super) fn run(
    wanted: &Model,
    question: &Question,
    settings: &Settings,
    units: Option<&Units>,
    cell: Option<&CellName>,
    progress: &Progress,
) -> Result<Tracing> {
    let model = &load(wanted, progress)?.model;
    let (tracing, fact) = of(model, question, settings, units, progress)?;
    let script = cell.map(|name| script(wanted, model, &fact, &tracing.record, name)).transpose()?;
    Ok(Tracing { script, ..tracing })
}

/// The same with a model that is loaded.
fn of(
    model: &LoadedModel,
    question: &Question,
    settings: &Settings,
    units: Option<&Units>,
    progress: &Progress,
) -> Result<(Tracing, Fact)> {
    let settings = &study::question(model, settings)?;
    let (fact, own) = block_on(fact_of(model, question.asked()))?;
    progress.notes(model.tokens.doubled(&fact.prompt())?);
    let file = FactFile::of("prompt", vec![fact.clone()]);
    let mut record = block_on(header(model, &file, settings.clone(), &super::program()))?;
    record.facts.push(traced(model, &fact, &record, units, progress)?);
    Ok((Tracing { record, greedy: own.text, script: None }, fact))
}

/// The script that computes a cell of a trace again.
fn script(wanted: &Model, model: &LoadedModel, fact: &Fact, record: &Record, name: &CellName) -> Result<String> {
    let settings = &record.settings;
    let tokens = trace::tokenize(model, fact, settings)?.map_err(|dropped| dropped.refusal("traced"))?;
    let (_, traced) = record.traced().next().expect("the fact was traced");
    let cell = name.of(&tokens, traced, settings)?;
    let corrupted = match &settings.corruption {
        Corruption::Replace { with } => fact.corrupted(with).0,
        Corruption::Noise { .. } => fact.prompt(),
    };
    let texts = [fact.prompt(), corrupted, fact.target_true.clone()];
    let files = emit::files(&wanted.source, model);
    Ok(emit::cell(&files, model, &tokens, texts.each_ref().map(String::as_str), traced, (name, &cell)))
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
