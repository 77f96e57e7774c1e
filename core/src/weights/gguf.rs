//! GGUF files: one file with metadata and, mostly, quantised tensors.

use crate::names::tensor;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

use super::gguf_config::{Keys, config};
use super::gguf_header::{self, Header, Meta, RawTensor};
use super::gguf_names::Arch;
use super::gguf_vocab;
use super::read::bytes_of;
use super::source::{PIECE, hex};
use super::{ByteSource, Found, Located, Place, StoredDtype, TensorInfo, View};

const EMBEDDING: &str = "token_embd.weight";
const OUTPUT: &str = "output.weight";
/// Llama 3's divisors of the rotary frequencies. Their place in the model's folder is config.json.
const FREQUENCIES: &str = "rope_freqs.weight";
/// More divisors than any head has.
const MOST_FREQUENCIES: u64 = 4 * 8192;
const CONTRADICTS: &str = "the file is damaged, or its metadata belongs to another model";

/// Reads the header and finds every tensor under its checkpoint name.
pub(super) async fn find(sources: &[Box<dyn ByteSource>], at: usize) -> Result<Found> {
    let source = &*sources[at];
    let header = gguf_header::read(source).await?;
    let arch = architecture(source.name(), &header)?;
    let raw = |name: &str| header.tensors.iter().find(|raw| raw.name == name);
    let tied = match (raw(EMBEDDING), raw(OUTPUT)) {
        (Some(embedding), Some(output)) => same(source, embedding, output).await?,
        _ => true,
    };
    let keys = Keys { file: source.name(), arch, header: &header };
    let divisors = match raw(FREQUENCIES) {
        Some(raw) => Some(floats(source, raw).await?),
        None => None,
    };
    let config = config(&keys, tied, divisors.as_deref())?;
    let (heads, kv_heads) = keys.heads()?;
    let mut tensors = Vec::new();
    for raw in header.tensors.iter().filter(|raw| !(tied && raw.name == OUTPUT || raw.name == FREQUENCIES)) {
        if arch.splits(&raw.name) {
            tensors.extend(split(source.name(), at, arch, raw, (heads, kv_heads))?);
        } else {
            tensors.push(locate(source.name(), at, arch, raw, (heads, kv_heads))?);
        }
    }
    // Sorted keys make the text, and so its hash, canonical.
    let config_sha256 = hex(&Sha256::digest(config.to_string()));
    let special = Some(keys.special());
    let vocabulary = Some(gguf_vocab::places(source.name(), &header.metadata));
    Ok(Found {
        config,
        config_sha256,
        tensors,
        unreadable: BTreeMap::new(),
        weights: vec![at],
        special,
        vocabulary,
        notes: Vec::new(),
    })
}

/// A small tensor of f32.
async fn floats(source: &dyn ByteSource, raw: &RawTensor) -> Result<Vec<f32>> {
    if raw.dtype != StoredDtype::F32 || raw.bytes > MOST_FREQUENCIES {
        return Err(Error::input(format!("{}: tensor {} is no short list of f32", source.name(), tensor(&raw.name)))
            .hint(CONTRADICTS));
    }
    let bytes = source.read(raw.offset, raw.bytes as usize).await?;
    let (values, _) = bytes.as_chunks::<4>();
    Ok(values.iter().map(|value| f32::from_le_bytes(*value)).collect())
}

fn architecture(file: &str, header: &Header) -> Result<Arch> {
    let known = Arch::ALL.map(Arch::name).join(", ");
    if matches!(header.metadata.get("split.count"), Some(&Meta::Integer(parts)) if parts > 1) {
        return Err(Error::input(format!("{file}: one part of a split model"))
            .hint("join the parts first: llama-gguf-split --merge FIRST-PART OUT.gguf")
            .in_page("take a file that is whole, or join the parts first with llama.cpp's llama-gguf-split"));
    }
    let name = match header.metadata.get("general.architecture") {
        Some(Meta::Text(name)) => name.as_str(),
        _ => {
            return Err(Error::input(format!("{file}: the metadata names no architecture"))
                .hint(format!("a language model of one of these is needed: {known}")));
        }
    };
    Arch::ALL.into_iter().find(|arch| arch.name() == name).ok_or_else(|| {
        Error::input(format!("{file}: architecture `{name}` is not known")).hint(format!("supported: {known}"))
    })
}

/// Whether two tensors hold the same: tied models are often stored with a copy of the table.
async fn same(source: &dyn ByteSource, a: &RawTensor, b: &RawTensor) -> Result<bool> {
    if a.dtype != b.dtype || a.bytes != b.bytes || a.shape != b.shape {
        return Ok(false);
    }
    let mut done = 0;
    while done < a.bytes {
        let piece = (a.bytes - done).min(PIECE as u64) as usize;
        let first = source.read(a.offset + done, piece).await?;
        if first != source.read(b.offset + done, piece).await? {
            return Ok(false);
        }
        done += piece as u64;
    }
    Ok(true)
}

fn locate(file: &str, at: usize, arch: Arch, raw: &RawTensor, heads: (u64, u64)) -> Result<Located> {
    let view = arch.view(&raw.name, heads.0 as usize, heads.1 as usize);
    let mut shape = raw.shape.clone();
    let contradiction =
        |what: String| Error::input(format!("{file}: tensor {} {what}", tensor(&raw.name))).hint(CONTRADICTS);
    match (view, shape.as_mut_slice()) {
        (View::Interleaved(heads), &mut [rows, ..]) if !rows.is_multiple_of(heads * 2) => {
            return Err(contradiction(format!("has {rows} rows, not divisible into {heads} heads of pairs")));
        }
        (View::Transposed, [rows, columns]) => std::mem::swap(rows, columns),
        (View::Transposed, other) => {
            return Err(contradiction(format!("of shape {other:?} is not a matrix")));
        }
        _ => {}
    }
    let info = TensorInfo { name: arch.hf_name(&raw.name), shape, dtype: raw.dtype, file: file.to_owned() };
    Ok((info, Place { source: at, offset: raw.offset, view }))
}

/// Cuts a fused `attn_qkv` into q, k and v: whole rows, so whole blocks.
fn split(file: &str, at: usize, arch: Arch, raw: &RawTensor, heads: (u64, u64)) -> Result<Vec<Located>> {
    let columns: usize = raw.shape[1..].iter().product();
    let units = (heads.0 + 2 * heads.1) as usize;
    if !raw.shape[0].is_multiple_of(units) || (raw.shape.len() == 1 && raw.dtype.block().0 != 1) {
        let message =
            format!("{file}: tensor {} of shape {:?} cannot be cut into q, k and v", tensor(&raw.name), raw.shape);
        return Err(Error::input(message).hint(CONTRADICTS));
    }
    let head = raw.shape[0] / units;
    let mut row = 0;
    let parts = [("attn_q", heads.0), ("attn_k", heads.1), ("attn_v", heads.1)];
    Ok(parts
        .into_iter()
        .map(|(part, count)| {
            let rows = count as usize * head;
            let offset = raw.offset + bytes_of(raw.dtype, row * columns);
            row += rows;
            let mut shape = raw.shape.clone();
            shape[0] = rows;
            let name = arch.hf_name(&raw.name.replace("attn_qkv", part));
            let info = TensorInfo { name, shape, dtype: raw.dtype, file: file.to_owned() };
            (info, Place { source: at, offset, view: View::Plain })
        })
        .collect())
}
