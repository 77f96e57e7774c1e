//! Stage 3: rewriting facts with ROME's rank-one update, v* found by SPSA (METHODS, section 4).

mod apply;
mod around;
mod spsa;

pub use apply::{Update, measure, update};
pub use around::{OwnLayer, known, known_fact, own_layer, unrelated};
pub use spsa::{Step, Target, optimize};

use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::model::Model;
use crate::record::{EditRecord, Settings};
use crate::trace::{TokenizedFact, tokenize};

/// One edit to make.
#[derive(Debug, Clone)]
pub struct EditTarget<'a> {
    /// `order` of the fact in its record.
    pub order: usize,
    /// The fact.
    pub fact: &'a Fact,
    /// Its tokens ([`tokens_of`]).
    pub tokens: TokenizedFact,
    /// Block to edit, `1..=L`.
    pub layer: usize,
    /// Unrelated facts that are watched, with their orders.
    pub unrelated: Vec<(usize, &'a Fact)>,
}

/// An edit, measured.
pub struct MeasuredEdit {
    /// Its record.
    pub record: EditRecord,
    /// The rank-one factors.
    pub update: Update,
}

/// v* for all jobs in lock-step, as one batch a step; `progress` may stop it with an error.
pub async fn targets(
    model: &Model,
    jobs: &[EditTarget<'_>],
    settings: &Settings,
    progress: &mut dyn FnMut(Step<'_>) -> Result<()>,
) -> Result<Vec<Target>> {
    for job in jobs {
        if job.layer == 0 || job.layer > model.layers() {
            return Err(Error::input(format!("layer {} does not exist", job.layer))
                .hint(format!("layers are numbered 1 to {}", model.layers())));
        }
    }
    let facts: Vec<_> = jobs.iter().map(|job| (&job.tokens, job.layer)).collect();
    optimize(model, &facts, settings, progress).await
}

/// A fact's tokens, or an error that says why it cannot be edited.
pub fn tokens_of(model: &Model, fact: &Fact, settings: &Settings) -> Result<TokenizedFact> {
    tokenize(model, fact, settings)?.map_err(|dropped| dropped.refusal("edited").at(format!("{:?}", fact.prompt())))
}
