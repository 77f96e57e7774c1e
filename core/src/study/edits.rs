//! Stage 3 of a study: which facts are edited, where, in which parts; and the edits.

use super::{Event, Known, Observer, begun, stopped};
use crate::edit::{EditBatch, EditTarget, MeasuredEdit, Step, at_once, measure, prepare, solve};
use crate::error::Result;
use crate::facts::{Fact, FactFile};
use crate::journal::MlpLine;
use crate::load::Model;
use crate::metrics::{Dominant, dominant};
use crate::protocol::StudyPhase;
use crate::record::{EditLayers, EditMethod, EditRecord, FactRecord, Record, Settings};
use crate::trace::{TokenizedFact, capture_facts, mlp_windows};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Edits that are searched together, before the first of them is in the journal.
pub(super) const TOGETHER: usize = 64;

/// Parts whose prompts are kept for the methods that follow.
const KEPT: usize = 4;

/// A fact that is edited, and where.
pub(super) struct Chosen<'a> {
    pub(super) order: usize,
    pub(super) fact: &'a Fact,
    /// Ascending.
    pub(super) layers: Vec<usize>,
    unrelated: Vec<(usize, &'a Fact)>,
    pub(super) alike: Vec<(usize, &'a Fact)>,
}

/// The edits that a record's settings ask for: the first editable facts in study order, localized ones where their dominant
/// layer is edited.
pub(super) fn chosen<'a>(record: &Record, facts: &'a FactFile, order: &[usize]) -> Vec<Chosen<'a>> {
    let edit = &record.settings.edit;
    let source = |fact: &FactRecord| &facts.facts[order[fact.order]];
    let all: Vec<_> = record.validated().collect();
    let fixed = edit.layers.named(record.model.layers);
    let mut places = Vec::new();
    for (at, (_, traced)) in all.iter().enumerate() {
        if places.len() == edit.facts {
            break;
        }
        let layers = match (&fixed, dominant(traced, edit.position, false)) {
            (EditLayers::Fixed(layers), _) => layers.clone(),
            (_, Some(Dominant::Layer(layer))) => vec![layer],
            _ => continue,
        };
        if edit.editable(traced.p_false) {
            places.push((at, layers));
        }
    }
    // What is edited together with a fact is not watched beside it.
    let joint = edit.methods.iter().any(EditMethod::is_joint);
    let together: BTreeSet<usize> = places.iter().map(|&(at, _)| at).filter(|_| joint).collect();
    let one = |(at, layers): (usize, Vec<usize>)| {
        let (fact, _) = all[at];
        let other = |at: &usize| {
            let (other, _) = all[*at];
            other.relation != fact.relation && other.subject != fact.subject && !together.contains(at)
        };
        // The facts that come next in study order, another relation and another subject.
        let unrelated = (at + 1..all.len()).chain(0..at).filter(other).take(edit.unrelated);
        let unrelated = unrelated.map(|at| (all[at].0.order, source(all[at].0))).collect();
        let own = source(fact);
        let known = all.iter().map(|(other, _)| (other.order, source(other)));
        let alike = known.filter(|(_, other)| other.has_wanted_answer_of(own)).collect();
        Chosen { order: fact.order, fact: own, layers, unrelated, alike }
    };
    places.into_iter().map(one).collect()
}

/// The chosen facts at their layers, in the order in which a method edits them: those that edit many facts together take
/// layer after layer, the others fact after fact, so that a fact's prompts serve all of its layers.
fn in_order(chosen: &[Chosen<'_>], joint: bool) -> Vec<(usize, usize)> {
    let pairs = chosen.iter().enumerate().flat_map(|(at, one)| one.layers.iter().map(move |&layer| (at, layer)));
    let mut pairs: Vec<(usize, usize)> = pairs.collect();
    if joint {
        pairs.sort_by_key(|&(at, layer)| (layer, at));
    }
    pairs
}

/// Every edit as method, fact (its `order`) and layer, in a study's order.
pub(super) fn wanted(chosen: &[Chosen<'_>], methods: &[EditMethod]) -> Vec<(usize, usize, usize)> {
    let of = |(at, method): (usize, &EditMethod)| {
        let pairs = in_order(chosen, method.is_joint()).into_iter();
        pairs.map(|(fact, layer)| (at, chosen[fact].order, layer)).collect::<Vec<_>>()
    };
    methods.iter().enumerate().flat_map(of).collect()
}

/// The targets that are searched together, by their places in a method's order.
fn parts(model: &Model, method: &EditMethod, targets: &[EditTarget<'_>], settings: &Settings) -> Vec<Range<usize>> {
    let most = match (method.is_joint(), settings.edit.batch) {
        (true, 0) => targets.len(),
        (true, batch) => batch,
        // All layers of a fact, where there is room for them.
        (false, _) => {
            let layers = targets.iter().filter(|target| target.order == targets[0].order).count();
            at_once(model, method).min((TOGETHER / layers).max(1) * layers)
        }
    };
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (at, target) in targets.iter().enumerate() {
        match parts.last_mut() {
            Some(part) if part.len() < most && (!method.is_joint() || targets[part.start].layer == target.layer) => {
                part.end = at + 1;
            }
            _ => parts.push(at..at + 1),
        }
    }
    parts
}

/// Where facts are edited at several layers: what MLPs restore of each.
pub(super) async fn mlp_phase(
    model: &Model,
    facts: &FactFile,
    order: &[usize],
    record: &mut Record,
    known: &mut Known,
    observer: &mut dyn Observer,
) -> Result<()> {
    let settings = record.settings.clone();
    if !settings.edit.layers.is_sweep() {
        return Ok(());
    }
    let orders: Vec<usize> = chosen(record, facts, order).iter().map(|one| one.order).collect();
    let has = |record: &Record, order: usize| {
        record.facts[order].traced().is_some_and(|traced| !traced.patched_mlp.is_empty())
    };
    let of = orders.len();
    for (at, group) in orders.chunks(settings.trace_batch.max(1)).enumerate() {
        let done = at * settings.trace_batch.max(1);
        observer.event(Event::Progress { phase: StudyPhase::Mlp, done, of })?;
        if group.iter().all(|&order| has(record, order)) {
            continue;
        }
        stopped(observer)?;
        for &place in group {
            known.tokens_of(place, model, &facts.facts[order[place]], &settings)?;
        }
        let prepared: Vec<&TokenizedFact> = group.iter().map(|order| &known.tokens[order]).collect();
        let captured = capture_facts(model, &prepared, &settings).await?;
        let p_corrupt = group.iter().map(|&order| record.facts[order].traced().map_or(0.0, |traced| traced.p_corrupt));
        let p_corrupt: Vec<f32> = p_corrupt.collect();
        let all = mlp_windows(model, &prepared, &p_corrupt, &settings, &captured).await?;
        for (&fact, patched) in group.iter().zip(all).filter(|(order, _)| !has(record, **order)).collect::<Vec<_>>() {
            let line = MlpLine { fact, patched };
            observer.event(Event::Mlp(&line))?;
            if let Some(traced) = record.facts[fact].traced_mut() {
                traced.patched_mlp = line.patched;
            }
        }
    }
    observer.event(Event::Progress { phase: StudyPhase::Mlp, done: of, of })
}

pub(super) async fn edit_phase(
    model: &mut Model,
    facts: &FactFile,
    order: &[usize],
    record: &mut Record,
    known: &mut Known,
    observer: &mut dyn Observer,
) -> Result<()> {
    let settings = record.settings.clone();
    let methods = &settings.edit.methods;
    let chosen = chosen(record, facts, order);
    let edits = record.edits.get_or_insert_default();
    begun::edits(edits, &chosen, methods)?;
    let of = wanted(&chosen, methods).len();
    if edits.len() == of {
        return Ok(());
    }
    stopped(observer)?;
    let layers: BTreeSet<usize> = chosen.iter().flat_map(|one| one.layers.iter().copied()).collect();
    let mut told = |done, of| {
        observer.event(Event::Progress { phase: StudyPhase::SecondMoment, done, of })?;
        stopped(observer)
    };
    prepare(model, &settings.edit, &layers, &mut told).await?;
    for Chosen { order, fact, .. } in &chosen {
        known.tokens_of(*order, model, fact, &settings)?;
    }
    let targets = |joint| -> Vec<EditTarget<'_>> {
        let one = |(at, layer): (usize, usize)| {
            let Chosen { order, fact, unrelated, alike, .. } = &chosen[at];
            let tokens = known.tokens[order].clone();
            EditTarget { order: *order, fact, tokens, layer, unrelated: unrelated.clone(), alike: alike.clone() }
        };
        in_order(&chosen, joint).into_iter().map(one).collect()
    };
    let both = [targets(false), targets(true)];
    let of_method = |method: &EditMethod| both[usize::from(method.is_joint())].as_slice();
    let work = methods.iter().enumerate().flat_map(|(at, method)| {
        let parts = parts(model, method, of_method(method), &settings);
        parts.into_iter().map(move |part| (at, method, part))
    });
    let work: Vec<(usize, &EditMethod, Range<usize>)> = work.collect();
    let steps: usize = work.iter().map(|(_, method, _)| method.steps()).sum();
    let mut stepped = 0;
    // Methods that edit the same facts share what is known of their prompts, until the last of them has edited these.
    let key_of = |method: &EditMethod, part: &Range<usize>| (method.is_joint(), part.start, part.end);
    let mut batches: BTreeMap<(bool, usize, usize), EditBatch<'_>> = BTreeMap::new();
    for (place, (at, method, part)) in work.iter().enumerate() {
        let at = *at;
        let jobs = &of_method(method)[part.clone()];
        let has =
            |edits: &[EditRecord], job: &EditTarget<'_>| edits.iter().any(|edit| edit.is_of(at, job.order, job.layer));
        let before = stepped;
        stepped += method.steps();
        if jobs.iter().all(|job| has(edits, job)) {
            continue;
        }
        // All of a part are searched as one batch, also when a resumed study lacks only some of them.
        stopped(observer)?;
        let key = key_of(method, part);
        batches.retain(|known, _| work[place..].iter().any(|(_, method, part)| key_of(method, part) == *known));
        // Many parts are not kept: they are made anew.
        while batches.len() > KEPT {
            batches.pop_last();
        }
        let batch = match batches.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(EditBatch::capture(model, jobs).await?),
        };
        let batch = &*batch;
        let mut progress = |step: Step<'_>| {
            let done = before + step.done * method.steps() / step.of.max(1);
            observer.event(Event::Progress { phase: StudyPhase::Optimize, done, of: steps })?;
            stopped(observer)
        };
        let mut solved = solve(batch, method, &settings, &mut progress).await?;
        // A search may end early.
        observer.event(Event::Progress { phase: StudyPhase::Optimize, done: stepped, of: steps })?;
        // On a device a batch's shape moves last bits: there those that are known are measured again, for the others' sake.
        if model.compute.is_cpu() {
            solved.retain(|one| one.targets.iter().any(|&target| !has(edits, &jobs[target])));
        }
        observer.event(Event::Progress { phase: StudyPhase::Edit, done: edits.len(), of })?;
        let mut done = |edit: MeasuredEdit| {
            if !edits.iter().any(|known| known.is_of(at, edit.record.fact, edit.record.layer)) {
                observer.event(Event::Edit(&edit.record))?;
                edits.push(edit.record);
            }
            observer.event(Event::Progress { phase: StudyPhase::Edit, done: edits.len(), of })?;
            // After the last one there is nothing to stop.
            if edits.len() < of { stopped(observer) } else { Ok(()) }
        };
        measure(batch, (at, &solved), &settings, &mut done).await?;
    }
    Ok(())
}
