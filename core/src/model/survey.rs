//! A model gone through without being loaded: every size of its configuration, every tensor's name and shape, and what
//! all of it would take. The families' own loading says what belongs to a model, so there is no second list of it.

use super::loader::{Loader, Tally};
use super::spec::Spec;
use super::{Transformer, assemble};
use crate::error::Result;
use crate::weights::Checkpoint;
use serde_json::Value;

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Bytes of its tensors and position tables, as f32.
    pub bytes: u64,
    /// Of these, bytes of matrices, which a device may hold in f16.
    pub matrices: u64,
    /// Bytes of the largest tensor.
    pub largest: u64,
    /// Bytes of the largest matrix that a device must bind whole: vocabulary tables are split where they have to be.
    pub whole: u64,
    /// Sizes.
    pub sizes: Sizes,
}

/// The sizes that decide how much is computed at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Blocks L.
    pub layers: usize,
    /// Vocabulary.
    pub vocab: usize,
    /// Numbers in the widest row of an activation.
    pub widest: usize,
    /// Bytes of one row of a batch at the peak.
    pub row: u64,
}

impl Sizes {
    /// Those of a model.
    pub fn of(net: &Transformer) -> Self {
        let shape = &net.shape;
        let heads = net.blocks.first().map_or(0, |block| block.heads.count * block.heads.dim);
        let widest = shape.ff.max(shape.width).max(heads).max(1);
        Self { layers: shape.layers, vocab: shape.vocab, widest, row: shape.row_bytes() }
    }
}

/// Whether the files have a head of their own though the config ties it to the embedding.
///
/// # Errors
/// When the files cannot be read.
pub async fn own_head(spec: &Spec, checkpoint: &Checkpoint) -> Result<bool> {
    let find = |ends: &[&str]| checkpoint.tensors().keys().find(|name| ends.iter().any(|end| name.ends_with(end)));
    match (find(&["lm_head.weight"]), find(&["embed_tokens.weight", "wte.weight"])) {
        (Some(head), Some(embedding)) if spec.tied => Ok(!checkpoint.same(head, embedding).await?),
        _ => Ok(false),
    }
}

/// Holds a configuration against a checkpoint, or only against what can be where there is none.
///
/// # Errors
/// As loading the model, but for what only its numbers show.
pub async fn survey(config: &Value, checkpoint: Option<&Checkpoint>) -> Result<Survey> {
    weigh(Spec::read(config)?, checkpoint).await
}

/// The same of a configuration that is understood already.
pub(crate) async fn weigh(spec: Spec, checkpoint: Option<&Checkpoint>) -> Result<Survey> {
    let tally = Tally::default();
    let net = assemble(spec, &Loader::nowhere(checkpoint, &tally, &|_, _| {})).await?;
    let Tally { bytes, matrices, largest, whole } = tally;
    let [bytes, matrices, largest, whole] = [bytes, matrices, largest, whole].map(|count| count.get());
    Ok(Survey { bytes, matrices, largest, whole, sizes: Sizes::of(&net) })
}
