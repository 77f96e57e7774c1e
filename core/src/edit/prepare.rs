//! What methods need before they can edit: context prefixes, and second moments of the layers' keys.

use super::contexts::contexts;
use crate::error::Result;
use crate::load::Model;
use crate::record::{EditMethod, EditSettings};
use crate::second_moment::{OnTokens, keys_of};
use std::collections::BTreeSet;

/// Fills in what settings leave to the model: contexts are drawn, the text of the second moment is named.
///
/// # Errors
/// When a method needs a text and there is none, or the device fails.
pub async fn complete(model: &Model, settings: &mut EditSettings, seed: u64) -> Result<()> {
    let width = model.net.shape.ff as f32;
    for method in &mut settings.methods {
        match method {
            // In models of any size the share that one fact stores is then about the published one.
            EditMethod::Memit(memit) if memit.lambda == 0.0 => memit.lambda = width,
            // A normalised key's squared length is about its width.
            EditMethod::UltraEdit(ultra) if ultra.lr == 0.0 => ultra.lr = 1.0 / width,
            _ => {}
        }
    }
    if settings.needs_second_moment() {
        let text = model.second_moments.text_for(&settings.second_moment)?;
        settings.second_moment.keys = keys_of(&settings.second_moment, model.net.shape.ff);
        settings.second_moment.text.clone_from(&text.name);
        settings.second_moment.sha256.clone_from(&text.sha256);
        settings.second_moment.window = settings.second_moment.window.min(model.net.shape.positions);
        model.second_moments.check(model.edited(), &model.tokens, &settings.second_moment)?;
    }
    // Perplexity is taken over the end of the same text.
    if settings.sequence > 0
        && let Some(text) = &model.second_moments.text
    {
        settings.second_moment.keys = keys_of(&settings.second_moment, model.net.shape.ff);
        settings.second_moment.text.clone_from(&text.name);
        settings.second_moment.sha256.clone_from(&text.sha256);
        settings.second_moment.window = settings.second_moment.window.min(model.net.shape.positions);
    }
    if settings.needs_contexts() && settings.contexts.is_empty() {
        settings.contexts = contexts(model, seed).await?;
    }
    Ok(())
}

/// Makes ready what the methods need to edit these layers.
///
/// # Errors
/// As [`crate::second_moment::SecondMoments::prepare`].
pub async fn prepare(
    model: &mut Model,
    settings: &EditSettings,
    layers: &BTreeSet<usize>,
    told: OnTokens<'_>,
) -> Result<()> {
    if !settings.needs_second_moment() {
        return Ok(());
    }
    let spread = settings.methods.iter().filter(|method| method.needs_second_moment()).map(EditMethod::layers).max();
    let below = |&layer: &usize| (layer + 1).saturating_sub(spread.unwrap_or(1)).max(1)..=layer;
    let layers: BTreeSet<usize> = layers.iter().flat_map(below).collect();
    let mut moments = std::mem::take(&mut model.second_moments);
    let of = (&*model.tokens, model.info.weights_sha256.as_str());
    let done = moments.prepare(model.edited(), of, &settings.second_moment, &layers, told).await;
    model.second_moments = moments;
    done
}
