//! The run engine: capture a run, change it at named sites, resume it. This is the only place where activations are
//! read or changed.
//!
//! A change after block `l` at position `i` leaves blocks `<= l` and positions `< i` as they were. So a captured run
//! ([`Base`]) keeps residuals, contributions, keys and values of every block, and a [`Lane`] (one changed copy of one of
//! its prompts) recomputes only what the change can reach. Lanes of many facts, layers and positions share one batch of
//! rows that grows as their layers are reached. Every linear map sees packed rows `[rows, ·]` without padding.

mod attend;
mod capture;
mod check;
mod plan;
mod readout;
mod resume;
mod rows;

pub use capture::{Base, capture, predict};
pub(crate) use plan::row_bytes;
pub use plan::{Limits, with_halving};
pub(crate) use readout::{device_error, heard};
pub use readout::{logits_of, read_base};
pub use resume::resume;

use std::ops::Range;

/// A place in a block where an activation can be captured or changed, in the order of computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// What attention adds to the stream.
    Attention,
    /// The MLP's key: input of the down projection.
    Key,
    /// The MLP's value: output of the down projection.
    Value,
    /// What the MLP adds to the stream (in Gemma the normed value; elsewhere the value itself).
    Mlp,
    /// The residual stream after the block; at layer 0 the embedding.
    Residual,
}

impl Site {
    /// The field's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention contribution",
            Self::Key => "MLP key (down_proj input)",
            Self::Value => "MLP value (down_proj output)",
            Self::Mlp => "MLP contribution",
            Self::Residual => "residual stream",
        }
    }
}

/// Where the numbers of an [`Action`] come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Zeros.
    Zero,
    /// The same layer and site of a captured prompt; the action's first position takes `position`, the next the next.
    Captured {
        /// Prompt of the base run.
        prompt: usize,
        /// Its position.
        position: usize,
    },
    /// Row `n` of the matrix that the caller supplies, the next position the next row.
    Given(usize),
}

/// What an [`Action`] does with the numbers. Several actions at one place are done in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The activation becomes the source.
    Replace(Source),
    /// The source is added to the activation.
    Add(Source),
}

/// One change: at a layer (`1..=L`; 0 for the embedding), a site, a range of positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Layer.
    pub layer: usize,
    /// Site.
    pub site: Site,
    /// Positions.
    pub positions: Range<usize>,
    /// The change.
    pub op: Op,
}

impl Action {
    /// Replaces one position by a captured one.
    pub fn patch(layer: usize, site: Site, at: usize, prompt: usize, position: usize) -> Self {
        let op = Op::Replace(Source::Captured { prompt, position });
        Self { layer, site, positions: at..at + 1, op }
    }

    /// Zeroes positions.
    pub fn zero(layer: usize, site: Site, positions: Range<usize>) -> Self {
        Self { layer, site, positions, op: Op::Replace(Source::Zero) }
    }
}

/// A prompt of a run that is captured from the embedding on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prompt {
    /// Tokens.
    pub ids: Vec<u32>,
    /// The first `len` positions are those of an earlier prompt of the same run: `(prompt, len)`. Neither prompt may
    /// have an action there.
    pub shared: Option<(usize, usize)>,
    /// Changes; their numbers are zeros or given, not captured.
    pub actions: Vec<Action>,
}

/// A changed copy of one of a base run's prompts. Changes that the prompt was captured with stay in force, before the
/// lane's own at the same place.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Prompt of the base run.
    pub prompt: usize,
    /// Recompute every position from after this block on, although nothing was changed there: for models whose weights
    /// were changed above it.
    pub from: Option<usize>,
    /// Changes.
    pub actions: Vec<Action>,
    /// Predictions to read.
    pub reads: Vec<Read>,
}

/// A position whose prediction is wanted, and the tokens whose probabilities are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Position.
    pub position: usize,
    /// Tokens.
    pub tokens: Vec<u32>,
}

/// A prediction.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Readout {
    /// Probabilities of the wanted tokens: softmax over the whole vocabulary, in f32.
    pub p: Vec<f32>,
    /// Their logits.
    pub logits: Vec<f32>,
    /// The most probable token.
    pub top: u32,
}
