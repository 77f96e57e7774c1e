//! Edited weights as files: the rank-one factors alone, or a full copy of the model, one tensor in memory at a time.

use crate::render::progress::Progress;
use anyhow::{Context, Result};
use engram_core::edit::Update;
use engram_core::journal::write_atomic;
use engram_core::model::Model;
use engram_core::weights::{Checkpoint, StoredDtype, TensorInfo};
use engram_core::{Error, Kind};
use half::{bf16, f16};
use pollster::block_on;
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Writes `u` and `k` with `W' = W + u kᵀ` (in the layout `[out, in]`) as a safetensors file.
pub(super) fn delta(file: &Path, model: &Model, update: &Update) -> Result<()> {
    let bytes = engram_core::lab::delta(&model.info, std::iter::once(update))?;
    Ok(write_atomic(file, &bytes)?)
}

/// A tensor of the copy, read when it is written.
struct Lazy<'a> {
    info: &'a TensorInfo,
    checkpoint: &'a Checkpoint,
    /// The edited matrix as it is stored, in f32: rounding to bf16 would undo part of the edit.
    edited: Option<&'a [f32]>,
    failure: Rc<RefCell<Option<Error>>>,
    progress: &'a Progress,
    written: Rc<RefCell<u64>>,
}

impl Lazy<'_> {
    fn kind(&self) -> Dtype {
        match (self.edited, self.info.dtype) {
            (None, StoredDtype::F16) => Dtype::F16,
            (None, StoredDtype::BF16) => Dtype::BF16,
            _ => Dtype::F32,
        }
    }
}

impl View for Lazy<'_> {
    fn dtype(&self) -> Dtype {
        self.kind()
    }
    fn shape(&self) -> &[usize] {
        &self.info.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        *self.written.borrow_mut() += 1;
        self.progress.set(*self.written.borrow());
        let values = match self.edited {
            Some(values) => values.to_vec(),
            None => match block_on(self.checkpoint.read_f32(&self.info.name)) {
                Ok(values) => values,
                Err(error) => {
                    *self.failure.borrow_mut() = Some(error);
                    vec![0.0; self.info.elements()]
                }
            },
        };
        match self.kind() {
            Dtype::F16 => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
            Dtype::BF16 => values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
            _ => Cow::Owned(bytes(&values)),
        }
    }
    fn data_len(&self) -> usize {
        self.info.elements() * if self.kind() == Dtype::F32 { 4 } else { 2 }
    }
}

/// Writes a Hugging Face folder of the model as it now is, which differs from the checkpoint in one matrix.
pub(super) fn model(
    folder: &Path,
    model: &Model,
    checkpoint: &Checkpoint,
    source: &Path,
    tensor: &str,
    layer: usize,
    progress: &Progress,
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let data = model.decoder.down_proj(layer).stored().clone().into_data();
    let values = data.as_slice::<f32>().map_err(|error| Error::device(format!("{error:?}")))?;
    let failure = Rc::new(RefCell::new(None));
    let written = Rc::new(RefCell::new(0));
    let lazy = |info| Lazy {
        info,
        checkpoint,
        edited: (info.name == tensor).then_some(values),
        failure: failure.clone(),
        progress,
        written: written.clone(),
    };
    let tensors = checkpoint.tensors();
    progress.start("writing", "tensors", Some(tensors.len() as u64), 0);
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let partial = folder.join("model.safetensors.part");
    let views = tensors.values().map(|info| (info.name.clone(), lazy(info)));
    let result = safetensors::serialize_to_file(views, Some(metadata), &partial);
    progress.finish();
    if let Err(error) = result {
        let _ = std::fs::remove_file(&partial);
        return Err(Error::new(Kind::Io, format!("{}: {error}", folder.display()))
            .hint("is the disk full? nothing else was changed")
            .into());
    }
    if let Some(error) = failure.borrow_mut().take() {
        let _ = std::fs::remove_file(&partial);
        return Err(error.into());
    }
    std::fs::rename(&partial, folder.join("model.safetensors"))?;
    let config = serde_json::to_vec_pretty(&model.config)?;
    write_atomic(&folder.join("config.json"), &config)?;
    write_atomic(&folder.join("tokenizer.json"), checkpoint.tokenizer_json())?;
    let more = source.join("tokenizer_config.json");
    if more.is_file() {
        std::fs::copy(&more, folder.join("tokenizer_config.json"))?;
    }
    Ok(())
}
