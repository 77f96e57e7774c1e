//! Where a search for v* may start: at the value of a known fact of the same relation whose answer is the wanted one, of several
//! that with the nearest key. The paper suggests it for answers that are improbable to begin with.

use crate::edit::editor::EditBatch;
use crate::edit::rank_one::norm;
use crate::edit::tokens_of;
use crate::error::{Kind, Result};
use crate::model::Site;
use crate::record::Settings;
use crate::run::{Prompt, Sites};
use crate::tensor::Matrix;

/// Most facts that are looked at for one.
const MOST: usize = 16;

/// A known fact and its value.
#[derive(Debug, Clone)]
pub(in crate::edit) struct Neighbour {
    /// `order` of the fact.
    pub(in crate::edit) order: usize,
    /// The MLP's value at its subject's last token, `[d]`.
    pub(in crate::edit) value: Vec<f32>,
}

/// The neighbour of each target; `None` where no known fact has its new answer.
pub(super) async fn neighbours(batch: &EditBatch<'_>, settings: &Settings) -> Result<Vec<Option<Neighbour>>> {
    let mut found = Vec::with_capacity(batch.targets.len());
    for (at, target) in batch.targets.iter().enumerate() {
        let (mut prompts, mut places) = (Vec::new(), Vec::new());
        for (order, fact) in target.alike.iter().take(MOST) {
            match tokens_of(batch.model, fact, settings) {
                Ok(tokens) => {
                    // What follows the subject changes nothing there.
                    prompts.push(Prompt::plain(&tokens.clean[..tokens.span.end]));
                    places.push(*order);
                }
                Err(error) if error.kind == Kind::Input => {}
                Err(error) => return Err(error),
            }
        }
        if prompts.is_empty() {
            found.push(None);
            continue;
        }
        let layers = target.layer..=target.layer;
        let keep = Sites::end().with(Site::MlpKey, layers.clone()).with(Site::MlpValue, layers);
        let cache = batch.model.edited().capture(&prompts, &Matrix::default(), &keep).await?;
        let own = batch.at_subject(at, Site::MlpKey).await?;
        let mut best: Option<(f64, Neighbour)> = None;
        for (prompt, order) in places.into_iter().enumerate() {
            let s = prompts[prompt].ids.len() - 1;
            let key = cache.values(prompt, target.layer, Site::MlpKey, s..s + 1).await?.values;
            let near = cosine(&own, &key);
            if best.as_ref().is_none_or(|(most, _)| near > *most) {
                let value = cache.values(prompt, target.layer, Site::MlpValue, s..s + 1).await?.values;
                best = Some((near, Neighbour { order, value }));
            }
        }
        found.push(best.map(|(_, neighbour)| neighbour));
    }
    Ok(found)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    dot / (norm(a) * norm(b)).max(f64::MIN_POSITIVE)
}
