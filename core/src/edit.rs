//! Stage 3: rewriting facts (METHODS, section 4). An [`editor`] turns facts and layers into an overlay on the weights: it
//! says what a search minimises ([`objective`]), which search does it ([`solve`]), and which change of which matrix stores
//! what was found ([`rank_one`]); [`editors`] has one file for each. [`prepare()`] makes ready what they need of the model.
//! [`measure()`] reads what an overlay does, [`saved`] is changes as files. Nothing here changes a model.

mod around;
mod contexts;
mod editor;
mod editors;
mod fluency;
mod measure;
mod objective;
mod prepare;
mod probes;
mod rank_one;
mod retrace;
mod rewriting;
mod saved;
mod sequence;
mod size;
mod solve;

pub use around::{alike, known, known_fact, own_layer, unrelated};
pub use contexts::contexts;
pub use editor::{EditBatch, EditTarget, Evidence, OnStep, Solved, Step, solve};
pub use measure::{MeasuredEdit, measure};
pub use prepare::{complete, prepare};
pub use rank_one::RankOne;
pub use retrace::{Retracer, Unedited};
pub use saved::{
    Adapter, Base, Change, Changed, Format, adapter, delta, full_rank, read_adapter, read_delta, refuse_dense, renamed,
};
pub use sequence::{Changes, PastKeys, perplexity, step_of, text_end, untouched};
pub use size::{at_once, size_of};

use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::load::Model;
use crate::model::Site;
use crate::names;
use crate::record::Settings;
use crate::trace::{TokenizedFact, tokenize};

/// One edit alone, searched and measured.
///
/// # Errors
/// As [`EditBatch::capture`], [`solve`] and [`measure()`]; and when there is no edit.
pub async fn edit_one(
    model: &Model,
    target: &EditTarget<'_>,
    settings: &Settings,
    told: OnStep<'_>,
) -> Result<MeasuredEdit> {
    let batch = EditBatch::capture(model, std::slice::from_ref(target)).await?;
    let solved = solve(&batch, &settings.edit.method(), settings, told).await?;
    if let Some(failed) = solved.iter().flat_map(|one| &one.evidence).find_map(|evidence| evidence.failed.as_ref()) {
        return Err(Error::numeric(failed).hint("choose another layer with --layer").in_page("choose another layer"));
    }
    only(&batch, &solved, settings).await
}

/// A change that was read from a file, measured around a fact; nothing is searched. The layer in its record is the one that it
/// changes most, whichever `target` names.
///
/// # Errors
/// As [`EditBatch::capture`] and [`measure()`].
pub async fn edit_saved(
    model: &Model,
    target: &EditTarget<'_>,
    change: &Change,
    settings: &Settings,
) -> Result<MeasuredEdit> {
    let (tensor, relative_norm) = size_of(model, &change.overlay).await?;
    let (layer, _) = names::layer_of(&tensor).expect("maps of blocks name their layers");
    let target = EditTarget { layer, ..target.clone() };
    let batch = EditBatch::capture(model, std::slice::from_ref(&target)).await?;
    let (key, value) = (batch.at_subject(0, Site::MlpKey).await?, batch.at_subject(0, Site::MlpValue).await?);
    let relative_change = match model.net.down(layer).tensor == tensor {
        true => rank_one::moved(&change.overlay, &tensor, &key) / rank_one::norm(&value).max(f64::MIN_POSITIVE),
        // The layer's MLP is changed elsewhere than in its last map.
        false => 0.0,
    };
    let evidence =
        Evidence { seed: settings.seed, relative_change: relative_change as f32, relative_norm, ..Evidence::default() };
    let solved =
        [Solved { targets: vec![0], overlay: change.overlay.clone(), evidence: vec![evidence], ..Solved::default() }];
    only(&batch, &solved, settings).await
}

/// The only edit of a batch, measured.
async fn only(batch: &EditBatch<'_>, solved: &[Solved], settings: &Settings) -> Result<MeasuredEdit> {
    let mut measured = None;
    let mut take = |edit| {
        measured = Some(edit);
        Ok(())
    };
    measure(batch, (0, solved), settings, &mut take).await?;
    Ok(measured.expect("one target, one edit"))
}

/// A fact's tokens, or an error that says why it cannot be edited.
pub fn tokens_of(model: &Model, fact: &Fact, settings: &Settings) -> Result<TokenizedFact> {
    tokenize(model, fact, settings)?.map_err(|dropped| dropped.refusal("edited").at(format!("{:?}", fact.prompt())))
}
