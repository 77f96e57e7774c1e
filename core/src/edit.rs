//! Stage 3: rewriting facts (METHODS, section 4). An [`editor`] turns facts and layers into an overlay on the weights: it
//! says what a search minimises ([`objective`]), which search does it ([`solve`]), and which change of which matrix stores
//! what was found ([`rank_one`]). [`measure()`] reads what an overlay does. Nothing here changes a model.

mod around;
mod delta;
mod editor;
mod measure;
mod objective;
mod probes;
mod rank_one;
mod solve;

pub use around::{OwnLayer, known, known_fact, own_layer, unrelated};
pub use delta::delta;
pub use editor::{EditBatch, EditTarget, Evidence, OnStep, Solved, Step, solve};
pub use measure::{MeasuredEdit, measure};
pub use rank_one::RankOne;

use crate::error::Result;
use crate::facts::Fact;
use crate::load::Model;
use crate::record::Settings;
use crate::trace::{TokenizedFact, tokenize};

/// One edit alone, searched and measured.
///
/// # Errors
/// As [`EditBatch::capture`], [`solve`] and [`measure()`].
pub async fn edit_one(
    model: &Model,
    target: &EditTarget<'_>,
    settings: &Settings,
    told: OnStep<'_>,
) -> Result<MeasuredEdit> {
    let batch = EditBatch::capture(model, std::slice::from_ref(target)).await?;
    let solved = solve(&batch, settings, told).await?;
    let mut measured = None;
    let mut take = |edit| {
        measured = Some(edit);
        Ok(())
    };
    measure(&batch, &solved, settings, &mut take).await?;
    Ok(measured.expect("one target, one edit"))
}

/// A fact's tokens, or an error that says why it cannot be edited.
pub fn tokens_of(model: &Model, fact: &Fact, settings: &Settings) -> Result<TokenizedFact> {
    tokenize(model, fact, settings)?.map_err(|dropped| dropped.refusal("edited").at(format!("{:?}", fact.prompt())))
}
