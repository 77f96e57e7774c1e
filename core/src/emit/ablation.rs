//! Ablations: of one layer in the clean run, and of one block in the corrupted run with a clean state put back.

use super::fact::{AFTER, FactText, ROWS, ZERO, compared, keep_and_put_back, run_with};
use super::{literal, quoted};
use crate::protocol::MapSite;

/// A layer's three ablations in the clean run, and the indices that follow from them.
#[derive(Debug, Clone, PartialEq)]
pub struct AblationScript<'a> {
    /// The fact.
    pub fact: FactText<'a>,
    /// The layer, from 1.
    pub layer: usize,
    /// The answer's probability in the clean run, without the block, without its attention, and without its MLP.
    pub p: [f32; 4],
    /// Δ_nec of the block.
    pub necessity: f64,
    /// r_MLP of the layer.
    pub mlp_ratio: f64,
}

/// A cell of the second pass: one block ablated in the corrupted run, the clean state put back after another one.
#[derive(Debug, Clone, PartialEq)]
pub struct SecondPassScript<'a> {
    /// The fact.
    pub fact: FactText<'a>,
    /// The ablated block, from 1.
    pub ablated: usize,
    /// The layer after which the clean state is put back, from 1.
    pub layer: usize,
    /// The position in the clean prompt, and the one in the corrupted prompt.
    pub positions: [usize; 2],
    /// The answer's probability in the clean run, in the clean run without the block, in the corrupted run, and in the corrupted
    /// run without the block and with the clean state put back.
    pub p: [f32; 4],
}

/// The two modules of a layer whose outputs are added to the stream.
fn added(fact: &FactText<'_>, layer: usize) -> String {
    let source = &fact.source;
    let block = format!("{}[{layer} - 1]", source.blocks());
    let [attention, mlp] = [MapSite::Attention, MapSite::Mlp].map(|site| source.module(site));
    format!("attention, mlp = {block}{attention}, {block}{mlp}  # what layer {layer} adds to the stream")
}

impl AblationScript<'_> {
    /// The script.
    pub fn text(&self) -> String {
        let Self { fact, layer, p: [clean, block, attention, mlp], necessity, mlp_ratio } = self;
        let p = [("clean", clean), ("without block", block), ("without attention", attention), ("without MLP", mlp)];
        let mut engram: Vec<(&str, f64)> = p.into_iter().map(|(run, p)| (run, f64::from(*p))).collect();
        engram.extend([("necessity", *necessity), ("r_MLP", *mlp_ratio)]);
        format!(
            r#"# Numbers of Engram, computed again with PyTorch and transformers alone: p({answer}) after
#   {prompt}
# with what layer {layer} adds to the stream set to zero at every token: all of it (the block), its attention, its MLP.
# Layers count from 1. Engram computed on {device}.
{given}
{added}


{ROWS}


{ZERO}


{run}


found = {{
    "clean": p(clean, {{}}),
    "without block": p(clean, {{attention: zero, mlp: zero}}),
    "without attention": p(clean, {{attention: zero}}),
    "without MLP": p(clean, {{mlp: zero}}),
}}
lost = {{part: found["clean"] - found["without " + part] for part in ["block", "attention", "MLP"]}}
found["necessity"] = lost["block"]
found["r_MLP"] = abs(lost["MLP"]) / (abs(lost["attention"]) + abs(lost["MLP"]) + 1e-8)
{compared}"#,
            answer = quoted(&literal(fact.answer.0)),
            prompt = quoted(&literal(fact.prompts[0])),
            device = quoted(fact.device),
            given = fact.given(false, &engram),
            added = added(fact, *layer),
            run = run_with(AFTER),
            compared = compared(17),
        )
    }
}

impl SecondPassScript<'_> {
    /// The script.
    pub fn text(&self) -> String {
        let Self { fact, ablated, layer, positions, p: [clean, without, corrupted, put_back] } = self;
        let p = [("clean", clean), ("clean, ablated", without), ("corrupted", corrupted), ("put back", put_back)];
        let what = format!("block {ablated} ablated, and the residual stream after layer {layer}");
        format!(
            r#"{said}
{given}
block = {blocks}[{layer} - 1]
{added}
{hooks}


{ZERO}


{run}


ablated = {{attention: zero, mlp: zero}}
found = {{
    "clean": p(clean, {{block: keep}}),
    "clean, ablated": p(clean, ablated),
    "corrupted": p(corrupted, {{}}),
    "put back": p(corrupted, {{**ablated, block: put_back}}),
}}
{compared}"#,
            said = fact.put_back(&what, *positions, "tokens"),
            given = fact.given(true, &p.map(|(run, p)| (run, f64::from(*p)))),
            blocks = fact.source.blocks(),
            added = added(fact, *ablated),
            hooks = keep_and_put_back(*positions),
            run = run_with(AFTER),
            compared = compared(14),
        )
    }
}
