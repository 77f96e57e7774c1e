//! What an earlier run left, before anything is indexed by its numbers: is it of these facts, and is it whole?

use super::edits::{Chosen, chosen, wanted};
use super::sequences::{self, Wanted};
use super::work::l_star;
use crate::error::{Error, Result};
use crate::facts::{FactFile, shuffled};
use crate::record::{EditMethod, EditRecord, Outcome, PatchPosition, Record, Sequence};

fn wrong(what: impl Into<String>) -> Error {
    Error::input(what)
        .hint("it is not what this study leaves: start again with --fresh, or choose another --out")
        .in_page("it is not what this study leaves: delete it, and start the study anew")
}

/// Refuses a record whose facts are not the first ones of the study, each at its place.
pub(super) fn facts(record: &Record, facts: &FactFile, order: &[usize]) -> Result<()> {
    for (at, fact) in record.facts.iter().enumerate() {
        if fact.order != at {
            return Err(wrong(format!("facts[{at}] (id {}) has order {}", clip(&fact.id), fact.order)));
        }
        let known = order.get(at).and_then(|&place| facts.facts.get(place));
        if !known.is_some_and(|known| known.is_in(fact)) {
            return Err(wrong(format!("facts[{at}] (id {}) is not the fact of that order", clip(&fact.id))));
        }
        if matches!(fact.outcome, Outcome::NotValidated(_)) {
            return Err(wrong(format!("facts[{at}] (id {}) is traced without being validated", clip(&fact.id))));
        }
    }
    let (found, n) = (record.validated().count(), record.settings.n);
    if found > n {
        return Err(wrong(format!("{found} facts are validated, {n} were wanted")));
    }
    let asked = &record.settings.positions;
    let other = record.validated().flat_map(|(_, traced)| traced.redundancy.keys()).find(|one| !asked.contains(one));
    if let Some(position) = other {
        return Err(wrong(format!("a second pass of {}, which was not asked for", position.name())));
    }
    let (third, edit) = (record.settings.stages.contains(&3), &record.settings.edit);
    let single = third && edit.sequence == 0;
    if record.edits.as_ref().is_some_and(|edits| !edits.is_empty()) && !single {
        return Err(wrong("there are edits, which were not asked for"));
    }
    let several = third && edit.sequence > 0;
    if !record.sequences.is_empty() && !several {
        return Err(wrong("there are sequences of edits, which were not asked for"));
    }
    let swept = record.facts.iter().any(|fact| fact.traced().is_some_and(|traced| !traced.patched_mlp.is_empty()));
    match swept && !(single && edit.layers.is_sweep()) {
        true => Err(wrong("what MLPs restore was not asked for")),
        false => Ok(()),
    }
}

/// Refuses second passes that removed another block than the study's. A fact's id comes from a stranger's file.
pub(super) fn curves(record: &Record, position: PatchPosition, l_star: Option<usize>) -> Result<()> {
    for (fact, traced) in record.validated() {
        if let Some(curve) = traced.redundancy.get(&position).filter(|curve| Some(curve.ablated) != l_star) {
            let (name, ablated) = (position.name(), curve.ablated);
            return Err(wrong(format!("fact {}, {name}: layer {ablated} was removed, not l*", clip(&fact.id))));
        }
    }
    Ok(())
}

/// Refuses edits that are not the first ones of those that the settings ask for.
pub(super) fn edits(edits: &[EditRecord], chosen: &[Chosen<'_>], methods: &[EditMethod]) -> Result<()> {
    let wanted = wanted(chosen, methods);
    let mut pairs = edits.iter().zip(&wanted);
    match edits.len() <= wanted.len() && pairs.all(|(edit, &(method, fact, layer))| edit.is_of(method, fact, layer)) {
        true => Ok(()),
        false => Err(wrong("its edits are not those that its settings ask for")),
    }
}

/// Refuses sequences that are not the first ones of those that the settings ask for.
pub(super) fn sequences(there: &[Sequence], chosen: &[Chosen<'_>], all: &[Wanted]) -> Result<()> {
    let fits = |(sequence, wanted): (&Sequence, &Wanted)| {
        let (places, checkpoints) = (wanted.places(chosen), wanted.checkpoints());
        let edits = sequence.checkpoints.iter().map(|one| one.edits);
        (sequence.method, sequence.layer) == (wanted.method, wanted.layer)
            && places.starts_with(&sequences::there(sequence))
            && sequence.checkpoints.len() <= checkpoints.len()
            && edits.eq(checkpoints.iter().take(sequence.checkpoints.len()).map(|(_, edits)| *edits))
    };
    match there.len() <= all.len() && there.iter().zip(all).all(fits) {
        true => Ok(()),
        false => Err(wrong("its sequences of edits are not those that its settings ask for")),
    }
}

/// Whether they are all there.
pub(super) fn are_complete(there: &[Sequence], all: &[Wanted]) -> bool {
    there.len() == all.len() && there.iter().zip(all).all(|(sequence, wanted)| is_whole(sequence, wanted))
}

/// Whether nothing of a sequence is missing; one that has ruined the model has ended.
pub(super) fn is_whole(sequence: &Sequence, wanted: &Wanted) -> bool {
    let broken = sequence.checkpoints.last().is_some_and(|last| last.broken.is_some());
    let all = sequence.steps.len() == wanted.steps.len() && sequence.checkpoints.len() == wanted.checkpoints().len();
    broken || all
}

/// Whether nothing is left to compute.
///
/// # Errors
/// When the record is not one of these facts.
pub fn is_complete(record: &Record, file: &FactFile) -> Result<bool> {
    let order = shuffled(file.facts.len(), record.settings.seed);
    facts(record, file, &order)?;
    if record.validated().count() < record.settings.n && record.facts.len() < order.len() {
        return Ok(false);
    }
    for &position in &record.settings.positions {
        let l_star = l_star(record, position);
        curves(record, position, l_star)?;
        if l_star.is_some() && record.validated().any(|(_, traced)| !traced.redundancy.contains_key(&position)) {
            return Ok(false);
        }
    }
    if !record.settings.stages.contains(&3) {
        return Ok(true);
    }
    let chosen = chosen(record, file, &order);
    if record.settings.edit.sequence > 0 {
        let all = super::sequences::wanted(&chosen, &record.settings.edit, record.model.layers);
        sequences(&record.sequences, &chosen, &all)?;
        return Ok(are_complete(&record.sequences, &all));
    }
    let found = record.edits.as_deref();
    let methods = &record.settings.edit.methods;
    edits(found.unwrap_or_default(), &chosen, methods)?;
    let sweep = record.settings.edit.layers.is_sweep();
    let lacks = |order: usize| record.facts[order].traced().is_some_and(|traced| traced.patched_mlp.is_empty());
    if sweep && chosen.iter().any(|one| lacks(one.order)) {
        return Ok(false);
    }
    Ok(found.is_some_and(|found| found.len() == wanted(&chosen, methods).len()))
}

fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}
