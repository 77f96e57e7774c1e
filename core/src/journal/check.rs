//! Numbers that must be finite, and vectors that must fit the model.

use crate::record::read::MOST_LAYERS;
use crate::record::{Answers, Corruption, EditRecord, FactRecord, Maps, Outcome, PatchPosition, Record, Search};
use crate::record::{Checkpoint, SequenceStep, Settings, Traced};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Checks that every number of a record is finite; the error names the first one that is not, for example
/// `facts[3] (id 20391).patched.subject-last[11] is NaN`.
///
/// # Errors
/// When one is not.
pub fn finite(record: &Record) -> Result<()> {
    settings(&record.settings)?;
    for (index, one) in record.facts.iter().enumerate() {
        fact(one).map_err(|error| error.at(fact_place(index, one)))?;
    }
    for (index, one) in record.edits.iter().flatten().enumerate() {
        edit(one).map_err(|error| error.at(format!("edits[{index}] (fact {})", one.fact)))?;
    }
    for (index, one) in record.sequences.iter().enumerate() {
        sequence(&one.steps, &one.checkpoints).map_err(|error| error.at(format!("sequences[{index}]")))?;
    }
    Ok(())
}

fn fact_place(index: usize, fact: &FactRecord) -> String {
    format!("facts[{index}] (id {})", fact.id)
}

fn number(place: &str, value: f32) -> Result<()> {
    if value.is_finite() { Ok(()) } else { Err(not_finite(place, value)) }
}

/// Places are put into words only for the error: a record holds millions of numbers.
fn numbers<'a>(place: &str, values: impl IntoIterator<Item = &'a f32>) -> Result<()> {
    match values.into_iter().enumerate().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((at, value)) => Err(not_finite(&format!("{place}[{at}]"), *value)),
    }
}

fn not_finite(place: &str, value: f32) -> Error {
    Error::numeric(format!("{place} is {value}")).hint("a record holds finite numbers only")
}

/// Every number of the settings.
pub(super) fn settings(settings: &Settings) -> Result<()> {
    number("settings.min_effect", settings.min_effect)?;
    if let Corruption::Noise { sigmas, sigma, .. } = &settings.corruption {
        number("settings.corruption.sigmas", *sigmas)?;
        number("settings.corruption.sigma", *sigma)?;
    }
    for method in &settings.edit.methods {
        for (name, value) in method.numbers() {
            number(&format!("settings.edit.method.{name}"), value)?;
        }
    }
    number("settings.edit.second_moment.ridge", settings.edit.second_moment.ridge)?;
    number("settings.edit.min_p_false", settings.edit.min_p_false)
}

/// Every number of one fact.
pub(super) fn fact(fact: &FactRecord) -> Result<()> {
    match &fact.outcome {
        Outcome::Validated(found) => traced(found),
        Outcome::NotValidated(found) => traced(&found.traced),
        Outcome::Dropped(dropped) => {
            dropped.p_clean.map_or(Ok(()), |p| number("p_clean", p))?;
            dropped.p_corrupt.map_or(Ok(()), |p| number("p_corrupt", p))
        }
    }
}

fn traced(traced: &Traced) -> Result<()> {
    number("p_clean", traced.p_clean)?;
    number("p_corrupt", traced.p_corrupt)?;
    number("p_false", traced.p_false)?;
    curves("patched", &traced.patched)?;
    curves("patched_mlp", &traced.patched_mlp)?;
    numbers("without_block", &traced.without_block)?;
    numbers("without_attention", &traced.without_attention)?;
    numbers("without_mlp", &traced.without_mlp)?;
    for (position, curve) in &traced.redundancy {
        redundancy(position.name(), &curve.patched)?;
    }
    if let Some(lens) = &traced.lens {
        numbers("lens.p_true", &lens.p_true)?;
        numbers("lens.p_false", &lens.p_false)?;
    }
    for effects in &traced.units {
        for (layer, values) in effects.patched.iter().enumerate() {
            numbers(&format!("units.patched[{layer}]"), values)?;
        }
    }
    let Some(Maps { residual, mlp, attention, .. }) = &traced.maps else { return Ok(()) };
    for (name, map) in [("residual", residual), ("mlp", mlp), ("attention", attention)] {
        for (position, row) in map.iter().enumerate() {
            numbers(&format!("maps.{name}[{position}]"), row)?;
        }
    }
    Ok(())
}

/// A curve for each patch position.
pub(super) fn curves(place: &str, curves: &BTreeMap<PatchPosition, Vec<f32>>) -> Result<()> {
    curves.iter().try_for_each(|(position, values)| numbers(&format!("{place}.{}", position.name()), values))
}

/// The second pass of one fact.
pub(super) fn redundancy(position: &str, patched: &[Option<f32>]) -> Result<()> {
    match patched.iter().enumerate().find_map(|(at, value)| Some((at, value.filter(|value| !value.is_finite())?))) {
        None => Ok(()),
        Some((at, value)) => Err(not_finite(&format!("redundancy.{position}[{at}]"), value)),
    }
}

/// Every number of one edit.
pub(super) fn edit(edit: &EditRecord) -> Result<()> {
    number("p_true", edit.p_true)?;
    number("p_false", edit.p_false)?;
    number("p_true_after", edit.p_true_after)?;
    number("p_false_after", edit.p_false_after)?;
    number("relative_change", edit.relative_change)?;
    number("residual", edit.residual)?;
    numbers("loss", &edit.loss)?;
    answers("answers", edit.answers.as_ref())?;
    for (name, shifts) in [
        ("paraphrases", &edit.paraphrases),
        ("neighbourhood", &edit.neighbourhood),
        ("neighbourhood_plus", &edit.neighbourhood_plus),
    ] {
        for (at, shift) in shifts.iter().enumerate() {
            numbers(&format!("{name}[{at}].p_true"), &shift.p_true)?;
            numbers(&format!("{name}[{at}].p_false"), &shift.p_false)?;
            answers(&format!("{name}[{at}].answers"), shift.answers.as_ref())?;
        }
    }
    edit.relative_norm.map_or(Ok(()), |norm| number("relative_norm", norm))?;
    edit.search.as_ref().map_or(Ok(()), search)?;
    for (name, again) in edit.retrace.iter().flat_map(|retrace| retrace.parts()) {
        traced(again).map_err(|error| error.at(format!("retrace.{name}")))?;
    }
    edit.unrelated.iter().enumerate().try_for_each(|(at, one)| numbers(&format!("unrelated[{at}].p_true"), &one.p_true))
}

/// Every number of a sequence's steps and checkpoints.
pub(super) fn sequence(steps: &[SequenceStep], checkpoints: &[Checkpoint]) -> Result<()> {
    for edit in steps.iter().flat_map(|step| &step.edits) {
        numbers("loss", &edit.loss)?;
        numbers("edit", [&edit.relative_change, &edit.residual, &edit.relative_norm])?;
        edit.search.as_ref().map_or(Ok(()), search)?;
    }
    for checkpoint in checkpoints {
        number("relative_norm", checkpoint.relative_norm)?;
        numbers("perplexity", checkpoint.perplexity.iter().flatten())?;
        checkpoint.edited.iter().try_for_each(edit)?;
        checkpoint.untouched.iter().try_for_each(|one| numbers("untouched.p_true", &one.p_true))?;
    }
    Ok(())
}

fn search(found: &Search) -> Result<()> {
    let Search { value_norm, delta_norm, clamped: _, neighbour: _, division, update_norm, missing, nll, kl } = found;
    numbers("search", [value_norm, delta_norm].into_iter().chain(division).chain(update_norm).chain(missing))?;
    numbers("search.nll", nll)?;
    numbers("search.kl", kl)
}

fn answers(place: &str, answers: Option<&Answers>) -> Result<()> {
    let Some(Answers { nll_true, nll_new, .. }) = answers else { return Ok(()) };
    numbers(&format!("{place}.nll_true"), nll_true)?;
    numbers(&format!("{place}.nll_new"), nll_new)
}

/// What a record from outside must satisfy before anything indexes by layer: finite numbers, per-layer vectors with L
/// entries (or none), layers within `1..=L`, spans within their tokens, no patch position twice.
pub(super) fn consistent(record: &Record) -> Result<()> {
    finite(record)?;
    let layers = record.model.layers;
    if layers > MOST_LAYERS {
        return Err(Error::input(format!("a model of {layers} layers"))
            .hint(format!("the record is damaged: models have at most {MOST_LAYERS}")));
    }
    // Tables have a row per patch position.
    let positions = &record.settings.positions;
    if let Some(again) = (1..positions.len()).find(|at| positions[..*at].contains(&positions[*at])) {
        return Err(Error::input(format!("settings.readings has {} twice", positions[again].name())));
    }
    for (index, (one, traced)) in record.traced().enumerate() {
        shape(traced, layers).map_err(|error| error.at(fact_place(index, one)))?;
    }
    for (index, edit) in record.edits.iter().flatten().enumerate() {
        within(&format!("edits[{index}].layer"), edit.layer, layers)?;
        let methods = record.settings.edit.methods.len();
        if edit.method >= methods {
            return Err(Error::input(format!("edits[{index}].method is {}, there are {methods}", edit.method)));
        }
        for (name, again) in edit.retrace.iter().flat_map(|retrace| retrace.parts()) {
            shape(again, layers).map_err(|error| error.at(format!("edits[{index}].retrace.{name}")))?;
        }
    }
    for (index, sequence) in record.sequences.iter().enumerate() {
        let methods = record.settings.edit.methods.len();
        if sequence.method >= methods {
            return Err(Error::input(format!("sequences[{index}].method is {}, there are {methods}", sequence.method)));
        }
        let layers_of = |edits: &[EditRecord]| edits.iter().map(|edit| edit.layer).collect::<Vec<_>>();
        let steps = sequence.steps.iter().flat_map(|step| step.edits.iter().map(|edit| edit.layer));
        let all = steps.chain(sequence.layer).chain(sequence.checkpoints.iter().flat_map(|one| layers_of(&one.edited)));
        all.into_iter().try_for_each(|layer| within(&format!("sequences[{index}]: layer"), layer, layers))?;
    }
    Ok(())
}

fn shape(traced: &Traced, layers: usize) -> Result<()> {
    let fits = |place: &str, found: usize| match found {
        0 => Ok(()),
        found if found == layers => Ok(()),
        found => Err(Error::input(format!("{place} has {found} entries, the model has {layers} layers"))),
    };
    for (name, curves) in [("patched", &traced.patched), ("patched_mlp", &traced.patched_mlp)] {
        curves.iter().try_for_each(|(position, curve)| fits(&format!("{name}.{}", position.name()), curve.len()))?;
    }
    fits("without_block", traced.without_block.len())?;
    fits("without_attention", traced.without_attention.len())?;
    fits("without_mlp", traced.without_mlp.len())?;
    for (position, curve) in &traced.redundancy {
        fits(&format!("redundancy.{}", position.name()), curve.patched.len())?;
        within(&format!("redundancy.{}.ablated", position.name()), curve.ablated, layers)?;
    }
    if let Some(maps) = &traced.maps {
        for (name, map) in [("residual", &maps.residual), ("mlp", &maps.mlp), ("attention", &maps.attention)] {
            map.iter().try_for_each(|row| fits(&format!("maps.{name}"), row.len()))?;
        }
    }
    if let Some(lens) = &traced.lens {
        let ranks = [lens.rank_true.len(), lens.rank_false.len()];
        let lengths = [lens.p_true.len(), lens.p_false.len(), ranks[0], ranks[1], lens.top.len()];
        lengths.iter().try_for_each(|&length| fits("lens", length))?;
        if lengths.iter().any(|&length| length != lengths[0]) {
            return Err(Error::input("lens: its curves have different lengths"));
        }
    }
    for effects in &traced.units {
        fits("units.patched", effects.patched.len())?;
        let units = effects.patched.first().map_or(0, Vec::len);
        if effects.patched.iter().any(|layer| layer.len() != units) {
            return Err(Error::input("units.patched: its layers have different numbers of units"));
        }
    }
    let spans = [
        ("subject_span", traced.subject_span, traced.tokens.len()),
        ("corrupt_span", traced.corrupt_span, traced.corrupt_tokens.len()),
    ];
    for (name, [begin, end], tokens) in spans {
        if begin > end || end > tokens {
            return Err(Error::input(format!("{name} is [{begin}, {end}), but there are {tokens} tokens")));
        }
    }
    Ok(())
}

fn within(place: &str, layer: usize, layers: usize) -> Result<()> {
    if (1..=layers).contains(&layer) {
        return Ok(());
    }
    Err(Error::input(format!("{place} is {layer}, the model's layers are 1 to {layers}")))
}
