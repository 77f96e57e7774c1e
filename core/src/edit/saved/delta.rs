//! Edits as a safetensors file of their factors: Engram's own format.

use super::factors::{Floats, file, open};
use super::maps::Maps;
use super::{Change, Format, Problems};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::names;
use crate::record::ModelInfo;
use crate::tensor::{Overlay, Term};
use std::collections::BTreeMap;

/// What the file calls itself.
const FORMAT: &str = "engram-rank-one-delta";

/// `u` and `k` of each term, `W' = W + u kᵀ` in the layout `[out, in]`. One term gives the tensors `NAME.u` and `NAME.k`;
/// of several each has its place, from 1, behind: `NAME.u.1`. They are applied in this order.
///
/// # Errors
/// When there is no edit, or safetensors refuses them.
pub fn delta<'a>(model: &ModelInfo, edits: impl IntoIterator<Item = &'a Overlay>) -> Result<Vec<u8>> {
    let terms: Vec<&Term> = edits.into_iter().flat_map(|edit| &edit.terms).collect();
    let Some(first) = terms.first() else {
        return Err(Error::input("no edit is in force").hint("edit a fact first"));
    };
    let mut tensors = Vec::new();
    for (at, term) in terms.iter().enumerate() {
        let place = if terms.len() == 1 { String::new() } else { format!(".{}", at + 1) };
        tensors.push((format!("{}.u{place}", term.tensor), Floats::rows(&term.u)));
        tensors.push((format!("{}.k{place}", term.tensor), Floats::rows(&term.v)));
    }
    let layer = |term: &&Term| names::layer_of(&term.tensor).map(|(layer, _)| layer.to_string());
    let layers: Vec<String> = terms.iter().filter_map(layer).collect();
    let about = [
        ("format", FORMAT),
        ("formula", "W' = W + outer(u, k), W in the layout [out, in]"),
        ("tensor", first.tensor.as_str()),
        ("layer", &layers.join(",")),
        ("model", &model.name),
        ("weights_sha256", &model.weights_sha256),
    ];
    file(tensors, &about)
}

/// Reads what [`delta`] has written, for a model that may be another copy of the one it was made for.
///
/// # Errors
/// When the file is no such file, or a part of it does not fit the model: each is named, and nothing is applied.
pub fn read_delta(net: &Transformer, bytes: &[u8]) -> Result<Change> {
    let opened = open(bytes)?;
    if opened.about.get("format").is_none_or(|format| format != FORMAT) {
        return Err(Error::input("this safetensors file is no weight change of Engram")
            .hint("give a file of --save-delta, or the folder of a PEFT adapter"));
    }
    let (maps, mut problems) = (Maps::of(net), Problems::default());
    let mut terms: BTreeMap<usize, Term> = BTreeMap::new();
    for name in opened.tensors.names() {
        let (base, kind, number) = match parts(name) {
            Some(parts) => parts,
            None => {
                problems.add(format!("{} is no factor of a change", names::tensor(name)));
                continue;
            }
        };
        if kind == "k" {
            let twin = format!("{base}.u{}", &name[base.len() + 2..]);
            if opened.tensors.tensor(&twin).is_err() {
                problems.add(format!("{} is missing", names::tensor(&twin)));
            }
            continue;
        }
        let Some(map) = maps.find(base) else {
            problems.add(format!("the model has no linear map {}", names::tensor(base)));
            continue;
        };
        let twin = format!("{base}.k{}", &name[base.len() + 2..]);
        let (u, v) = match (opened.rows(name), opened.rows(&twin)) {
            (Ok(u), Ok(v)) => (u, v),
            (u, v) => {
                [u.err(), v.err()].into_iter().flatten().for_each(|problem| problems.add(problem));
                continue;
            }
        };
        let Some(term) = problems.term(map, u, v) else { continue };
        if terms.insert(number, term).is_some() {
            problems.add(format!("two changes have the place {number}"));
        }
    }
    if terms.is_empty() && problems.is_empty() {
        problems.add("it holds no change".to_owned());
    }
    problems.end()?;
    let about = |key: &str| opened.about.get(key).filter(|value| !value.is_empty()).cloned();
    let overlay = Overlay { terms: terms.into_values().collect() };
    Ok(Change::of(Format::Delta, about("model"), about("weights_sha256"), overlay, &BTreeMap::new()))
}

/// The tensor that a factor is of, which factor, and its place; 0 where it has none.
fn parts(name: &str) -> Option<(&str, &str, usize)> {
    let (rest, number) = match name.rsplit_once('.') {
        Some((rest, last)) if last.parse::<usize>().is_ok() => (rest, last.parse().ok()?),
        _ => (name, 0),
    };
    let (base, kind) = rest.rsplit_once('.')?;
    ["u", "k"].contains(&kind).then_some((base, kind, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_told_apart_by_name() {
        assert_eq!(parts("model.layers.0.w.weight.u"), Some(("model.layers.0.w.weight", "u", 0)));
        assert_eq!(parts("h.0.w.weight.k.12"), Some(("h.0.w.weight", "k", 12)));
        for wrong in ["", "u", "a.b", "a.v.1", "u.1", "a.1.2"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
