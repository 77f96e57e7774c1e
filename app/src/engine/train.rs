//! Training: epochs with their state on disk, then the model's folder and what it knows.

use super::Trained;
use crate::progress::Progress;
use crate::wanted::Training as Wanted;
use anyhow::{Context, Result};
use engram_core::device::start_threads;
use engram_core::journal::{Lock, write_atomic};
use engram_core::train::{Corpus, Epoch, Plan, Recipe, Step, Training, recall};
use engram_core::{Error, facts, lfs};
use pollster::block_on;
use std::fmt::Write;
use std::path::Path;

/// The state of an unfinished training, in the model's folder.
const STATE: &str = "training.state";

/// Keeps a second training out of the folder, also one that shall start again.
const LOCK: &str = "training.lock";

struct Held(Lock);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

/// See [`super::train`].
pub(super) fn run(wanted: &Wanted, progress: &Progress) -> Result<Trained> {
    // Before the tokenizer's training starts them in its own way.
    start_threads()?;
    let plan = plan(wanted)?;
    std::fs::create_dir_all(&wanted.out)
        .map_err(|error| Error::io(format!("{}: {error}", wanted.out.display())).hint("choose another --out"))?;
    // Its state is replaced after each epoch, so the lock is a file of its own.
    let _held = Held(Lock::take(&wanted.out.join(LOCK))?);
    let compute = super::load::choose(wanted.device)?;
    progress.note(&format!("{}: {} ({})", compute.info.kind, compute.info.name, compute.why));
    let state = wanted.out.join(STATE);
    if wanted.fresh && state.exists() {
        std::fs::remove_file(&state).with_context(|| state.display().to_string())?;
    }
    if !wanted.fresh && !state.exists() && wanted.out.join("model.safetensors").exists() {
        return Err(Error::input(format!("{}: there is a finished model in it", wanted.out.display()))
            .hint("choose another --out, or train it again with --fresh")
            .into());
    }
    let mut training = block_on(Training::new(&plan, compute.device.as_ref()))?;
    if state.exists() {
        let saved = std::fs::read(&state).with_context(|| state.display().to_string())?;
        training.restore(&saved).map_err(|error| error.at(state.display()))?;
        progress.note(&format!("going on after epoch {} of an earlier run", training.epochs.len()));
    }
    progress.start("training", "steps", Some(plan.steps() as u64), training.steps() as u64);
    while !training.done() {
        block_on(training.epoch(&mut |step: Step| {
            progress.set(step.step as u64);
            !progress.is_cancelled()
        }))?;
        write_atomic(&state, &block_on(training.state())?)?;
        write_atomic(&wanted.out.join("loss.csv"), curve(&training.epochs).as_bytes())?;
        if let Some(Epoch { epoch, loss, recall: Some(recall), .. }) = training.epochs.last() {
            progress.note(&format!(
                "epoch {epoch}: loss {loss:.3}, trained {:.1} %, held out {:.1} %, p {:.3}",
                recall.trained_right * 100.0,
                recall.held_out_right * 100.0,
                recall.p_trained
            ));
        }
    }
    progress.finish();
    for (name, bytes) in block_on(training.folder())? {
        write_atomic(&wanted.out.join(name), &bytes)?;
    }
    // What counts is what the files give, rounded to f16 and read back.
    let made = crate::wanted::Model {
        source: crate::wanted::Source::Path(wanted.out.clone()),
        tokenizer: None,
        device: wanted.device,
        precision: None,
        stats_text: None,
    };
    let model = super::load::load(&made, progress)?.model;
    let held_out = plan.recipe.text.held_out;
    let recall = block_on(recall(model.edited(), &model.tokens, &plan.corpus, held_out, 1))?;
    let trained = Trained {
        name: plan.recipe.name.clone(),
        plan: plan.digest().to_string(),
        facts: plan.corpus.facts.len(),
        parameters: training.parameters(),
        weights_sha256: model.info.weights_sha256.clone(),
        recall,
        epochs: training.epochs.clone(),
    };
    let text = serde_json::to_string_pretty(&trained)?;
    write_atomic(&wanted.out.join("training.json"), format!("{text}\n").as_bytes())?;
    std::fs::remove_file(&state).with_context(|| state.display().to_string())?;
    Ok(trained)
}

fn plan(wanted: &Wanted) -> Result<Plan> {
    let read = |path: &Path| {
        let failed = |error| Error::input(format!("{}: {error}", path.display())).hint("it must be UTF-8 text");
        let text = std::fs::read_to_string(path).map_err(failed)?;
        // Such a text would be learned.
        if lfs::pointer(text.as_bytes()) { Err(lfs::refusal().at(path.display())) } else { Ok(text) }
    };
    let recipe = Recipe::parse(&read(&wanted.recipe)?).map_err(|error| error.at(wanted.recipe.display()))?;
    let name = wanted.facts.file_name().unwrap_or_default().to_string_lossy();
    let file = facts::parse(&name, &std::fs::read(&wanted.facts).with_context(|| wanted.facts.display().to_string())?)?;
    // A study drops a fact with a defect; training would learn it.
    file.strict()?;
    let text = read(&wanted.text)?;
    let corpus = Corpus::new(file.facts, &text, &recipe.text)?;
    Ok(Plan::new(recipe, corpus, &text)?)
}

/// The loss curve as CSV.
fn curve(epochs: &[Epoch]) -> String {
    let mut out = "epoch,steps,loss,learning_rate,trained_right,held_out_right,p_trained,p_held_out\n".to_string();
    for epoch in epochs {
        let _ = write!(out, "{},{},{:.5},{:.3e}", epoch.epoch, epoch.steps, epoch.loss, epoch.learning_rate);
        let _ = match epoch.recall {
            Some(r) => {
                writeln!(out, ",{:.4},{:.4},{:.4},{:.4}", r.trained_right, r.held_out_right, r.p_trained, r.p_held_out)
            }
            None => writeln!(out, ",,,,"),
        };
    }
    out
}
