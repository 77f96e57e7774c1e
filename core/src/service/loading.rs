//! From what a page names to a model ready to run.

use super::{Host, Meter, Opened, Parts};
use crate::device::Compute;
use crate::error::{Error, Result};
use crate::load::fit::Place;
use crate::load::{Model, look};
use crate::memory::heap;
use crate::protocol::{Loaded, ModelRef};
use crate::record::Precision;
use crate::weights::Checkpoint;
use std::rc::Rc;
use web_time::Instant;

/// Loads a model, its matrices held in a precision.
///
/// # Errors
/// When it cannot be found, is damaged or not the one that its source names, does not fit, or the device fails.
pub(super) async fn load<H: Host>(
    host: &H,
    (model, beside): (&ModelRef, &H::Beside),
    compute: Compute,
    wanted: Option<Precision>,
    meter: &Rc<Meter>,
) -> Result<(Model, Loaded)> {
    let (start, before) = (Instant::now(), heap());
    let opened = host.open(model, beside, true, meter).await?;
    meter.begin(opened.here, opened.all);
    let Opened { name, parts, weights_sha256, tokenizer_sha256, kept, .. } = opened;
    let checkpoint = match parts {
        Parts::Sources(sources) => Checkpoint::from_sources(sources).await.map_err(|error| error.at(&name))?,
        Parts::Whole(checkpoint) => *checkpoint,
    };
    let counted = meter.clone();
    let progress = move |done: usize, of: usize| counted.loaded(done, of);
    let looked = look(&checkpoint).await.map_err(|error| error.at(&name))?;
    let (precision, precision_why) = looked.takes.choose(&Place::of(&compute), wanted);
    let compute = compute.holding(precision)?;
    let loaded = Model::load_looked(looked, &checkpoint, &name, compute, &progress).await;
    let mut loaded = loaded.map_err(|error| error.at(&name))?;
    let verified = weights_sha256.as_ref().map(|wanted| *wanted == loaded.info.weights_sha256);
    let other_tokenizer = tokenizer_sha256.is_some_and(|wanted| wanted != loaded.info.tokenizer_sha256);
    // Files of a kept copy are open until here.
    drop(checkpoint);
    if verified == Some(false) || other_tokenizer {
        if let Some(kept) = kept {
            kept.remove().await?;
        }
        let what = if other_tokenizer { "the tokenizer is not the one" } else { "the weights are not those" };
        return Err(Error::input(format!("{name}: {what} that the hub describes (SHA-256 differs)"))
            .hint("load it again: what was kept is deleted"));
    }
    if let Some(kept) = kept {
        kept.finished(verified).await?;
    }
    loaded.second_moments.store = host.second_moments();
    let shape = &loaded.net.shape;
    let told = Loaded {
        model: model.clone(),
        info: loaded.info.clone(),
        precision,
        precision_why,
        positions: shape.positions,
        vocabulary: shape.vocab,
        seconds: start.elapsed().as_secs_f64(),
        heap: [before, meter.peak(), heap()],
        verified,
        understood: loaded.understood(),
        notes: loaded.notes.clone(),
    };
    Ok((loaded, told))
}
