//! One fact rewritten, or a saved change applied; measured, saved where asked for, and undone.

use super::emit::{self, Holds, Told};
use super::load::{Loaded, load};
use super::study::read_facts;
use super::{Edited, LoadedChange};
use crate::progress::Progress;
use crate::wanted::{EditWish, Emit, Facts, Model, Question, Save};
use anyhow::Result;
use engram_core::Error;
use engram_core::edit::{self, EditTarget, Format, MeasuredEdit, Step, Unedited, edit_one, edit_saved};
use engram_core::facts::{Fact, FactFile};
use engram_core::generate::greedy;
use engram_core::load::Model as LoadedModel;
use engram_core::metrics::judge;
use engram_core::question::fact_of;
use engram_core::record::{EditMethod, SearchStart, Settings};
use engram_core::study;
use engram_core::trace::TokenizedFact;
use pollster::block_on;
use std::path::Path;
use std::time::Instant;

/// Tokens of the continuation that is shown before and after.
const SAID: usize = 12;

/// See [`super::edit`].
pub(super) fn run(
    wanted: &Model,
    question: &Question,
    settings: &Settings,
    wish: &EditWish,
    progress: &Progress,
) -> Result<Edited> {
    let save = &wish.save;
    save.check()?;
    let mut loaded = load(wanted, progress)?;
    let change = wish.load.as_deref().map(|path| super::saved::read(path, &loaded, progress)).transpose()?;
    // What cannot be written is refused before anything is computed.
    if let Some(LoadedChange { change, .. }) = &change {
        let readable = save.delta.is_some() || save.lora.is_some() || change.format == Format::Delta;
        if wish.emit.is_some() && !readable {
            return Err(no_file().into());
        }
        if save.lora.is_some() {
            edit::refuse_dense(&loaded.model.net, &change.overlay)?;
        }
    }
    if change.is_none() {
        super::stats::attach(&mut loaded, wanted, &settings.edit, progress)?;
    }
    let settings = completed(&loaded.model, settings, change.is_none(), progress)?;
    let (fact, _) = block_on(fact_of(&loaded.model, question.asked()))?;
    // What the edit does around its prompt is seen on the bundled facts, as in the lab.
    let bundled = read_facts(&Facts::Bundled, progress)?;
    let fact = edit::known_fact(&bundled, fact);
    let prompt = fact.prompt();
    progress.notes(loaded.model.tokens.doubled(&prompt)?);
    let tokens = edit::tokens_of(&loaded.model, &fact, &settings)?;
    let layer = match (&change, settings.edit.layers.only()) {
        // A saved change names its own layers.
        (Some(_), _) => 1,
        (None, Some(layer)) => layer,
        (None, None) => own_layer(&loaded.model, &tokens, &settings, progress)?,
    };
    progress.start("looking for unrelated facts that the model knows", "passes", Some(1), 0);
    let known = block_on(edit::known(&loaded.model, &bundled))?;
    progress.finish();
    let unrelated = edit::unrelated(&bundled, &known, &fact);
    let watched = unrelated.into_iter().map(|at| (at, &bundled.facts[at])).collect();
    let alike = alike(&loaded.model, &bundled, &fact, &settings, progress)?;
    let job = EditTarget { order: 0, fact: &fact, tokens: tokens.clone(), layer, unrelated: watched, alike };
    let said = |model: &LoadedModel| block_on(greedy(model, &prompt, SAID, |text| text.contains('\n')));
    let before = said(&loaded.model)?.text;

    let mut unedited = None;
    if wish.retrace {
        progress.start("tracing both answers", "passes", Some(1), 0);
        unedited = Some(block_on(Unedited::trace(&loaded.model, &fact, &settings))?);
        progress.finish();
    }

    let start = Instant::now();
    let done = match &change {
        Some(LoadedChange { change, .. }) => {
            progress.start("measuring", "passes", Some(1), 0);
            block_on(edit_saved(&loaded.model, &job, change, &settings))?
        }
        None => searched(&mut loaded.model, &job, &settings, progress)?,
    };
    progress.finish();
    let seconds = start.elapsed().as_secs_f64();

    loaded.model.overlays.push(done.overlay.clone());
    let after = said(&loaded.model)?.text;
    let mut retraced = None;
    if let Some(unedited) = unedited {
        progress.start("tracing both answers again", "passes", Some(1), 0);
        retraced = Some(block_on(unedited.retraced(&loaded.model, &fact, &settings))?);
        progress.finish();
    }
    let files = emit::files(&wanted.source, &loaded.model);
    if let Some(file) = &save.delta {
        super::save::delta(file, &loaded.model, &done.overlay)?;
    }
    if let Some(folder) = &save.lora {
        if loaded.model.own_head {
            progress.note(
                "config.json ties the head to the embedding, so transformers leaves the weights' own head out: the adapter gives other probabilities there",
            );
        }
        super::save::lora(folder, &loaded.model, &emit::base(&files), &done.overlay)?;
    }
    if let Some(folder) = &save.model {
        let Loaded { model, checkpoint, path } = &loaded;
        super::save::model(folder, model, checkpoint, path, &done.overlay, progress)?;
    }
    let title = match &change {
        Some(change) => format!("the change in {}", change.path),
        None => format!("{}, layer {}", settings.edit.method().title(), done.record.layer),
    };
    let script = wish.emit.map(|Emit::Transformers| {
        let answers = [fact.target_true.as_str(), fact.target_new.as_str()];
        let told = Told { title: &title, prompt: &prompt, answers, tokens: &tokens, record: &done.record };
        script(&files, &loaded.model, &told, save, change.as_ref(), &done)
    });
    Ok(Edited {
        model: loaded.model.info.clone(),
        device: loaded.model.compute.info.clone(),
        prompt,
        settings: change.is_none().then(|| settings.edit.clone()),
        loaded: change,
        judgement: judge(&done.record),
        edit: done.record,
        before,
        after,
        seconds,
        retraced,
        script: script.transpose()?,
    })
}

/// Settings with what editors take from the model, where something is searched.
fn completed(model: &LoadedModel, settings: &Settings, searches: bool, progress: &Progress) -> Result<Settings> {
    let mut settings = study::question(model, settings)?;
    if searches {
        if settings.edit.needs_contexts() && settings.edit.contexts.is_empty() {
            progress.start("drawing contexts", "passes", Some(1), 0);
        }
        let seed = settings.seed;
        block_on(edit::complete(model, &mut settings.edit, seed))?;
        progress.finish();
    }
    Ok(settings)
}

/// Known facts that a search may start from.
fn alike<'a>(
    model: &LoadedModel,
    bundled: &'a FactFile,
    fact: &Fact,
    settings: &Settings,
    progress: &Progress,
) -> Result<Vec<(usize, &'a Fact)>> {
    match settings.edit.method() {
        EditMethod::Rome(rome) if rome.start == SearchStart::Neighbour => {
            let alike = block_on(edit::alike(model, bundled, fact))?;
            if alike.is_empty() {
                progress.note("the search starts from zero: no known fact of this relation has the new answer");
            }
            Ok(alike)
        }
        _ => Ok(Vec::new()),
    }
}

/// The edit that the settings' method finds.
fn searched(
    model: &mut LoadedModel,
    job: &EditTarget<'_>,
    settings: &Settings,
    progress: &Progress,
) -> Result<MeasuredEdit> {
    let mut told = |done: usize, of: usize| {
        if done == 0 {
            progress.start("second moment of the layer's keys", "tokens", Some(of as u64), 0);
        }
        progress.set(done as u64);
        if progress.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    };
    block_on(edit::prepare(model, &settings.edit, &[job.layer].into(), &mut told))?;
    progress.finish();
    progress.start("finding v*", "steps", Some(settings.edit.method().steps() as u64), 0);
    let mut step = |step: Step<'_>| {
        progress.set(step.done as u64);
        if progress.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    };
    Ok(block_on(edit_one(model, job, settings, &mut step))?)
}

/// The script that computes the edit again, from whichever file holds its change.
fn script(
    files: &engram_core::emit::Files,
    model: &LoadedModel,
    told: &Told<'_>,
    save: &Save,
    loaded: Option<&LoadedChange>,
    done: &MeasuredEdit,
) -> Result<String> {
    let own = loaded.filter(|loaded| loaded.change.format == Format::Delta);
    let adapter = save.lora.as_ref().map(|folder| folder.join(super::saved::ADAPTER_WEIGHTS));
    let holds = match (&save.delta, &adapter, own) {
        (Some(file), _, _) => Holds::Delta(file),
        (None, Some(file), _) => Holds::Lora(file),
        (None, None, Some(loaded)) => Holds::Delta(Path::new(&loaded.path)),
        (None, None, None) => return Err(no_file().into()),
    };
    let tensor = done.overlay.terms.first().map_or("", |term| &term.tensor);
    Ok(emit::edit(files, model, told, &holds, tensor))
}

/// The refusal of a script that has no file to read.
pub(crate) fn no_file() -> Error {
    Error::input("`--emit transformers` needs a file that holds the change, for its script to read")
        .hint("add --save-delta FILE or --save-lora DIR")
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
