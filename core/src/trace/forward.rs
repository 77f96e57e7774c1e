//! The clean run, layer by layer: what the model would say if it were read there (logit lens), and what each head of the layer
//! attends to from the prompt's last token.

use super::OneFact;
use super::next::most;
use crate::error::Result;
use crate::load::Model;
use crate::model::Site;
use crate::run::Sites;

/// The clean run after a layer, at the prompt's last token.
#[derive(Debug, Clone, PartialEq)]
pub struct AfterLayer {
    /// The most probable next tokens with their probabilities, read from the residual stream after the layer.
    pub words: Vec<(u32, f32)>,
    /// For each head of the layer, its attention weights over the prompt's tokens: `[heads][tokens]`.
    pub attention: Vec<Vec<f32>>,
}

/// All layers of a fact's clean run, with the `top` most probable tokens of each.
///
/// # Errors
/// When the device fails, a number is none, or memory is short.
pub async fn after_layers(model: &Model, one: &OneFact, top: usize) -> Result<Vec<AfterLayer>> {
    let (edited, layers) = (model.edited(), model.layers());
    let place = &one.group.places[0];
    let (clean, last) = (one.group.cache.prompt(place.clean), place.asked.reads[0].position);
    // A trace has no use for queries, so they are computed here.
    let sites = Sites::to_resume().with(Site::Query, 1..=layers);
    let cache = edited.capture(&[clean], &one.group.constants, &sites).await?;
    let mut found = Vec::with_capacity(layers);
    for layer in 1..=layers {
        let logits = edited.lens_logits(&cache, 0, last, layer).await?;
        let pattern = edited.pattern(&cache, 0, layer).await?;
        let attention = pattern.iter().map(|head| head.row(last)[..=last].to_vec()).collect();
        found.push(AfterLayer { words: most(&[logits], top), attention });
    }
    Ok(found)
}
