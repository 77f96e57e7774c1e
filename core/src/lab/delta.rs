//! Rank-one edits as a safetensors file.

use super::Lab;
use crate::edit::Update;
use crate::error::{Error, Result};
use crate::record::ModelInfo;
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::collections::HashMap;

/// A vector as safetensors wants it.
struct Floats {
    shape: [usize; 1],
    bytes: Vec<u8>,
}

impl Floats {
    fn new(values: &[f32]) -> Self {
        Self { shape: [values.len()], bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }
}

impl View for Floats {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        (&self.bytes).into()
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// `u` and `k` of each edit, `W' = W + u kᵀ` in the layout `[out, in]`. One edit gives the tensors `NAME.u` and `NAME.k`;
/// of several each has its place, from 1, behind: `NAME.u.1`. They are applied in this order.
///
/// # Errors
/// When there is no edit, or safetensors refuses them.
pub fn delta<'a>(model: &ModelInfo, updates: impl Iterator<Item = &'a Update>) -> Result<Vec<u8>> {
    let updates: Vec<&Update> = updates.collect();
    let Some(first) = updates.first() else {
        return Err(Error::input("no edit is in force").hint("edit a fact first"));
    };
    let mut tensors = Vec::new();
    for (at, update) in updates.iter().enumerate() {
        let place = if updates.len() == 1 { String::new() } else { format!(".{}", at + 1) };
        tensors.push((format!("{}.u{place}", update.tensor), Floats::new(&update.u)));
        tensors.push((format!("{}.k{place}", update.tensor), Floats::new(&update.k)));
    }
    let layers: Vec<String> = updates.iter().map(|update| update.layer.to_string()).collect();
    let metadata: HashMap<String, String> = [
        ("format", "engram-rank-one-delta"),
        ("formula", "W' = W + outer(u, k), W in the layout [out, in]"),
        ("tensor", first.tensor.as_str()),
        ("layer", &layers.join(",")),
        ("model", &model.name),
        ("weights_sha256", &model.weights_sha256),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect();
    safetensors::serialize(tensors, Some(metadata)).map_err(|error| Error::io(format!("the delta: {error}")))
}

impl Lab {
    /// The edits in force as one safetensors file.
    ///
    /// # Errors
    /// When there are none.
    pub fn delta(&self) -> Result<Vec<u8>> {
        delta(&self.model().info, self.edits.updates())
    }
}
