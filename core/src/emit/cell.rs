//! One cell of a causal trace: of its maps, or of a single head or neuron.

use super::fact::{AFTER, BEFORE, FactText, compared, keep_and_put_back, run_with};
use crate::protocol::MapSite;
use crate::record::Unit;
use std::ops::{Range, RangeInclusive};

/// What is put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutBack {
    /// What a map puts back.
    Map {
        /// Which map.
        site: MapSite,
        /// Of which layers, from 1.
        layers: RangeInclusive<usize>,
    },
    /// The output of a single head or neuron.
    Unit {
        /// Which.
        unit: Unit,
        /// Its number within its layer, from 0.
        number: usize,
        /// Its layer, from 1.
        layer: usize,
        /// Its columns of what the projection after it reads.
        columns: Range<usize>,
    },
}

/// A cell: activations of the clean run that are put back into the corrupted run, and the answer's probability then.
#[derive(Debug, Clone, PartialEq)]
pub struct CellScript<'a> {
    /// The fact.
    pub fact: FactText<'a>,
    /// What is put back.
    pub put_back: PutBack,
    /// The position in the clean prompt, and the one in the corrupted prompt.
    pub positions: [usize; 2],
    /// The answer's probability in the clean run, in the corrupted run, and with the cell put back.
    pub p: [f32; 3],
}

impl CellScript<'_> {
    /// What is put back, in words.
    fn what(&self) -> String {
        match &self.put_back {
            PutBack::Map { site, layers } => {
                let (first, last) = (layers.start(), layers.end());
                match (site, first == last) {
                    (MapSite::Residual, _) => format!("the residual stream after layer {last}"),
                    (MapSite::Mlp, true) => format!("the MLP output of layer {last}"),
                    (MapSite::Mlp, false) => format!("the MLP outputs of layers {first} to {last}"),
                    (MapSite::Attention, true) => format!("the attention output of layer {last}"),
                    (MapSite::Attention, false) => format!("the attention outputs of layers {first} to {last}"),
                }
            }
            PutBack::Unit { unit, number, layer, .. } => {
                format!("the output of {} {number} of layer {layer}", unit.name())
            }
        }
    }

    /// The modules that are changed, and the hooks that change them.
    fn hooks(&self) -> String {
        let source = &self.fact.source;
        let blocks = source.blocks();
        match &self.put_back {
            PutBack::Map { site, layers } => format!(
                "modules = [{blocks}[layer - 1]{module} for layer in range({first}, {end})]\n{hooks}\n\n\n{run}",
                module = source.module(*site),
                first = layers.start(),
                end = layers.end() + 1,
                hooks = keep_and_put_back(self.positions),
                run = run_with(AFTER),
            ),
            PutBack::Unit { unit, number, layer, columns } => {
                let [from, to] = self.positions;
                format!(
                    "\
# What this projection reads has the {unit}s' outputs side by side.
modules = [{blocks}[{layer} - 1].{reader}]
columns = slice({start}, {end})  # {unit} {number}
kept = {{}}


def keep(module, inputs):
    kept[module] = inputs[0][0, {from}, columns].clone()


def put_back(module, inputs):
    inputs[0][0, {to}, columns] = kept[module]


{run}",
                    unit = unit.name(),
                    reader = source.reader(*unit),
                    start = columns.start,
                    end = columns.end,
                    run = run_with(BEFORE),
                )
            }
        }
    }

    /// The script.
    pub fn text(&self) -> String {
        let Self { fact, p: [clean, corrupted, put_back], .. } = self;
        let counted = match &self.put_back {
            PutBack::Map { .. } => "tokens".to_owned(),
            PutBack::Unit { unit, .. } => format!("tokens and {}s", unit.name()),
        };
        let p = [("clean", *clean), ("corrupted", *corrupted), ("put back", *put_back)];
        format!(
            r#"{said}
{given}
{hooks}


found = {{
    "clean": p(clean, dict.fromkeys(modules, keep)),
    "corrupted": p(corrupted, {{}}),
    "put back": p(corrupted, dict.fromkeys(modules, put_back)),
}}
{compared}"#,
            said = fact.put_back(&self.what(), self.positions, &counted),
            given = fact.given(true, &p.map(|(run, p)| (run, f64::from(p)))),
            hooks = self.hooks(),
            compared = compared(9),
        )
    }
}
