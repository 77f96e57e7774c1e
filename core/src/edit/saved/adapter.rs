//! Edits as an adapter of PEFT: low-rank changes by the names of transformers' modules, `W' = W + B A`.

use super::factors::{Floats, file, transposed};
use super::maps::{Map, Maps, module};
use crate::edit::size::by_tensor;
use crate::error::{Error, Result};
use crate::load::Model;
use crate::model::Transformer;
use crate::names;
use crate::tensor::{Overlay, Term};
use serde_json::{Map as Object, Value, json};

/// What PEFT puts before a module's name.
pub(super) const PREFIX: &str = "base_model.model.";

/// The two files of an adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// `adapter_config.json`.
    pub config: Vec<u8>,
    /// `adapter_model.safetensors`.
    pub weights: Vec<u8>,
}

/// The model that an adapter is for, as transformers finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// A hub id or a folder.
    pub name: String,
    /// Branch, tag or commit.
    pub revision: Option<String>,
}

/// All changes of a tensor are one module: `A` has the rows `k`, `B` the columns `u`, and `alpha` is the rank, so that PEFT
/// scales by 1.
///
/// # Errors
/// When there is no edit, or its change is not of low rank.
pub fn adapter<'a>(model: &Model, base: &Base, edits: impl IntoIterator<Item = &'a Overlay>) -> Result<Adapter> {
    let terms: Vec<Term> = edits.into_iter().flat_map(|edit| edit.terms.iter().cloned()).collect();
    let terms = by_tensor(&terms);
    let maps = Maps::of(&model.net);
    let (mut tensors, mut ranks, mut transposes) = (Vec::new(), Vec::new(), false);
    for term in &terms {
        let map = maps.find(&term.tensor).expect("an edit is of the model's own tensors");
        refuse_full(map, term)?;
        transposes |= map.transposed;
        let module = module(&model.info.family, &term.tensor);
        tensors.push((format!("{PREFIX}{module}.lora_A.weight"), Floats::matrix(&term.v)));
        tensors.push((format!("{PREFIX}{module}.lora_B.weight"), Floats::matrix(&transposed(&term.u))));
        ranks.push((module, term.u.len()));
    }
    let Some(&(_, rank)) = ranks.first() else {
        return Err(Error::input("no edit is in force").hint("edit a fact first"));
    };
    let others: Object<String, Value> =
        ranks.iter().filter(|(_, own)| *own != rank).map(|(module, own)| (module.clone(), json!(own))).collect();
    let modules: Vec<&String> = ranks.iter().map(|(module, _)| module).collect();
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.name,
        "revision": base.revision,
        "inference_mode": true,
        "r": rank,
        "lora_alpha": rank,
        "rank_pattern": others,
        "alpha_pattern": others,
        "target_modules": modules,
        "fan_in_fan_out": transposes,
        "bias": "none",
        "lora_dropout": 0.0,
        "use_rslora": false,
        "use_dora": false,
        "modules_to_save": null,
    });
    let mut config = serde_json::to_vec_pretty(&config).map_err(|error| Error::io(format!("the adapter: {error}")))?;
    config.push(b'\n');
    let info = &model.info;
    let about = [("format", "pt"), ("model", info.name.as_str()), ("weights_sha256", info.weights_sha256.as_str())];
    Ok(Adapter { config, weights: file(tensors, &about)? })
}

/// Whether an adapter can hold a change.
///
/// # Errors
/// When it is not of low rank.
pub fn refuse_dense(net: &Transformer, edit: &Overlay) -> Result<()> {
    let maps = Maps::of(net);
    let low = |term: &Term| maps.find(&term.tensor).map_or(Ok(()), |map| refuse_full(map, term));
    by_tensor(&edit.terms).iter().try_for_each(low)
}

/// Refuses a change that an adapter cannot hold in fewer numbers than the matrix has.
fn refuse_full(map: &Map, term: &Term) -> Result<()> {
    let rank = term.u.len();
    match rank < map.out.min(map.input) {
        true => Ok(()),
        false => Err(full_rank(&format!("the change of {} has full rank", names::tensor(&map.tensor)))),
    }
}

/// The refusal of a dense change, whoever finds that it is one.
pub fn full_rank(why: &str) -> Error {
    Error::input(format!("{why}, and a LoRA adapter holds changes of low rank only"))
        .hint("use --save-delta or --save-model, or an editor of low rank: r-rome, memit, alphaedit, lora")
}
