//! One fact rewritten, measured, saved where asked for, and undone.

use super::Edited;
use super::load::{Loaded, load};
use super::study::read_facts;
use crate::progress::Progress;
use crate::wanted::{Facts, Model, Question, Save};
use anyhow::Result;
use engram_core::Error;
use engram_core::edit::{self, EditTarget, Step, edit_one};
use engram_core::generate::greedy;
use engram_core::load::Model as LoadedModel;
use engram_core::metrics::judge;
use engram_core::question::fact_of;
use engram_core::record::{EditMethod, SearchStart, Settings};
use engram_core::study;
use engram_core::trace::TokenizedFact;
use pollster::block_on;
use std::time::Instant;

/// Tokens of the continuation that is shown before and after.
const SAID: usize = 12;

/// See [`super::edit`].
pub(super) fn run(
    wanted: &Model,
    question: &Question,
    settings: &Settings,
    save: &Save,
    progress: &Progress,
) -> Result<Edited> {
    save.check()?;
    let mut loaded = load(wanted, progress)?;
    super::stats::attach(&mut loaded, wanted, &settings.edit, progress)?;
    let mut settings = study::question(&loaded.model, settings)?;
    if settings.edit.needs_contexts() && settings.edit.contexts.is_empty() {
        progress.start("drawing contexts", "passes", Some(1), 0);
    }
    let seed = settings.seed;
    block_on(edit::complete(&loaded.model, &mut settings.edit, seed))?;
    progress.finish();
    let settings = &settings;
    let (fact, _) = block_on(fact_of(&loaded.model, question.asked()))?;
    // What the edit does around its prompt is seen on the bundled facts, as in the lab.
    let bundled = read_facts(&Facts::Bundled, progress)?;
    let fact = edit::known_fact(&bundled, fact);
    let prompt = fact.prompt();
    progress.notes(loaded.model.tokens.doubled(&prompt)?);
    let tokens = edit::tokens_of(&loaded.model, &fact, settings)?;
    let layer = match settings.edit.layer {
        Some(layer) => layer,
        None => own_layer(&loaded.model, &tokens, settings, progress)?,
    };
    progress.start("looking for unrelated facts that the model knows", "passes", Some(1), 0);
    let known = block_on(edit::known(&loaded.model, &bundled))?;
    progress.finish();
    let unrelated = edit::unrelated(&bundled, &known, &fact);
    let watched = unrelated.into_iter().map(|at| (at, &bundled.facts[at])).collect();
    let alike = match settings.edit.method() {
        EditMethod::Rome(rome) if rome.start == SearchStart::Neighbour => {
            let alike = block_on(edit::alike(&loaded.model, &bundled, &fact))?;
            if alike.is_empty() {
                progress.note("the search starts from zero: no known fact of this relation has the new answer");
            }
            alike
        }
        _ => Vec::new(),
    };
    let job = EditTarget { order: 0, fact: &fact, tokens, layer, unrelated: watched, alike };
    let said = |model: &LoadedModel| block_on(greedy(model, &prompt, SAID, |text| text.contains('\n')));
    let before = said(&loaded.model)?.text;

    let start = Instant::now();
    let mut told = |done: usize, of: usize| {
        if done == 0 {
            progress.start("second moment of the layer's keys", "tokens", Some(of as u64), 0);
        }
        progress.set(done as u64);
        if progress.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    };
    block_on(edit::prepare(&mut loaded.model, &settings.edit, &[layer].into(), &mut told))?;
    progress.finish();
    progress.start("finding v*", "steps", Some(settings.edit.method().steps() as u64), 0);
    let mut step = |step: Step<'_>| {
        progress.set(step.done as u64);
        if progress.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    };
    let done = block_on(edit_one(&loaded.model, &job, settings, &mut step))?;
    progress.finish();
    let seconds = start.elapsed().as_secs_f64();

    loaded.model.overlays.push(done.overlay.clone());
    let after = said(&loaded.model)?.text;
    if let Some(file) = &save.delta {
        super::save::delta(file, &loaded.model, &done.overlay)?;
    }
    if let Some(folder) = &save.model {
        let Loaded { model, checkpoint, path } = &loaded;
        super::save::model(folder, model, checkpoint, path, &done.overlay, progress)?;
    }
    Ok(Edited {
        model: loaded.model.info.clone(),
        device: loaded.model.compute.info.clone(),
        prompt,
        settings: settings.edit.clone(),
        judgement: judge(&done.record),
        edit: done.record,
        before,
        after,
        seconds,
    })
}

/// The fact's own layer under `subject-last`.
fn own_layer(model: &LoadedModel, fact: &TokenizedFact, settings: &Settings, progress: &Progress) -> Result<usize> {
    progress.start("looking for the fact's layer", "passes", Some(1), 0);
    let found = block_on(edit::own_layer(model, fact, settings))?;
    progress.finish();
    let none = || Error::input("no patch at the subject helps, at any layer").hint("choose a layer with --layer");
    let own = found.ok_or_else(none)?;
    let why = match own.peak {
        true => "the fact's dominant one under subject-last",
        false => {
            "the highest of a flat curve under subject-last: no layer holds the fact alone; --layer chooses another"
        }
    };
    progress.note(&format!("editing layer {}, {why}", own.layer));
    Ok(own.layer)
}
