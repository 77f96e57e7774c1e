//! What a model writes about an edited subject: texts of its own, before and after (METHODS, section 4, GE).

use super::editor::{EditBatch, EditTarget};
use crate::error::{Kind, Result};
use crate::generate::sampled_on;
use crate::record::{Generation, Settings};
use crate::run::Edited;
use crate::tensor::Overlay;
use std::sync::PoisonError;

/// The next token is drawn from so many.
const TOP: usize = 5;

/// A target's generation prompts, continued by the model as it is and with the edit in force; the same draws both times. A prompt that
/// the model cannot take is left out.
pub(super) async fn generations(
    batch: &EditBatch<'_>,
    target: &EditTarget<'_>,
    overlay: &Overlay,
    settings: &Settings,
) -> Result<Vec<Generation>> {
    let (model, length) = (batch.model, settings.edit.fluency);
    let mut all = Vec::new();
    if length == 0 {
        return Ok(all);
    }
    let own = (!overlay.terms.is_empty()).then_some(overlay);
    let with: Vec<Overlay> = model.overlays.iter().chain(own).cloned().collect();
    for (at, prompt) in target.fact.generation.iter().enumerate() {
        let draws = (settings.seed, format!("{} {at}", target.tokens.id));
        let said = async |edited: Edited<'_>| sampled_on(model, edited, prompt, length, TOP, &draws).await;
        let place = (target.order, at);
        let known = batch.written.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
        let before = match known {
            Some(before) => before,
            None => match said(model.edited()).await {
                Ok(before) => before,
                Err(error) if error.kind == Kind::Input => continue,
                Err(error) => return Err(error),
            },
        };
        batch.written.lock().unwrap_or_else(PoisonError::into_inner).insert(place, before.clone());
        let after = match own {
            Some(_) => said(Edited { overlays: &with, ..model.edited() }).await?,
            None => before.clone(),
        };
        all.push(Generation { prompt: prompt.clone(), texts: [before, after] });
    }
    Ok(all)
}
