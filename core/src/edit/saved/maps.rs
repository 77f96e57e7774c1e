//! A model's linear maps by the names that checkpoints and transformers give them, whatever stands before the blocks.

use crate::model::Transformer;
use crate::names;
use std::collections::BTreeMap;

/// What stands before the blocks: in checkpoints of language models, of their bodies alone, and of the text part of larger
/// models, as older and newer transformers name it.
const ROOTS: [&str; 5] = ["model.", "transformer.", "language_model.model.", "model.language_model.", ""];

/// A linear map as a tensor of the checkpoint: GPT-2's query, key and value are one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Map {
    /// The checkpoint's name of the tensor.
    pub(super) tensor: String,
    /// Outputs.
    pub(super) out: usize,
    /// Inputs.
    pub(super) input: usize,
    /// The checkpoint stores it `[in, out]` (GPT-2's Conv1D).
    pub(super) transposed: bool,
}

/// A model's linear maps within its blocks.
#[derive(Debug)]
pub(super) struct Maps(BTreeMap<String, Map>);

impl Maps {
    /// All of a model's.
    pub(super) fn of(net: &Transformer) -> Self {
        let mut all: BTreeMap<String, Map> = BTreeMap::new();
        for (_, map) in net.blocks.iter().flat_map(|block| block.maps()) {
            let Some((_, place)) = split(&map.tensor) else { continue };
            let (out, transposed) = (map.rows.end, map.transposed);
            let whole = all.entry(place.to_owned());
            let new = || Map { tensor: map.tensor.clone(), out, input: map.input, transposed };
            let whole = whole.or_insert_with(new);
            whole.out = whole.out.max(out);
        }
        Self(all)
    }

    /// The map of a tensor's name, such as `model.layers.0.mlp.down_proj.weight`.
    pub(super) fn find(&self, tensor: &str) -> Option<&Map> {
        let (root, place) = split(tensor)?;
        self.0.get(place).filter(|_| ROOTS.contains(&root))
    }
}

/// The name of a map's module in transformers, for a model whose config.json has this `model_type`. Checkpoints of a body alone
/// and of older multimodal models begin otherwise.
pub(super) fn module(model_type: &str, tensor: &str) -> String {
    let place = split(tensor).map_or(tensor, |(_, place)| place);
    format!("{}{}", root(model_type), place.strip_suffix(".weight").unwrap_or(place))
}

/// What a checkpoint's names of tensors begin with, and transformers' names of the same ones, where these differ.
pub fn renamed(model_type: &str, tensor: &str) -> Option<(String, String)> {
    let (own, theirs) = (split(tensor)?.0, root(model_type));
    (own != theirs).then(|| (own.to_owned(), theirs.to_owned()))
}

/// What stands before the blocks in transformers' class of a family.
fn root(model_type: &str) -> &'static str {
    match model_type {
        "gpt2" => "transformer.",
        // The text part of a class that sees, too.
        "gemma3" => "model.language_model.",
        _ => "model.",
    }
}

/// What stands before the blocks, and the rest: `model.` and `layers.0.mlp.down_proj.weight`.
fn split(tensor: &str) -> Option<(&str, &str)> {
    let (_, stem) = names::layer_of(tensor)?;
    let (list, _) = stem.rsplit_once('.')?;
    Some(tensor.split_at(list.rfind('.').map_or(0, |at| at + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_before_the_blocks() {
        let cut = |name: &'static str| split(name);
        assert_eq!(cut("model.layers.0.mlp.down_proj.weight"), Some(("model.", "layers.0.mlp.down_proj.weight")));
        assert_eq!(cut("h.11.attn.c_attn"), Some(("", "h.11.attn.c_attn")));
        assert_eq!(cut("lm_head.weight"), None);
        assert_eq!(cut("layers.0"), Some(("", "layers.0")));
        assert_eq!(cut(""), None);
    }

    #[test]
    fn modules_are_named_as_transformers_names_them() {
        let down = "layers.3.mlp.down_proj";
        for root in ["", "model.", "language_model.model.", "model.language_model."] {
            let tensor = format!("{root}{down}.weight");
            assert_eq!(module("llama", &tensor), format!("model.{down}"));
            assert_eq!(module("gemma3", &tensor), format!("model.language_model.{down}"));
        }
        assert_eq!(module("gpt2", "h.0.mlp.c_proj.weight"), "transformer.h.0.mlp.c_proj");
    }
}
