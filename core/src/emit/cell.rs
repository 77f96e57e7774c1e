//! One cell of a causal trace.

use super::{Source, ids, literal, number, quoted};
use crate::protocol::MapSite;
use std::ops::RangeInclusive;

/// A cell: activations of the clean run that are put back into the corrupted run, and the answer's probability then.
#[derive(Debug, Clone, PartialEq)]
pub struct CellScript<'a> {
    /// The model.
    pub source: Source<'a>,
    /// The clean and the corrupted prompt.
    pub prompts: [&'a str; 2],
    /// Their tokens.
    pub ids: [&'a [u32]; 2],
    /// The answer's text and first token.
    pub answer: (&'a str, u32),
    /// What is put back.
    pub site: MapSite,
    /// Of which layers, from 1.
    pub layers: RangeInclusive<usize>,
    /// The position in the clean prompt, and the one in the corrupted prompt.
    pub positions: [usize; 2],
    /// The answer's probability in the clean run, in the corrupted run, and with the cell put back.
    pub p: [f32; 3],
    /// Where Engram has computed, for people.
    pub device: &'a str,
}

impl CellScript<'_> {
    /// What is put back, in words.
    fn what(&self) -> String {
        let (first, last) = (self.layers.start(), self.layers.end());
        match (self.site, first == last) {
            (MapSite::Residual, _) => format!("the residual stream after layer {last}"),
            (MapSite::Mlp, true) => format!("the MLP output of layer {last}"),
            (MapSite::Mlp, false) => format!("the MLP outputs of layers {first} to {last}"),
            (MapSite::Attention, true) => format!("the attention output of layer {last}"),
            (MapSite::Attention, false) => format!("the attention outputs of layers {first} to {last}"),
        }
    }

    /// The script.
    pub fn text(&self) -> String {
        let Self { source, prompts: [clean, corrupted], ids: [clean_ids, corrupted_ids], answer, .. } = self;
        let Self { positions: [from, to], p: [p_clean, p_corrupted, p_restored], device, .. } = self;
        format!(
            r#"# A number of Engram, computed again with PyTorch and transformers alone: p({answer}) after
#   {corrupted}
# with {what} put back at token {to}, taken from token {from} of
#   {clean}
# Layers count from 1, tokens from 0. Engram computed on {device}.
import torch
from transformers import AutoModelForCausalLM

clean = {clean_ids}
corrupted = {corrupted_ids}
answer = {answer_id}  # the answer's first token
engram = {{"clean": {p_clean}, "corrupted": {p_corrupted}, "put back": {p_restored}}}

{open}
modules = [{blocks}[layer - 1]{module} for layer in range({first}, {end})]
kept = {{}}


def rows(output):  # attention gives its pattern, too
    return output[0] if isinstance(output, tuple) else output


def keep(module, inputs, output):
    kept[module] = rows(output)[0, {from}].clone()


def put_back(module, inputs, output):
    rows(output)[0, {to}] = kept[module]


def p(prompt, hook=None):
    hooks = [module.register_forward_hook(hook) for module in modules if hook]
    with torch.no_grad():
        logits = model(torch.tensor([prompt])).logits[0, -1]
    for handle in hooks:
        handle.remove()
    return logits.softmax(-1)[answer].item()


found = {{"clean": p(clean, keep), "corrupted": p(corrupted), "put back": p(corrupted, put_back)}}
for run, value in found.items():
    print(f"{{run:>9}}  {{value:<11.6g}}  Engram {{engram[run]:<11.6g}}  difference {{value - engram[run]:+.1e}}")"#,
            answer = quoted(&literal(answer.0)),
            answer_id = answer.1,
            corrupted = quoted(&literal(corrupted)),
            clean = quoted(&literal(clean)),
            what = self.what(),
            device = quoted(device),
            clean_ids = ids(clean_ids),
            corrupted_ids = ids(corrupted_ids),
            p_clean = number(*p_clean),
            p_corrupted = number(*p_corrupted),
            p_restored = number(*p_restored),
            open = source.open(),
            blocks = source.blocks(),
            module = source.module(self.site),
            first = self.layers.start(),
            end = self.layers.end() + 1,
        )
    }
}
