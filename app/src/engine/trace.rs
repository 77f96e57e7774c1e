//! One fact traced, whatever the filters would say of it.

use super::load::load;
use super::{Model, Question, Tracing};
use crate::render::progress::Progress;
use anyhow::Result;
use engram_core::facts::{Fact, FactFile};
use engram_core::model;
use engram_core::question::fact_of;
use engram_core::record::{FactRecord, Outcome, Record, Settings};
use engram_core::run::Sites;
use engram_core::study::{self, header};
use engram_core::trace::{self, TokenizedFact, Units};
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
    model: &model::Model,
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
    model: &model::Model,
    fact: &Fact,
    record: &Record,
    units: Option<&Units>,
    progress: &Progress,
) -> Result<FactRecord> {
    let settings = &record.settings;
    let prepared = prepared(model, fact, settings)?;
    let steps = 2 + settings.maps.min(1);
    progress.start("tracing", "passes", Some(steps as u64), 0);
    let dropped = block_on(trace::filtered(model, fact, settings))?;
    let keep = units.map_or_else(Sites::to_resume, |units| units.sites(model.layers()));
    let group = block_on(trace::capture_with(model, &[&prepared], settings, &keep))?;
    let mut traced =
        block_on(trace::stage1_of(model, &[&prepared], settings, &group))?.pop().expect("one fact, one trace");
    traced.lens = Some(block_on(trace::lens(model, &prepared, &group, 0))?);
    progress.set(1);
    // Without an effect there is nothing that other layers could restore.
    if dropped.is_none() {
        let wanted = trace::own_blocks(&traced, &settings.readings);
        let curves = block_on(trace::redundancy(model, &[&prepared], settings, &wanted))?;
        traced.redundancy.extend(wanted.into_iter().map(|(reading, _)| reading).zip(curves.into_iter().flatten()));
    }
    progress.set(2);
    if settings.maps > 0 {
        traced.maps = Some(block_on(trace::maps(model, &prepared, settings, traced.p_corrupt, (&group, 0), None))?);
    }
    progress.finish();
    if let Some(units) = units {
        let mut started = false;
        let mut tell = |done: usize, all: usize| {
            if !std::mem::replace(&mut started, true) {
                progress.start("heads and neurons", "runs", Some(all as u64), 0);
            }
            progress.set(done as u64);
        };
        traced.units = block_on(trace::units(model, &prepared, settings, units, &group, &mut tell))?;
        progress.finish();
    }
    Ok(FactRecord::new(0, fact, Outcome::of(traced, dropped.as_ref())))
}

/// The fact's tokens, or an error that says why it has none.
fn prepared(model: &model::Model, fact: &Fact, settings: &Settings) -> Result<TokenizedFact> {
    Ok(trace::tokenize(model, fact, settings)?.map_err(|dropped| dropped.refusal("traced"))?)
}

#[cfg(test)]
mod tests;
