//! The clean residual stream at the patch positions: all that a second pass needs of the clean prompt.

use super::TokenizedFact;
use super::cells::{Group, positions};
use crate::error::Result;
use crate::load::Model;
use crate::model::Site;
use crate::record::PatchPosition;
use crate::run::{ActivationCache, Prompt, Sites};
use crate::tensor::Matrix;

/// A fact's clean residual stream after every layer, at each of its patch positions: `L` rows a position.
#[derive(Debug, Clone, PartialEq)]
pub struct CleanStates {
    positions: Vec<PatchPosition>,
    rows: Matrix,
}

impl CleanStates {
    /// Bytes of the states of a model's facts, at most so many positions each.
    pub fn bytes(model: &Model, facts: usize, positions: usize) -> u64 {
        let numbers = [model.layers(), model.net.shape.width, positions, facts];
        numbers.iter().fold(4, |bytes, &n| bytes.saturating_mul(n as u64))
    }

    /// The state after a layer, where the position exists.
    pub(super) fn at(&self, position: PatchPosition, layer: usize) -> Option<&[f32]> {
        let place = self.positions.iter().position(|&known| known == position)?;
        let layers = self.rows.rows() / self.positions.len();
        Some(self.rows.row(place * layers + layer - 1))
    }
}

/// The states of a captured group's facts.
///
/// # Errors
/// When the device fails.
pub async fn clean_states(
    model: &Model,
    facts: &[&TokenizedFact],
    group: &Group,
    wanted: &[PatchPosition],
) -> Result<Vec<CleanStates>> {
    let prompts: Vec<usize> = group.places.iter().map(|place| place.clean).collect();
    states(model, facts, &group.cache, &prompts, wanted).await
}

/// The states of facts whose prompts are not captured any more: the clean prompts run once again.
///
/// # Errors
/// As [`super::capture_facts`].
pub async fn clean_states_of(
    model: &Model,
    facts: &[&TokenizedFact],
    wanted: &[PatchPosition],
) -> Result<Vec<CleanStates>> {
    let prompts: Vec<Prompt> = facts.iter().map(|fact| Prompt::plain(&fact.clean)).collect();
    let keep = Sites::end().with(Site::Residual, 1..=model.layers());
    let cache = model.edited().capture(&prompts, &Matrix::default(), &keep).await?;
    let prompts: Vec<usize> = (0..facts.len()).collect();
    states(model, facts, &cache, &prompts, wanted).await
}

async fn states(
    model: &Model,
    facts: &[&TokenizedFact],
    cache: &ActivationCache,
    prompts: &[usize],
    wanted: &[PatchPosition],
) -> Result<Vec<CleanStates>> {
    let mut states = Vec::with_capacity(facts.len());
    for (fact, &prompt) in facts.iter().zip(prompts) {
        let found = wanted.iter().filter_map(|&position| Some((position, positions(fact, position)?.0)));
        let (known, at): (Vec<PatchPosition>, Vec<usize>) = found.unzip();
        let at: Vec<(usize, usize)> = at.into_iter().map(|position| (prompt, position)).collect();
        let rows = cache.stack(Site::Residual, 1..=model.layers(), &at).await?;
        states.push(CleanStates { positions: known, rows });
    }
    Ok(states)
}
