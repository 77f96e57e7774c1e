//! The factors of changes as tensors of a safetensors file, in and out.

use crate::error::{Error, Result};
use crate::names;
use crate::weights::StoredDtype;
use safetensors::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::HashMap;

/// Numbers as safetensors wants them.
pub(super) struct Floats {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Floats {
    /// A matrix.
    pub(super) fn matrix(rows: &[Vec<f32>]) -> Self {
        let shape = vec![rows.len(), rows.first().map_or(0, Vec::len)];
        Self { shape, bytes: rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect() }
    }

    /// A vector where there is one row, else a matrix.
    pub(super) fn rows(rows: &[Vec<f32>]) -> Self {
        let whole = Self::matrix(rows);
        if rows.len() == 1 { Self { shape: whole.shape[1..].to_vec(), ..whole } } else { whole }
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

/// A file of these tensors, with words about them.
///
/// # Errors
/// When safetensors refuses them.
pub(super) fn file(tensors: Vec<(String, Floats)>, about: &[(&str, &str)]) -> Result<Vec<u8>> {
    let about: HashMap<String, String> =
        about.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    safetensors::serialize(tensors, Some(about)).map_err(|error| Error::io(format!("the change: {error}")))
}

/// A file that was opened, and what it says of itself.
pub(super) struct Opened<'a> {
    pub(super) tensors: SafeTensors<'a>,
    pub(super) about: HashMap<String, String>,
}

/// Opens a file.
///
/// # Errors
/// When it is no safetensors file.
pub(super) fn open(bytes: &[u8]) -> Result<Opened<'_>> {
    let failed = |error: safetensors::SafeTensorError| {
        Error::input(format!("no safetensors file: {error}"))
            .hint("the file is damaged or of another kind: save it again")
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(failed)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(failed)?;
    Ok(Opened { tensors, about: metadata.metadata().clone().unwrap_or_default() })
}

impl Opened<'_> {
    /// A tensor's rows, a vector as one; or why it cannot be taken, in words.
    pub(super) fn rows(&self, name: &str) -> Result<Vec<Vec<f32>>, String> {
        let told = names::tensor(name);
        let view = self.tensors.tensor(name).map_err(|_| format!("{told} is missing"))?;
        let (rows, width) = match *view.shape() {
            [width] => (1, width),
            [rows, width] => (rows, width),
            _ => return Err(format!("{told} has shape {:?}, and a factor is a matrix", view.shape())),
        };
        if rows == 0 || width == 0 {
            return Err(format!("{told} is empty"));
        }
        let stored = match view.dtype() {
            Dtype::F32 => StoredDtype::F32,
            Dtype::F16 => StoredDtype::F16,
            Dtype::BF16 => StoredDtype::BF16,
            other => return Err(format!("{told} is stored as {other:?}; f32, f16 and bf16 can be read")),
        };
        let mut values = Vec::new();
        stored.decode(view.data(), &mut values);
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(format!("{told} holds {} at element {at}", values[at])),
            None => Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect()),
        }
    }
}

/// Rows as columns.
pub(super) fn transposed(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let width = rows.first().map_or(0, Vec::len);
    (0..width).map(|at| rows.iter().map(|row| row[at]).collect()).collect()
}
