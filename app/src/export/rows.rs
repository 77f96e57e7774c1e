//! Records' raw values as tables: what a row is, and its columns. Every column is described in docs/RECORD.md.

use super::frame::Kind::{Float, Int, Text};
use super::frame::{Field, Frame, Value};
use engram_core::Result;
use engram_core::facts::kind;
use engram_core::record::{FactRecord, Lens, Maps, Outcome, Record, Traced};

/// A record under the name that its rows have in the column `study`.
pub struct Study<'a> {
    /// Model name; numbered where several records are of one model.
    pub name: &'a str,
    /// The record.
    pub record: &'a Record,
}

const FACTS: [Field; 21] = [
    ("study", Text, false),
    ("order", Int, false),
    ("id", Text, false),
    ("relation", Text, false),
    ("kind", Text, false),
    ("prompt", Text, false),
    ("subject", Text, false),
    ("target_true", Text, false),
    ("target_new", Text, false),
    ("outcome", Text, false),
    ("reason", Text, true),
    ("detail", Text, true),
    ("p_clean", Float, true),
    ("p_corrupt", Float, true),
    ("p_false", Float, true),
    ("tokens", Int, true),
    ("subject_begin", Int, true),
    ("subject_end", Int, true),
    ("corrupt_tokens", Int, true),
    ("corrupt_begin", Int, true),
    ("corrupt_end", Int, true),
];

/// A row per fact, excluded ones too.
pub fn facts(studies: &[Study<'_>], program: &str) -> Result<Frame> {
    let mut frame = Frame::new(&FACTS, program)?;
    for (study, fact) in each(studies) {
        let text = |text: &str| Value::from(text);
        let traced = fact.traced();
        let why = fact.outcome.why();
        let dropped = match &fact.outcome {
            Outcome::Dropped(dropped) => Some(dropped),
            _ => None,
        };
        let p = |of_traced: fn(&Traced) -> f32| traced.map(of_traced);
        let count = |of_traced: fn(&Traced) -> usize| Value::from(traced.map(of_traced));
        frame.row([
            study,
            fact.order.into(),
            text(&fact.id),
            text(&fact.relation),
            text(kind(&fact.relation).name()),
            text(&fact.prompt),
            text(&fact.subject),
            text(&fact.target_true),
            text(&fact.target_new),
            text(fact.outcome.name()),
            why.map(|why| why.0.name()).into(),
            why.map(|why| why.1).filter(|detail| !detail.is_empty()).into(),
            p(|traced| traced.p_clean).or(dropped.and_then(|dropped| dropped.p_clean)).into(),
            p(|traced| traced.p_corrupt).or(dropped.and_then(|dropped| dropped.p_corrupt)).into(),
            p(|traced| traced.p_false).into(),
            count(|traced| traced.tokens.len()),
            count(|traced| traced.subject_span[0]),
            count(|traced| traced.subject_span[1]),
            count(|traced| traced.corrupt_tokens.len()),
            count(|traced| traced.corrupt_span[0]),
            count(|traced| traced.corrupt_span[1]),
        ])?;
    }
    Ok(frame)
}

const CURVES: [Field; 8] = [
    ("study", Text, false),
    ("order", Int, false),
    ("id", Text, false),
    ("quantity", Text, false),
    ("reading", Text, true),
    ("ablated", Int, true),
    ("layer", Int, false),
    ("p", Float, true),
];

/// A row per traced fact, quantity, patch position (where the quantity has one) and layer.
pub fn curves(studies: &[Study<'_>], program: &str) -> Result<Frame> {
    let mut frame = Frame::new(&CURVES, program)?;
    for (study, fact, traced) in traced(studies) {
        let id = Value::from(fact.id.as_str());
        let mut curve = |quantity: &str, position: Option<&str>, ablated: Option<usize>, values: Vec<Option<f32>>| {
            let (quantity, position, ablated) = (Value::from(quantity), Value::from(position), Value::from(ablated));
            values.into_iter().enumerate().try_for_each(|(at, p)| {
                let (study, order, id) = (study.clone(), fact.order.into(), id.clone());
                let (quantity, position, ablated) = (quantity.clone(), position.clone(), ablated.clone());
                frame.row([study, order, id, quantity, position, ablated, (at + 1).into(), p.into()])
            })
        };
        let some = |values: &[f32]| values.iter().copied().map(Some).collect::<Vec<_>>();
        for (quantity, curves) in [("patched", &traced.patched), ("patched_mlp", &traced.patched_mlp)] {
            for (position, values) in curves {
                curve(quantity, Some(position.name()), None, some(values))?;
            }
        }
        for (position, redundancy) in &traced.redundancy {
            let ablated = Some(redundancy.ablated);
            curve("redundancy", Some(position.name()), ablated, redundancy.patched.clone())?;
        }
        curve("without_block", None, None, some(&traced.without_block))?;
        curve("without_attention", None, None, some(&traced.without_attention))?;
        curve("without_mlp", None, None, some(&traced.without_mlp))?;
    }
    Ok(frame)
}

const MAPS: [Field; 9] = [
    ("study", Text, false),
    ("order", Int, false),
    ("id", Text, false),
    ("site", Text, false),
    ("window", Int, true),
    ("position", Int, false),
    ("token", Text, true),
    ("layer", Int, false),
    ("p", Float, false),
];

/// A row per cell of the token × layer maps. `window` is null for the residual stream, which is patched at one layer.
pub fn maps(studies: &[Study<'_>], program: &str) -> Result<Frame> {
    let mut frame = Frame::new(&MAPS, program)?;
    for (study, fact, traced) in traced(studies) {
        let Some(Maps { window, residual, mlp, attention }) = &traced.maps else { continue };
        let id = Value::from(fact.id.as_str());
        let sites =
            [("residual", None, residual), ("mlp", Some(*window), mlp), ("attention", Some(*window), attention)];
        for (site, window, map) in sites {
            let (site, window) = (Value::from(site), Value::from(window));
            for (position, row) in map.iter().enumerate() {
                let token = Value::from(traced.corrupt_tokens.get(position).map(String::as_str));
                for (at, &p) in row.iter().enumerate() {
                    let (study, id, token) = (study.clone(), id.clone(), token.clone());
                    let (site, window, layer) = (site.clone(), window.clone(), Value::from(at + 1));
                    frame.row([study, fact.order.into(), id, site, window, position.into(), token, layer, p.into()])?;
                }
            }
        }
    }
    Ok(frame)
}

const LENS: [Field; 9] = [
    ("study", Text, false),
    ("order", Int, false),
    ("id", Text, false),
    ("layer", Int, false),
    ("p_true", Float, false),
    ("p_false", Float, false),
    ("rank_true", Int, false),
    ("rank_false", Int, false),
    ("top", Text, false),
];

/// A row per fact with a logit lens, and layer.
pub fn lens(studies: &[Study<'_>], program: &str) -> Result<Frame> {
    let mut frame = Frame::new(&LENS, program)?;
    for (study, fact, traced) in traced(studies) {
        let Some(Lens { p_true, p_false, rank_true, rank_false, top }) = &traced.lens else { continue };
        let curves = p_true.iter().zip(p_false).zip(rank_true.iter().zip(rank_false)).zip(top);
        for (at, (((p_true, p_false), (rank_true, rank_false)), top)) in curves.enumerate() {
            let (p_true, p_false) = (Value::from(*p_true), Value::from(*p_false));
            let (rank_true, rank_false) = (Value::from(*rank_true), Value::from(*rank_false));
            let (study, id, layer) = (study.clone(), Value::from(fact.id.as_str()), Value::from(at + 1));
            let top = Value::from(top.as_str());
            frame.row([study, fact.order.into(), id, layer, p_true, p_false, rank_true, rank_false, top])?;
        }
    }
    Ok(frame)
}

const UNITS: [Field; 8] = [
    ("study", Text, false),
    ("order", Int, false),
    ("id", Text, false),
    ("unit", Text, false),
    ("reading", Text, false),
    ("layer", Int, false),
    ("number", Int, false),
    ("p", Float, false),
];

/// A row per fact, patch position, layer and single head or neuron.
pub fn units(studies: &[Study<'_>], program: &str) -> Result<Frame> {
    let mut frame = Frame::new(&UNITS, program)?;
    for (study, fact, traced) in traced(studies) {
        for effects in &traced.units {
            for (layer, values) in effects.patched.iter().enumerate() {
                for (at, &p) in values.iter().enumerate() {
                    let (study, id) = (study.clone(), Value::from(fact.id.as_str()));
                    let (unit, position) = (Value::from(effects.unit.name()), Value::from(effects.position.name()));
                    let number = Value::from(effects.first.saturating_add(at));
                    frame.row([study, fact.order.into(), id, unit, position, (layer + 1).into(), number, p.into()])?;
                }
            }
        }
    }
    Ok(frame)
}

pub(super) fn by_order(record: &Record) -> std::collections::HashMap<usize, &FactRecord> {
    record.facts.iter().map(|fact| (fact.order, fact)).collect()
}

fn each<'a>(studies: &'a [Study<'a>]) -> impl Iterator<Item = (Value, &'a FactRecord)> {
    studies.iter().flat_map(|study| {
        let name = Value::from(study.name);
        study.record.facts.iter().map(move |fact| (name.clone(), fact))
    })
}

fn traced<'a>(studies: &'a [Study<'a>]) -> impl Iterator<Item = (Value, &'a FactRecord, &'a Traced)> {
    each(studies).filter_map(|(study, fact)| Some((study, fact, fact.traced()?)))
}
