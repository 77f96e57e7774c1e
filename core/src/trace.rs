//! Stage 1 for a group of facts: tokens and filters, sufficiency, necessity, maps, redundancy (METHODS, sections 1 and 2).
//! Everything is a batch of patched runs on one activation cache; see [`crate::run`].

mod cell;
mod cells;
mod clean;
mod forward;
mod lens;
mod maps;
mod next;
mod noise;
mod number;
mod one;
mod redundancy;
mod screen;
mod tokenize;
mod units;
mod windows;

pub use cell::{Cell, CellName, CellPlace, CellSite, cell_of};
pub use cells::{Group, capture_facts, capture_with, stage1, stage1_of};
pub use clean::{CleanStates, clean_states, clean_states_of};
pub use forward::{AfterLayer, after_layers};
pub use lens::lens;
pub use maps::{MapRow, maps};
pub use next::{Run, next_tokens};
pub use noise::measure_sigma;
pub use number::Number;
pub use one::{Extras, OneFact, Part, SecondPass, trace_one};
pub use redundancy::{own_blocks, redundancy};
pub use screen::{Screened, Screening, screen};
pub use tokenize::{TokenizedFact, tokenize};
pub use units::{Units, units};
pub use windows::mlp_windows;

use crate::error::Result;
use crate::load::Model;
use crate::record::Answer;
use crate::run::{Edited, PatchedRun, Read, Readout, Request};

/// An answer after a prompt: the tokens to force, and where to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The prompt's tokens, then all but the last answer token when a sequence is read.
    pub ids: Vec<u32>,
    /// One read, or one for each answer token.
    pub reads: Vec<Read>,
}

impl Asked {
    /// `answer` after `prompt`; with `first-token` also reads `others` at the same position.
    pub fn new(prompt: &[u32], answer: &[u32], others: &[u32], mode: Answer) -> Self {
        let last = prompt.len() - 1;
        let n = match mode {
            Answer::FirstToken => 1,
            Answer::Sequence => answer.len(),
        };
        let ids = prompt.iter().chain(&answer[..n - 1]).copied().collect();
        let reads = (0..n)
            .map(|i| {
                let others = if i == 0 { others } else { &[] };
                Read { position: last + i, tokens: std::iter::once(answer[i]).chain(others.iter().copied()).collect() }
            })
            .collect();
        Self { ids, reads }
    }
}

/// The answer's probability: the first token's, or the geometric mean over the sequence.
pub fn score(readouts: &[Readout]) -> f32 {
    match readouts {
        [one] => one.p[0],
        many => {
            let logs: f64 = many.iter().map(|readout| f64::from(readout.p[0]).ln()).sum();
            (logs / many.len() as f64).exp() as f32
        }
    }
}

/// Patched runs of a group; halves the batch when the device runs out of memory.
async fn resume(model: &Model, group: &Group, runs: &[PatchedRun]) -> Result<Vec<Vec<Readout>>> {
    let request = &Request { runs, constants: &group.constants, overlays: &[] };
    let work = |plan| async move { Edited { plan, ..model.edited() }.resume(&group.cache, request).await };
    Ok(crate::run::with_halving(model.plan, work).await?.0)
}

/// Mean of the corrupted draws' scores, in order: runs come `draws` at a time.
fn mean_scores(readouts: &[Vec<Readout>], draws: usize) -> Vec<f32> {
    readouts
        .chunks(draws)
        .map(|cell| match cell {
            [one] => score(one),
            many => (many.iter().map(|r| f64::from(score(r))).sum::<f64>() / many.len() as f64) as f32,
        })
        .collect()
}
