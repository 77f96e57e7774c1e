//! What can be asked of a run: prompts, changes of their activations, and what is read.

use crate::model::Site;
use std::ops::Range;

/// One change: at a layer (`1..=L`; 0 for the embedding), a site, a range of positions, some columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervention {
    /// Layer.
    pub layer: usize,
    /// Site.
    pub site: Site,
    /// Positions.
    pub positions: Range<usize>,
    /// Columns.
    pub columns: Columns,
    /// What becomes of them.
    pub change: Change,
}

/// Which numbers of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Columns {
    /// All of them.
    #[default]
    All,
    /// Some: neurons at [`Site::MlpKey`], dimensions of the stream.
    Range(Range<usize>),
    /// Those of one head, from 0: a query head at [`Site::Query`] and [`Site::Heads`], a key-value head, which serves
    /// several query heads, at [`Site::Key`] and [`Site::Value`].
    Head(usize),
}

/// What an intervention does. Several at one place are done in their order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// The numbers become zeros.
    Zero,
    /// They are multiplied.
    Scale(f32),
    /// They become the source's.
    Replace(Source),
    /// The source's are added.
    Add(Source),
}

/// Where the numbers of a [`Change`] come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Source {
    /// A captured prompt; the change's first position takes `position`, the next the next.
    Cached {
        /// Prompt of the cache.
        prompt: usize,
        /// Its position.
        position: usize,
        /// Layer and site that they are taken from; the change's own where there is none.
        at: Option<(usize, Site)>,
    },
    /// A row of the request's constants, the next position the next row. It is as wide as the site, or as the columns.
    Constant(usize),
    /// What an earlier run of the request has at the same layer and site, after its own changes there; the next position
    /// the next.
    Run {
        /// Its place in the request.
        run: usize,
        /// Its position.
        position: usize,
    },
}

impl Source {
    /// A captured position, at the change's own layer and site.
    pub fn cached(prompt: usize, position: usize) -> Self {
        Self::Cached { prompt, position, at: None }
    }
}

impl Intervention {
    /// A change of whole rows.
    pub fn new(layer: usize, site: Site, positions: Range<usize>, change: Change) -> Self {
        Self { layer, site, positions, columns: Columns::All, change }
    }

    /// Replaces one position by a captured one (activation patching).
    pub fn patch(layer: usize, site: Site, at: usize, prompt: usize, position: usize) -> Self {
        Self::new(layer, site, at..at + 1, Change::Replace(Source::cached(prompt, position)))
    }

    /// Zeroes positions (ablation).
    pub fn zero(layer: usize, site: Site, positions: Range<usize>) -> Self {
        Self::new(layer, site, positions, Change::Zero)
    }

    /// The same of some columns only.
    #[must_use]
    pub fn columns(self, columns: Columns) -> Self {
        Self { columns, ..self }
    }
}

/// A prompt that is captured from the embedding on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prompt {
    /// Tokens.
    pub ids: Vec<u32>,
    /// Changes; their numbers are constants, not captured.
    pub interventions: Vec<Intervention>,
}

impl Prompt {
    /// A prompt as it is.
    pub fn plain(ids: &[u32]) -> Self {
        Self { ids: ids.to_vec(), interventions: Vec::new() }
    }
}

/// A patched run: one of a cache's prompts again, changed. Changes that the prompt was captured with stay in force, before
/// the run's own at the same place.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PatchedRun {
    /// Prompt of the cache.
    pub prompt: usize,
    /// Changes.
    pub interventions: Vec<Intervention>,
    /// An overlay of the request that this run alone carries.
    pub overlay: Option<usize>,
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
