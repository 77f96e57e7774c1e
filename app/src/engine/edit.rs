//! One fact rewritten for the terminal, or a saved change applied; saved where that is asked for.

use super::emit::{self, Holds, Told};
use super::load::{Loaded, load};
use super::{Edited, LoadedChange, lab};
use crate::progress::Progress;
use crate::wanted::{EditWish, Emit, Model, Question, Save};
use anyhow::Result;
use engram_core::Error;
use engram_core::edit::{self, Format, MeasuredEdit};
use engram_core::lab::{self as workflow, EditStage, FactEdit};
use engram_core::load::Model as LoadedModel;
use engram_core::metrics::judge;
use engram_core::record::Settings;
use pollster::block_on;
use std::path::Path;

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
    let Loaded { model, checkpoint, path } = loaded;
    let mut lab = lab(model)?;
    progress.notes(lab.model().tokens.doubled(&question.text())?);
    let asked = workflow::EditWish {
        question: question.asked(),
        settings: settings.clone(),
        change: change.as_ref().map(|change| &change.change),
        retrace: wish.retrace,
    };
    let steps = settings.edit.method().steps() as u64;
    let done = block_on(lab.edit_fact(asked, &mut |stage| told(&stage, steps, progress)))?;
    progress.finish();

    let FactEdit { fact, tokens, settings, measured, said: [before, after], retraced, seconds, .. } = done;
    let model = lab.model();
    let files = emit::files(&wanted.source, model);
    if let Some(file) = &save.delta {
        super::save::delta(file, model, &measured.overlay)?;
    }
    if let Some(folder) = &save.lora {
        if model.own_head {
            progress.note(
                "config.json ties the head to the embedding, so transformers leaves the weights' own head out: the adapter gives other probabilities there",
            );
        }
        super::save::lora(folder, model, &emit::base(&files), &measured.overlay)?;
    }
    if let Some(folder) = &save.model {
        super::save::model(folder, model, &checkpoint, &path, &measured.overlay, progress)?;
    }
    let prompt = fact.prompt();
    let title = match &change {
        Some(change) => format!("the change in {}", change.path),
        None => format!("{}, layer {}", settings.edit.method().title(), measured.record.layer),
    };
    let script = wish.emit.map(|Emit::Transformers| {
        let answers = [fact.target_true.as_str(), fact.target_new.as_str()];
        let told = Told { title: &title, prompt: &prompt, answers, tokens: &tokens, record: &measured.record };
        script(&files, model, &told, save, change.as_ref(), &measured)
    });
    Ok(Edited {
        model: model.info.clone(),
        device: model.compute.info.clone(),
        prompt,
        settings: change.is_none().then(|| settings.edit.clone()),
        loaded: change,
        judgement: judge(&measured.record),
        edit: measured.record,
        before,
        after,
        seconds,
        retraced,
        script: script.transpose()?,
    })
}

/// Shows how far an edit is, whose search has so many steps.
fn told(stage: &EditStage<'_>, steps: u64, progress: &Progress) {
    let pass = |what: &str| progress.start(what, "passes", Some(1), 0);
    match stage {
        EditStage::Fact(_) => {}
        EditStage::Contexts => pass("drawing contexts"),
        EditStage::Layer => pass("looking for the fact's layer"),
        EditStage::OwnLayer(own) => {
            progress.finish();
            let why = match own.peak {
                true => "the fact's dominant one under subject-last",
                false => {
                    "the highest of a flat curve under subject-last: no layer holds the fact alone; --layer chooses another"
                }
            };
            progress.note(&format!("editing layer {}, {why}", own.layer));
        }
        EditStage::Known => pass("looking for unrelated facts that the model knows"),
        EditStage::NoNeighbour => {
            progress.finish();
            progress.note("the search starts from zero: no known fact of this relation has the new answer");
        }
        EditStage::Unedited => pass("tracing both answers"),
        EditStage::SecondMoment(done, of) => {
            if *done == 0 {
                progress.start("second moment of the layer's keys", "tokens", Some(*of as u64), 0);
            }
            progress.set(*done as u64);
        }
        EditStage::Search => progress.start("finding v*", "steps", Some(steps), 0),
        EditStage::Step(step) => progress.set(step.done as u64),
        EditStage::Measured => pass("measuring"),
        EditStage::Retraced => pass("tracing both answers again"),
    }
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
