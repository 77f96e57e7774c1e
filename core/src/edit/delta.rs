//! Edits as a safetensors file of their factors.

use crate::error::{Error, Result};
use crate::names;
use crate::record::ModelInfo;
use crate::tensor::{Overlay, Term};
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::collections::HashMap;

/// Factors as safetensors wants them: `[n]` where there is one, `[rank, n]` where there are several.
struct Floats {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Floats {
    fn new(rows: &[Vec<f32>]) -> Self {
        let width = rows.first().map_or(0, Vec::len);
        let shape = if rows.len() == 1 { vec![width] } else { vec![rows.len(), width] };
        Self { shape, bytes: rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect() }
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

/// `u` and `k` of each term, `W' = W + u kᵀ` in the layout `[out, in]`. One term gives the tensors `NAME.u` and `NAME.k`;
/// of several each has its place, from 1, behind: `NAME.u.1`. They are applied in this order.
///
/// # Errors
/// When there is no edit, or safetensors refuses them.
pub fn delta<'a>(model: &ModelInfo, edits: impl IntoIterator<Item = &'a Overlay>) -> Result<Vec<u8>> {
    let terms: Vec<&Term> = edits.into_iter().flat_map(|edit| &edit.terms).collect();
    let Some(first) = terms.first() else {
        return Err(Error::input("no edit is in force").hint("edit a fact first"));
    };
    let mut tensors = Vec::new();
    for (at, term) in terms.iter().enumerate() {
        let place = if terms.len() == 1 { String::new() } else { format!(".{}", at + 1) };
        tensors.push((format!("{}.u{place}", term.tensor), Floats::new(&term.u)));
        tensors.push((format!("{}.k{place}", term.tensor), Floats::new(&term.v)));
    }
    let layer = |term: &&Term| names::layer_of(&term.tensor).map(|(layer, _)| layer.to_string());
    let layers: Vec<String> = terms.iter().filter_map(layer).collect();
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
