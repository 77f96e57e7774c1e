//! One fact traced for the terminal.

use super::load::load;
use super::{Tracing, emit, lab};
use crate::progress::Progress;
use crate::wanted::{Model, Question};
use anyhow::Result;
use engram_core::facts::Fact;
use engram_core::lab::Lab;
use engram_core::load::Model as LoadedModel;
use engram_core::question::fact_of;
use engram_core::record::{Corruption, Record, Settings};
use engram_core::run::Sites;
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
    let mut lab = lab(load(wanted, progress)?.model)?;
    let Some(number) = number else {
        let extras = Extras { lens: true, second: SecondPass::Own, maps: settings.maps > 0, units };
        return Ok(of(&mut lab, question, settings, &extras, progress)?.0);
    };
    number.fits(lab.model())?;
    let units = number.units();
    let extras = Extras { lens: false, second: number.second_pass(), maps: number.needs_maps(), units: units.as_ref() };
    let (tracing, fact) = of(&mut lab, question, settings, &extras, progress)?;
    let script = script(wanted, lab.model(), &fact, &tracing.record, number)?;
    Ok(Tracing { script: Some(script), ..tracing })
}

/// The same with a model that is loaded; bars and notes of it.
fn of(
    lab: &mut Lab,
    question: &Question,
    settings: &Settings,
    extras: &Extras<'_>,
    progress: &Progress,
) -> Result<(Tracing, Fact)> {
    let (fact, own) = block_on(fact_of(lab.model(), question.asked()))?;
    progress.notes(lab.model().tokens.doubled(&fact.prompt())?);
    progress.start("tracing", "passes", Some(2 + u64::from(extras.maps)), 0);
    let keep = extras.units.map_or_else(Sites::to_resume, |units| units.sites(lab.model().layers()));
    let asked = block_on(lab.ask((fact, own.text), settings, &keep))?;
    let mut started = false;
    let mut part = |part: Part<'_>, _: &OneFact| match part {
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
    let record = block_on(lab.traced(&asked, extras, &mut part))?;
    progress.finish();
    Ok((Tracing { record, greedy: asked.greedy, script: None }, asked.fact))
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

#[cfg(test)]
mod tests;
