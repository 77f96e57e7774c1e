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
use engram_core::trace::{self, Extras, Number, OneFact, Part, SecondPass, Units};
use pollster::block_on;

/// See [`super::trace`].
pub(super) fn run(
    wanted: &Model,
    question: &Question,
    settings: &Settings,
    units: Option<&Units>,
    number: Option<&Number>,
    progress: &Progress,
) -> Result<Tracing> {
    let model = &load(wanted, progress)?.model;
    let Some(number) = number else {
        let extras = Extras { lens: true, second: SecondPass::Own, maps: settings.maps > 0, units };
        return Ok(of(model, question, settings, &extras, progress)?.0);
    };
    number.fits(model)?;
    let units = number.units();
    let extras = Extras { lens: false, second: number.second_pass(), maps: number.needs_maps(), units: units.as_ref() };
    let (tracing, fact) = of(model, question, settings, &extras, progress)?;
    let script = script(wanted, model, &fact, &tracing.record, number)?;
    Ok(Tracing { script: Some(script), ..tracing })
}

/// The same with a model that is loaded.
fn of(
    model: &LoadedModel,
    question: &Question,
    settings: &Settings,
    extras: &Extras<'_>,
    progress: &Progress,
) -> Result<(Tracing, Fact)> {
    let settings = &study::question(model, settings)?;
    let (fact, own) = block_on(fact_of(model, question.asked()))?;
    progress.notes(model.tokens.doubled(&fact.prompt())?);
    let file = FactFile::of("prompt", vec![fact.clone()]);
    let mut record = block_on(header(model, &file, settings.clone(), &super::program()))?;
    record.facts.push(traced(model, &fact, &record, extras, progress)?);
    Ok((Tracing { record, greedy: own.text, script: None }, fact))
}

/// The script that computes a number of a trace again.
fn script(wanted: &Model, model: &LoadedModel, fact: &Fact, record: &Record, number: &Number) -> Result<String> {
    let settings = &record.settings;
    let tokens = &trace::tokenize(model, fact, settings)?.map_err(|dropped| dropped.refusal("traced"))?;
    let (_, traced) = record.traced().next().expect("the fact was traced");
    let corrupted = match &settings.corruption {
        Corruption::Replace { with } => fact.corrupted(with).0,
        Corruption::Noise { .. } => fact.prompt(),
    };
    let texts = [&fact.prompt(), &corrupted, &fact.target_true];
    let files = emit::files(&wanted.source, model);
    Ok(emit::number(&files, model, tokens, texts.map(String::as_str), (traced, settings), number)?)
}

/// Everything of one fact.
fn traced(
    model: &LoadedModel,
    fact: &Fact,
    record: &Record,
    extras: &Extras<'_>,
    progress: &Progress,
) -> Result<FactRecord> {
    let settings = &record.settings;
    let tokens = trace::tokenize(model, fact, settings)?.map_err(|dropped| dropped.refusal("traced"))?;
    progress.start("tracing", "passes", Some(2 + u64::from(extras.maps)), 0);
    let keep = extras.units.map_or_else(Sites::to_resume, |units| units.sites(model.layers()));
    let one = block_on(OneFact::capture(model, tokens, settings, &keep))?;
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
    let traced = block_on(trace::trace_one(model, &one, settings, extras, &mut part))?;
    progress.finish();
    Ok(fact.record(0, Outcome::of(traced, one.dropped.as_ref())))
}

#[cfg(test)]
mod tests;
