//! Stage 3 with edits one after the other: each is found on the model that those before it left, and after some of them the
//! model is measured whole.

use super::edits::{Chosen, TOGETHER};
use super::work::{Work, go_on};
use super::{Event, Observer, begun};
use crate::edit::{
    Changes, EditBatch, EditTarget, Evidence, MeasuredEdit, OnStep, Solved, measure, perplexity, size_of, solve,
    step_of, text_end, untouched,
};
use crate::error::{Kind, Result};
use crate::journal::SequenceLine;
use crate::load::Model;
use crate::protocol::StudyPhase;
use crate::record::{
    Checkpoint, EditLayers, EditMethod, EditSettings, Record, Sequence, SequenceEdit, SequenceStep, Settings,
};
use crate::run::Edited;
use crate::tensor::Overlay;
use crate::trace::TokenizedFact;
use std::collections::BTreeSet;
use std::mem::take;

/// A sequence that settings ask for: the method's place, the layer where all facts have the same, and each step's facts by
/// their places among the chosen ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    pub(super) method: usize,
    pub(super) layer: Option<usize>,
    pub(super) steps: Vec<Vec<usize>>,
}

impl Wanted {
    /// Where it edits a fact.
    fn layer_of(&self, chosen: &Chosen<'_>) -> usize {
        self.layer.or(chosen.layers.first().copied()).expect("a fact is chosen for its layers")
    }

    /// Facts and layers of its steps, in their order.
    pub(super) fn places(&self, chosen: &[Chosen<'_>]) -> Vec<Vec<(usize, usize)>> {
        let one = |&fact: &usize| (chosen[fact].order, self.layer_of(&chosen[fact]));
        self.steps.iter().map(|step| step.iter().map(one).collect()).collect()
    }

    /// Steps after which the model is measured, as numbers of edits: 1, 3, 10, 30 and so on, and the last.
    pub(super) fn checkpoints(&self) -> Vec<(usize, usize)> {
        let all: usize = self.steps.iter().map(Vec::len).sum();
        let marks: Vec<usize> = (0..)
            .map(|power: u32| [10usize.saturating_pow(power), 3 * 10usize.saturating_pow(power)])
            .take_while(|[one, _]| *one < all)
            .flatten()
            .chain([all])
            .collect();
        let (mut edits, mut found) = (0, Vec::new());
        for (at, step) in self.steps.iter().enumerate() {
            let before = edits;
            edits += step.len();
            if marks.iter().any(|mark| (before + 1..=edits).contains(mark)) {
                found.push((at + 1, edits));
            }
        }
        found
    }
}

/// The sequences that settings ask for, of these facts.
pub(super) fn wanted(chosen: &[Chosen<'_>], edit: &EditSettings, layers: usize) -> Vec<Wanted> {
    let layers: Vec<Option<usize>> = match edit.layers.named(layers) {
        EditLayers::Fixed(layers) => layers.into_iter().map(Some).collect(),
        EditLayers::Dominant | EditLayers::All => vec![None],
    };
    let all: Vec<usize> = (0..chosen.len()).collect();
    let of = |(method, known): (usize, &EditMethod)| {
        let together = if known.is_joint() { edit.batch.max(1) } else { 1 };
        let steps: Vec<Vec<usize>> = all.chunks(together).map(<[usize]>::to_vec).collect();
        layers.iter().map(move |&layer| Wanted { method, layer, steps: steps.clone() }).collect::<Vec<_>>()
    };
    if all.is_empty() { Vec::new() } else { edit.methods.iter().enumerate().flat_map(of).collect() }
}

/// What a sequence's measuring needs: what the model says before the first edit.
struct Before {
    windows: Option<Vec<Vec<u32>>>,
    perplexity: Option<f32>,
    untouched: Vec<(usize, f32, TokenizedFact)>,
}

impl Work<'_> {
    /// Every sequence, step by step; `only` one where it is named.
    pub(super) async fn sequences(&mut self, only: Option<usize>) -> Result<()> {
        let chosen = self.chosen();
        let all = wanted(&chosen, &self.settings.edit, self.model.layers());
        begun::sequences(&self.record.sequences, &chosen, &all)?;
        // A study that went through in one piece has the same record: changes are in journals only.
        let mut begun: Vec<Vec<SequenceStep>> =
            self.record.sequences.iter().map(|sequence| sequence.steps.clone()).collect();
        self.record.forget_changes();
        if begun::are_complete(&self.record.sequences, &all) {
            return Ok(());
        }
        self.go_on()?;
        self.prepare(&chosen).await?;
        let before = self.before(&chosen).await?;
        let Self { model, settings, record, tokens, observer, .. } = self;
        let of = all.iter().map(|one| one.steps.iter().map(Vec::len).sum::<usize>()).sum();
        let mut progress = Progress { done: 0, of, observer: &mut **observer };
        for (place, wanted) in all.iter().enumerate().filter(|(place, _)| only.is_none_or(|only| only == *place)) {
            let mut targets = Vec::with_capacity(chosen.len());
            for one in &chosen {
                targets.push(EditTarget {
                    order: one.order,
                    fact: one.fact,
                    tokens: tokens[&one.order].clone(),
                    layer: wanted.layer_of(one),
                    unrelated: Vec::new(),
                    alike: one.alike.clone(),
                });
            }
            // What is in force apart from the sequence stays in force.
            let kept = model.overlays.clone();
            let earlier = Earlier { steps: begun.get_mut(place).map(take).unwrap_or_default(), before: &before };
            let done = sequence(model, (place, wanted), &targets, settings, earlier, record, &mut progress).await;
            model.overlays = kept;
            done?;
        }
        Ok(())
    }

    /// What the model says before the first edit.
    async fn before(&mut self, chosen: &[Chosen<'_>]) -> Result<Before> {
        let edited: BTreeSet<usize> = chosen.iter().map(|one| one.order).collect();
        let traced = self.record.validated().map(|(fact, traced)| (fact.order, traced.p_clean));
        let rest: Vec<(usize, f32)> = traced.filter(|(place, _)| !edited.contains(place)).collect();
        self.tokenize(rest.iter().map(|(place, _)| *place))?;
        let untouched = rest.into_iter().map(|(place, p)| (place, p, self.tokens[&place].clone())).collect();
        let windows = text_end(self.model, self.settings.edit.second_moment.window)?;
        let perplexity = match &windows {
            Some(windows) => Some(perplexity(self.model.edited(), windows).await?),
            None => None,
        };
        Ok(Before { windows, perplexity, untouched })
    }
}

/// What is there of a sequence: the changes of its first steps; and what it is measured against.
struct Earlier<'a> {
    steps: Vec<SequenceStep>,
    before: &'a Before,
}

/// Edits of all sequences that are done.
struct Progress<'a> {
    done: usize,
    of: usize,
    observer: &'a mut dyn Observer,
}

impl Progress<'_> {
    fn tell(&mut self, more: usize) -> Result<()> {
        self.done += more;
        self.observer.event(Event::Progress { phase: StudyPhase::Edit, done: self.done, of: self.of })
    }
}

async fn sequence(
    model: &mut Model,
    (place, wanted): (usize, &Wanted),
    targets: &[EditTarget<'_>],
    settings: &Settings,
    earlier: Earlier<'_>,
    record: &mut Record,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let (base, method) = (model.overlays.clone(), &settings.edit.methods[wanted.method]);
    let checkpoints = wanted.checkpoints();
    let there = |record: &Record| record.sequences.get(place).map_or(0, |known| known.checkpoints.len());
    let mut changes = Changes::default();
    let line = SequenceLine { sequence: place, method: wanted.method, layer: wanted.layer, ..SequenceLine::default() };
    progress.tell(0)?;
    if record.sequences.get(place).is_some_and(|known| begun::is_whole(known, wanted)) {
        return progress.tell(targets.len());
    }
    let mut measured = 0;
    for (at, step) in wanted.steps.iter().enumerate() {
        match earlier.steps.get(at) {
            Some(known) => changes.take(known, &model.net)?,
            None => {
                go_on(progress.observer)?;
                let edited: Vec<usize> = wanted.steps[..at].iter().flatten().map(|&fact| targets[fact].order).collect();
                let some: Vec<EditTarget<'_>> = step.iter().map(|&fact| still_known(&targets[fact], &edited)).collect();
                model.overlays = with(&base, &changes.overlay);
                let observer = &*progress.observer;
                let solved = found(model, method, (&some, &changes), settings, &mut |_| go_on(observer)).await?;
                let step = step_of(&model.info, edits(&some, &solved), &solved)?;
                changes.add(&solved);
                put(SequenceLine { step: Some(step), ..line.clone() }, record, progress)?;
            }
        }
        progress.tell(step.len())?;
        let Some(&(_, count)) = checkpoints.iter().find(|(steps, _)| *steps == at + 1) else { continue };
        measured += 1;
        if there(record) >= measured {
            continue;
        }
        go_on(progress.observer)?;
        model.overlays.clone_from(&base);
        let of = (wanted.method, &targets[..count]);
        let mut found = match checkpoint(model, of, &changes.overlay, settings, earlier.before).await {
            // A model that edits have ruined is what a sequence is to find out.
            Err(error) if error.kind == Kind::Numeric => {
                Checkpoint { edits: count, broken: Some(error.message().to_owned()), ..Checkpoint::default() }
            }
            other => other?,
        };
        let failed: Vec<_> = record.sequences[place].steps.iter().flat_map(|step| &step.edits).collect();
        for (edit, step) in found.edited.iter_mut().zip(failed) {
            edit.failed.clone_from(&step.failed);
        }
        let broken = found.broken.is_some();
        put(SequenceLine { checkpoint: Some(found), ..line.clone() }, record, progress)?;
        if broken {
            return progress.tell(wanted.steps[at + 1..].iter().map(Vec::len).sum());
        }
    }
    Ok(())
}

/// A target whose neighbours are facts that nobody has edited yet.
fn still_known<'a>(target: &EditTarget<'a>, edited: &[usize]) -> EditTarget<'a> {
    let mut target = target.clone();
    target.alike.retain(|(order, _)| !edited.contains(order));
    target
}

/// What is found for a step's facts. A search whose numbers are none is an edit that failed: it ends no study.
async fn found(
    model: &Model,
    method: &EditMethod,
    (targets, changes): (&[EditTarget<'_>], &Changes),
    settings: &Settings,
    told: OnStep<'_>,
) -> Result<Vec<Solved>> {
    let search = async {
        let mut batch = EditBatch::capture(model, targets).await?;
        batch.past.clone_from(&changes.past);
        solve(&batch, method, settings, told).await
    };
    match search.await {
        Err(error) if error.kind == Kind::Numeric => {
            let failed = Some(error.message().to_owned());
            let evidence = Evidence { seed: settings.seed, failed, ..Evidence::default() };
            let (all, evidence) = ((0..targets.len()).collect(), vec![evidence; targets.len()]);
            Ok(vec![Solved { targets: all, evidence, ..Solved::default() }])
        }
        other => other,
    }
}

fn put(mut line: SequenceLine, record: &mut Record, progress: &mut Progress<'_>) -> Result<()> {
    progress.observer.event(Event::Sequence(&line))?;
    line.step.iter_mut().for_each(SequenceStep::forget);
    line.put_into(record)
}

/// Edits that are in force, and one more where it changes something.
fn with(base: &[Overlay], more: &Overlay) -> Vec<Overlay> {
    base.iter().chain((!more.terms.is_empty()).then_some(more)).cloned().collect()
}

fn edits(targets: &[EditTarget<'_>], solved: &[Solved]) -> Vec<SequenceEdit> {
    let pairs = solved.iter().flat_map(|one| one.targets.iter().zip(&one.evidence));
    let edit = |(&target, evidence): (&usize, &Evidence)| SequenceEdit {
        fact: targets[target].order,
        layer: targets[target].layer,
        loss: evidence.loss.clone(),
        relative_change: evidence.relative_change,
        residual: evidence.residual,
        relative_norm: evidence.relative_norm,
        search: evidence.search.clone(),
        failed: evidence.failed.clone(),
    };
    pairs.map(edit).collect()
}

/// The model with a sequence's change, beside the one without.
async fn checkpoint(
    model: &Model,
    (method, targets): (usize, &[EditTarget<'_>]),
    overlay: &Overlay,
    settings: &Settings,
    before: &Before,
) -> Result<Checkpoint> {
    let relative_norm = if overlay.terms.is_empty() { 0.0 } else { size_of(model, overlay).await?.1 };
    let evidence = Evidence { seed: settings.seed, relative_norm, ..Evidence::default() };
    let mut edited = Vec::new();
    // So many at a time as memory does not ask about, and always the same ones.
    for some in targets.chunks(TOGETHER) {
        let batch = EditBatch::capture(model, some).await?;
        let solved = [Solved {
            targets: (0..some.len()).collect(),
            overlay: overlay.clone(),
            evidence: vec![evidence.clone(); some.len()],
            ..Solved::default()
        }];
        let mut keep = |edit: MeasuredEdit| {
            edited.push(edit.record);
            Ok(())
        };
        measure(&batch, (method, &solved), settings, &mut keep).await?;
    }
    let overlays = with(&model.overlays, overlay);
    let after = Edited { overlays: &overlays, ..model.edited() };
    let perplexity = match (&before.windows, before.perplexity) {
        (Some(windows), Some(before)) => Some([before, perplexity(after, windows).await?]),
        _ => None,
    };
    let untouched = untouched(after, &before.untouched, settings).await?;
    Ok(Checkpoint { edits: targets.len(), broken: None, relative_norm, perplexity, edited, untouched })
}

/// Facts and layers of the steps that a sequence has, in their order.
pub(super) fn there(sequence: &Sequence) -> Vec<Vec<(usize, usize)>> {
    sequence.steps.iter().map(|step| step.edits.iter().map(|edit| (edit.fact, edit.layer)).collect()).collect()
}
