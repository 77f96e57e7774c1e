//! Edited weights as files: the edit's factors alone, or a full copy of the model, one tensor in memory at a time.

use super::saved::{ADAPTER_CONFIG, ADAPTER_WEIGHTS};
use crate::progress::Progress;
use anyhow::{Context, Result};
use engram_core::edit;
use engram_core::journal::{write_atomic, write_atomic_with};
use engram_core::load::Model;
use engram_core::tensor::Overlay;
use engram_core::weights::{Checkpoint, StoredDtype, TensorInfo};
use half::{bf16, f16};
use pollster::block_on;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo as Entry};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

/// Writes `u` and `k` with `W' = W + u kᵀ` (in the layout `[out, in]`) as a safetensors file.
pub(super) fn delta(file: &Path, model: &Model, edit: &Overlay) -> Result<()> {
    let bytes = edit::delta(&model.info, [edit])?;
    Ok(write_atomic(file, &bytes)?)
}

/// Writes an edit as a PEFT adapter. Its configuration goes last: without it no program takes the folder for an adapter.
pub(super) fn lora(folder: &Path, model: &Model, base: &edit::Base, edit: &Overlay) -> Result<()> {
    let adapter = edit::adapter(model, base, [edit])?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    write_atomic(&folder.join(ADAPTER_WEIGHTS), &adapter.weights)?;
    Ok(write_atomic(&folder.join(ADAPTER_CONFIG), &adapter.config)?)
}

/// How a tensor is stored in the copy: as in the checkpoint where safetensors can, but an edited matrix in f32, for
/// rounding it to bf16 would undo part of the edit.
fn kind(info: &TensorInfo, edited: bool) -> Dtype {
    match (edited, info.dtype) {
        (false, StoredDtype::F16) => Dtype::F16,
        (false, StoredDtype::BF16) => Dtype::BF16,
        _ => Dtype::F32,
    }
}

fn bytes(values: &[f32], kind: Dtype) -> Vec<u8> {
    match kind {
        Dtype::F16 => values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        Dtype::BF16 => values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

/// What stands before the tensors in a file: the length of the header, and the header, filled up to whole words.
fn header(tensors: &[(&TensorInfo, Dtype)]) -> io::Result<Vec<u8>> {
    let mut end = 0;
    let entry = |&(info, dtype): &(&TensorInfo, Dtype)| {
        let begin = end;
        end += info.elements() * dtype.bitsize() / 8;
        (info.name.clone(), Entry { dtype, shape: info.shape.clone(), data_offsets: (begin, end) })
    };
    let entries = tensors.iter().map(entry).collect();
    let about = HashMap::from([("format".to_string(), "pt".to_string())]);
    let metadata = Metadata::new(Some(about), entries).map_err(io::Error::other)?;
    let mut json = serde_json::to_vec(&metadata)?;
    json.resize(json.len().next_multiple_of(8), b' ');
    Ok([&(json.len() as u64).to_le_bytes(), json.as_slice()].concat())
}

/// An edited tensor in the checkpoint's layout: the sum in f64, rounded once.
fn merged(model: &Model, mut values: Vec<f32>, tensor: &str, edit: &Overlay) -> Vec<f32> {
    let mut maps = model.net.blocks.iter().flat_map(|block| block.maps());
    let (_, map) = maps.find(|(_, map)| map.tensor == tensor).expect("an edit is of the model's own tensors");
    let (transposed, input) = (map.transposed, map.input);
    let out = values.len() / input;
    let terms: Vec<_> = edit.terms.iter().filter(|term| term.tensor == tensor).collect();
    for (at, w) in values.iter_mut().enumerate() {
        let (o, i) = if transposed { (at % out, at / out) } else { (at / input, at % input) };
        let factors = terms.iter().flat_map(|term| term.u.iter().zip(&term.v));
        let added: f64 = factors.map(|(u, v)| f64::from(u[o]) * f64::from(v[i])).sum();
        *w = (f64::from(*w) + added) as f32;
    }
    values
}

/// Writes a Hugging Face folder of the model with an edit merged into its weights.
pub(super) fn model(
    folder: &Path,
    model: &Model,
    checkpoint: &Checkpoint,
    source: &Path,
    edit: &Overlay,
    progress: &Progress,
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let edited = |name: &str| edit.terms.iter().any(|term| term.tensor == name);
    let mut tensors: Vec<_> =
        checkpoint.tensors().values().map(|info| (info, kind(info, edited(&info.name)))).collect();
    // The widest first, as the format wants it, so that every value stands at a multiple of its size.
    tensors.sort_by_key(|(info, kind)| (std::cmp::Reverse(kind.bitsize()), &info.name));
    progress.start("writing", "tensors", Some(tensors.len() as u64), 0);
    let written = write_atomic_with(&folder.join("model.safetensors"), |file| {
        file.write_all(&header(&tensors)?)?;
        for (at, (info, kind)) in tensors.iter().enumerate() {
            let mut values = block_on(checkpoint.read_f32(&info.name)).map_err(io::Error::other)?;
            if edited(&info.name) {
                values = merged(model, values, &info.name, edit);
            }
            file.write_all(&bytes(&values, *kind))?;
            progress.set(at as u64 + 1);
        }
        Ok(())
    });
    progress.finish();
    written?;
    let mut config = model.config.clone();
    if model.own_head {
        // Programs that believe config.json would leave the head out.
        config["tie_word_embeddings"] = false.into();
    }
    let config = serde_json::to_vec_pretty(&config)?;
    write_atomic(&folder.join("config.json"), &config)?;
    let tokenizer = model.tokens.complete_json(checkpoint.tokenizer_json())?;
    write_atomic(&folder.join("tokenizer.json"), tokenizer.as_deref().unwrap_or(checkpoint.tokenizer_json()))?;
    let more = source.join("tokenizer_config.json");
    if more.is_file() {
        let bytes = std::fs::read(&more).with_context(|| more.display().to_string())?;
        write_atomic(&folder.join("tokenizer_config.json"), &bytes)?;
    }
    Ok(())
}
