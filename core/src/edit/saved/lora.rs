//! Adapters of PEFT as changes of a model at hand, whoever trained them.

use super::adapter::PREFIX;
use super::config::LoraConfig;
use super::factors::{Opened, open, transposed};
use super::maps::Maps;
use super::{Change, Format, Problems};
use crate::error::Result;
use crate::model::Transformer;
use crate::names;
use crate::tensor::Overlay;
use std::collections::BTreeMap;

/// Reads an adapter's two files, `adapter_config.json` and `adapter_model.safetensors`, for a model.
///
/// # Errors
/// When they are no LoRA, or a part of it cannot be applied: each is named, and nothing is applied.
pub fn read_adapter(net: &Transformer, config: &[u8], weights: &[u8]) -> Result<Change> {
    let mut problems = Problems::default();
    let config = LoraConfig::read(config, &mut problems)?;
    let opened = open(weights).map_err(|error| error.at("adapter_model.safetensors"))?;
    let (maps, mut terms, mut scalings) = (Maps::of(net), BTreeMap::new(), BTreeMap::new());
    for (module, names) in modules(&opened, &mut problems) {
        let Some(map) = maps.find(&format!("{module}.weight")) else {
            problems.add(format!("the model has no linear map {}", names::tensor(&module)));
            continue;
        };
        let [a, b] = names.map(|name| name.ok_or_else(|| format!("{} has one factor only", names::tensor(&module))));
        let (a, b) = match (a.and_then(|name| opened.rows(&name)), b.and_then(|name| opened.rows(&name))) {
            (Ok(a), Ok(b)) => (a, b),
            (a, b) => {
                [a.err(), b.err()].into_iter().flatten().for_each(|problem| problems.add(problem));
                continue;
            }
        };
        let Some(scaling) = config.scaling(&module, a.len()) else {
            problems.add(format!("alpha_pattern says two things of {}", names::tensor(&module)));
            continue;
        };
        let scaled = |row: Vec<f32>| row.into_iter().map(|x| (f64::from(x) * scaling) as f32).collect();
        let u: Vec<Vec<f32>> = transposed(&b).into_iter().map(scaled).collect();
        let Some(term) = problems.term(map, u, a) else { continue };
        if term.u.iter().flatten().any(|x| !x.is_finite()) {
            problems.add(format!("{} scaled by {scaling} is no finite number", names::tensor(&module)));
        } else if terms.insert(term.tensor.clone(), term).is_some() {
            problems.add(format!("{} is there under two names", names::tensor(&module)));
        }
        scalings.insert(map.tensor.clone(), scaling);
    }
    if terms.is_empty() && problems.is_empty() {
        problems.add("it holds no change".to_owned());
    }
    problems.end()?;
    let sha256 = opened.about.get("weights_sha256").cloned();
    // Layer after layer, as people read them.
    let mut terms: Vec<_> = terms.into_values().collect();
    terms.sort_by_key(|term| names::layer_of(&term.tensor).map(|(layer, _)| layer));
    Ok(Change::of(Format::Lora, config.base, sha256, Overlay { terms }, &scalings))
}

/// Modules with the names of their factors `A` and `B`. PEFT leaves the adapter's own name out when it saves; others do not.
fn modules(opened: &Opened<'_>, problems: &mut Problems) -> BTreeMap<String, [Option<String>; 2]> {
    let mut modules: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    let mut tensors = opened.tensors.names();
    tensors.sort_unstable();
    for name in tensors {
        let inner = name.strip_prefix(PREFIX).unwrap_or(name);
        let factor = [".lora_A", ".lora_B"].iter().position(|factor| {
            let end = inner.split_once(factor).map(|(_, end)| end);
            end.is_some_and(|end| end == ".weight" || (end.ends_with(".weight") && end.matches('.').count() == 2))
        });
        let Some((at, module)) = factor.and_then(|at| Some((at, inner.split_once([".lora_A", ".lora_B"][at])?.0)))
        else {
            problems.add(format!("{} is no factor of a linear map", names::tensor(name)));
            continue;
        };
        if modules.entry(module.to_owned()).or_default()[at].replace(name.to_owned()).is_some() {
            problems.add(format!("{} has two adapters", names::tensor(module)));
        }
    }
    modules
}
