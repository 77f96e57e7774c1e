//! A model gone through without being loaded: every size of its configuration, every tensor's name and shape, and what
//! all of it would take. The families' own loading says what belongs to a model, so there is no second list of it.

use super::build;
use super::loader::{Loader, Tally};
use crate::error::Result;
use crate::weights::Checkpoint;
use burn::tensor::Device;
use serde_json::Value;

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Bytes of its tensors and position tables, as f32.
    pub bytes: u64,
    /// Bytes of the largest of them.
    pub largest: u64,
    /// Bytes of one row of a batch at the peak.
    pub row: u64,
}

/// Holds a configuration against a checkpoint, or only against what can be where there is none.
///
/// # Errors
/// As loading the model, but for what only its numbers show.
pub async fn survey(config: &Value, checkpoint: Option<&Checkpoint>) -> Result<Survey> {
    let (tally, device) = (Tally::default(), Device::flex());
    let decoder = build(config, &Loader::nowhere(checkpoint, &tally, &device, &|_, _| {})).await?;
    let shape = decoder.shape();
    Ok(Survey { bytes: tally.bytes.get(), largest: tally.largest.get(), row: crate::run::row_bytes(shape) })
}
