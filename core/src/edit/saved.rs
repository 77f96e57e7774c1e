//! Changes of weights as files, out and in: Engram's own ([`delta()`]) and adapters of PEFT ([`adapter()`]). What is read is
//! either applied as a whole or not at all; what cannot be applied is named.

mod adapter;
mod config;
mod delta;
mod factors;
mod lora;
mod maps;

pub use adapter::{Adapter, Base, adapter, full_rank, refuse_dense};
pub use delta::{delta, read_delta};
pub use lora::read_adapter;
pub use maps::renamed;

use super::size::by_tensor;
use crate::error::{Error, Result};
use crate::names;
use crate::tensor::{Overlay, Term};
use maps::Map;
use serde::Serialize;
use std::collections::BTreeMap;

/// Parts that cannot be applied which are named; of more it is said how many there are.
const NAMED: usize = 5;

/// The kinds of files that hold changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Engram's own.
    Delta,
    /// A LoRA adapter of PEFT.
    Lora,
}

/// A change that was read from a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The kind of file.
    pub format: Format,
    /// The model that it says it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_for: Option<String>,
    /// SHA-256 of that model's weights, where the file says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_for_sha256: Option<String>,
    /// What it changes.
    pub tensors: Vec<Changed>,
    /// The change itself.
    #[serde(skip)]
    pub overlay: Overlay,
}

/// A tensor that a change is of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// Its name in the checkpoint.
    pub tensor: String,
    /// The layer that it is of, from 1.
    pub layer: usize,
    /// Rank-one terms that are added to it.
    pub rank: usize,
    /// What a LoRA's product was multiplied with (`alpha / r`, or `alpha / √r`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<f64>,
}

impl Change {
    fn of(
        format: Format,
        made_for: Option<String>,
        made_for_sha256: Option<String>,
        overlay: Overlay,
        scalings: &BTreeMap<String, f64>,
    ) -> Self {
        let changed = |term: Term| Changed {
            layer: names::layer_of(&term.tensor).map_or(0, |(layer, _)| layer),
            rank: term.u.len(),
            scaling: scalings.get(&term.tensor).copied(),
            tensor: term.tensor,
        };
        let tensors = by_tensor(&overlay.terms).into_iter().map(changed).collect();
        Self { format, made_for, made_for_sha256, tensors, overlay }
    }
}

/// What cannot be applied, in words.
#[derive(Debug, Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, problem: String) {
        self.0.push(problem);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A term of a map, where its factors fit.
    fn term(&mut self, map: &Map, u: Vec<Vec<f32>>, v: Vec<Vec<f32>>) -> Option<Term> {
        let [outs, ins] = [&u, &v].map(|rows| rows.first().map_or(0, Vec::len));
        let told = names::tensor(&map.tensor);
        if u.len() != v.len() {
            self.add(format!("the factors of {told} have ranks {} and {}", u.len(), v.len()));
        } else if [outs, ins] != [map.out, map.input] {
            let (out, input) = (map.out, map.input);
            self.add(format!(
                "the factors of {told} have {outs} outputs and {ins} inputs, the model's has {out} and {input}"
            ));
        } else {
            return Some(Term { tensor: map.tensor.clone(), u, v });
        }
        None
    }

    /// Ends with an error that names them, where there are any.
    fn end(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut named: Vec<String> = self.0.iter().take(NAMED).cloned().collect();
        named.extend(self.0.len().checked_sub(NAMED).filter(|more| *more > 0).map(|more| format!("and {more} more")));
        Err(Error::input(format!("nothing is applied, because a part cannot be: {}", named.join("; ")))
            .hint("only low-rank changes of linear maps within this model's own blocks can be applied"))
    }
}
