//! Hugging Face folders: config.json and safetensors files, whole or in shards.

use crate::names;
use std::collections::{BTreeMap, BTreeSet};

use safetensors::tensor::{Dtype, Metadata};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::text::told;

use super::source::{self, truncated};
use super::{ByteSource, CONFIG_LIMIT, Found, INDEX_LIMIT, Located, Place, StoredDtype, TensorInfo, View, named};

const INDEX: &str = "model.safetensors.index.json";
const WHOLE: &str = "model.safetensors";
/// The format itself allows a header 100 MB; models of thousands of tensors have headers of less than 1.
const HEADER_LIMIT: u64 = 32 << 20;
/// A refused header is searched for the tensor at fault up to this size.
const SEARCHED: usize = 1 << 20;
const AGAIN: &str = "the file is damaged or incomplete: download it again";

/// Reads the configuration and the headers of all weight files.
pub(super) async fn find(sources: &[Box<dyn ByteSource>], shards: &[usize]) -> Result<Found> {
    let config = match named(sources, |name| name == "config.json").first() {
        Some(&at) => source::read_all(&*sources[at], CONFIG_LIMIT).await?,
        None => {
            return Err(Error::input("no config.json beside the weights")
                .hint("a model folder needs config.json, tokenizer.json and model.safetensors"));
        }
    };
    let config_sha256 = source::hex(&Sha256::digest(&config));
    let config = json("config.json", &config)?;
    // As transformers does: one whole file goes before shards, and is not held against their index. A config may name it.
    let named_whole = config.get("transformers_weights").and_then(Value::as_str);
    let whole_name = named_whole.unwrap_or(WHOLE);
    let whole = shards.iter().copied().find(|&at| sources[at].name() == whole_name);
    if let (Some(name), None) = (named_whole, whole) {
        return Err(Error::input(format!("config.json takes its weights from {}, which is not there", told(name)))
            .hint("put that file beside config.json"));
    }
    let index = match (whole, named(sources, |name| name == INDEX).first()) {
        (None, Some(&at)) => Some(weight_map(&source::read_all(&*sources[at], INDEX_LIMIT).await?)?),
        _ => None,
    };
    let weights = match whole {
        Some(whole) => vec![whole],
        None => choose(sources, shards, index.as_ref())?,
    };
    let unused: Vec<&str> = named(sources, |name| name == INDEX || name.ends_with(".safetensors"))
        .into_iter()
        .filter(|at| !(weights.contains(at) || index.is_some() && sources[*at].name() == INDEX))
        .map(|at| sources[at].name())
        .collect();
    let used: Vec<&str> = weights.iter().map(|&at| sources[at].name()).collect();
    let notes = match unused.is_empty() {
        true => Vec::new(),
        false => vec![format!("the weights are read from {}; not used: {}", few(&used), few(&unused))],
    };
    let mut found = Found {
        config,
        config_sha256,
        tensors: Vec::new(),
        unreadable: BTreeMap::new(),
        weights,
        special: None,
        vocabulary: None,
        notes,
    };
    for at in found.weights.clone() {
        header(&*sources[at], at, &mut found).await?;
    }
    if let Some(map) = index {
        check_index(&map, &mut found)?;
    }
    Ok(found)
}

/// Names for people, the first few of many.
pub(super) fn few(names: &[&str]) -> String {
    match names {
        [first, .., last] if names.len() > 4 => format!("{first} … {last} ({} files)", names.len()),
        names => names.join(", "),
    }
}

pub(super) fn json(file: &str, bytes: &[u8]) -> Result<Value> {
    let failed = |what: String| Error::input(format!("{file}: {what}")).hint(AGAIN);
    let value: Value = serde_json::from_slice(bytes).map_err(|error| failed(format!("not JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(failed("not a JSON object".into())) }
}

/// Tensor name to file name.
fn weight_map(bytes: &[u8]) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index = serde_json::from_slice::<Index>(bytes).map_err(|error| {
        Error::input(format!("{INDEX}: no `weight_map` from tensor to file names ({error})")).hint(AGAIN)
    })?;
    Ok(index.weight_map)
}

/// The files to read where there is no `model.safetensors`: those of the index, or the only one there is.
fn choose(
    sources: &[Box<dyn ByteSource>],
    shards: &[usize],
    index: Option<&BTreeMap<String, String>>,
) -> Result<Vec<usize>> {
    if let Some(map) = index {
        let files: BTreeSet<&str> = map.values().map(String::as_str).collect();
        return files
            .into_iter()
            .map(|file| {
                shards.iter().copied().find(|&at| sources[at].name() == file).ok_or_else(|| {
                    Error::input(format!("{INDEX} names {file}, which is missing"))
                        .hint("download all shards into one folder")
                })
            })
            .collect();
    }
    match shards {
        [one] => Ok(vec![*one]),
        many => {
            let names: Vec<_> = many.iter().map(|&at| sources[at].name()).collect();
            Err(Error::input(format!("{} safetensors files, but no {INDEX}: {}", many.len(), names.join(", ")))
                .hint("add the index, or leave only the file that is meant"))
        }
    }
}

/// Reads one file's header and checks every tensor against the file's size.
async fn header(source: &dyn ByteSource, at: usize, found: &mut Found) -> Result<()> {
    let (file, len) = (source.name(), source.len());
    let failed = |what: String| Error::input(format!("{file}: {what}")).hint(AGAIN);
    if len < 8 {
        return Err(truncated(file, 8, len));
    }
    let mut first = [0; 8];
    first.copy_from_slice(&source.read(0, 8).await?);
    let size = u64::from_le_bytes(first);
    if size > HEADER_LIMIT {
        let most = HEADER_LIMIT >> 20;
        return Err(failed(format!(
            "not a safetensors file: it claims a header of {size} bytes, where no model needs {most} MiB"
        )));
    }
    if size > len - 8 {
        return Err(truncated(file, size + 8, len));
    }
    let bytes = source.read(8, size as usize).await?;
    let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|error| {
        failed(match wrong_tensor(&bytes) {
            Some(name) => format!(
                "tensor {}: its size and place in the file contradict each other ({error})",
                names::tensor(&name)
            ),
            None => format!("unreadable header: {error}"),
        })
    })?;
    let data = size + 8;
    if metadata.data_len() as u64 > len - data {
        let short = metadata.tensors().into_iter().filter(|(_, info)| info.data_offsets.1 as u64 > len - data);
        let name = short.map(|(name, info)| (info.data_offsets.0, name)).min().map(|(_, name)| name);
        let place = name.map_or_else(|| file.to_owned(), |name| format!("{file}: tensor {}", names::tensor(&name)));
        return Err(truncated(&place, data + metadata.data_len() as u64, len));
    }
    for (name, info) in metadata.tensors() {
        let Some(dtype) = stored(info.dtype) else {
            // Mask buffers and the like: an error only if somebody asks for one.
            found.unreadable.insert(name, (format!("{:?}", info.dtype), file.to_owned()));
            continue;
        };
        let place = Place { source: at, offset: data + info.data_offsets.0 as u64, view: View::Plain };
        let info = TensorInfo { name, shape: info.shape.clone(), dtype, file: file.to_owned() };
        found.tensors.push((info, place));
    }
    Ok(())
}

fn stored(dtype: Dtype) -> Option<StoredDtype> {
    match dtype {
        Dtype::F32 => Some(StoredDtype::F32),
        Dtype::F16 => Some(StoredDtype::F16),
        Dtype::BF16 => Some(StoredDtype::BF16),
        _ => None,
    }
}

/// The first tensor of a refused header whose offsets leave a gap, overlap, or do not fit its shape.
fn wrong_tensor(header: &[u8]) -> Option<String> {
    if header.len() > SEARCHED {
        return None;
    }
    let header: Value = serde_json::from_slice(header).ok()?;
    let mut tensors: Vec<_> = header.as_object()?.iter().filter(|(name, _)| *name != "__metadata__").collect();
    let offset = |info: &Value, at: usize| info.get("data_offsets")?.get(at)?.as_u64();
    tensors.sort_by_key(|(_, info)| (offset(info, 0), offset(info, 1)));
    let mut next = Some(0);
    let wrong = tensors.into_iter().find(|(_, info)| {
        let (start, end) = (offset(info, 0), offset(info, 1));
        let dtype = info.get("dtype").cloned().and_then(|dtype| serde_json::from_value::<Dtype>(dtype).ok());
        let shape = info.get("shape").and_then(Value::as_array);
        let elements = shape.and_then(|shape| shape.iter().try_fold(1u64, |n, d| n.checked_mul(d.as_u64()?)));
        let bytes = elements.zip(dtype).and_then(|(n, dtype)| Some(n.checked_mul(dtype.bitsize() as u64)? / 8));
        let fits = bytes.is_some() && start.zip(end).and_then(|(start, end)| end.checked_sub(start)) == bytes;
        let follows = start.is_some() && start == next;
        next = end;
        !(fits && follows)
    });
    wrong.map(|(name, _)| name.clone())
}

/// Every tensor of the index is there. Of what lies in several shards the last one's counts, whatever the index says: so
/// transformers reads them.
fn check_index(map: &BTreeMap<String, String>, found: &mut Found) -> Result<()> {
    let mut last = BTreeMap::new();
    let count = found.tensors.len();
    for (at, (info, _)) in found.tensors.iter().enumerate() {
        last.insert(info.name.clone(), at);
    }
    if last.len() < count {
        let kept: BTreeSet<usize> = last.into_values().collect();
        let mut at = 0..;
        found.tensors.retain(|_| at.next().is_some_and(|at| kept.contains(&at)));
        found.notes.push(format!("{} tensors are in several shards; the last shard's are used", count - kept.len()));
    }
    let there: BTreeSet<&str> = found.tensors.iter().map(|(info, _): &Located| info.name.as_str()).collect();
    let missing = map.iter().find(|(name, _)| !there.contains(name.as_str()) && !found.unreadable.contains_key(*name));
    match missing {
        None => Ok(()),
        Some((name, file)) => {
            Err(Error::input(format!("{file}: {INDEX} promises tensor {}, which is missing", names::tensor(name)))
                .hint("the shards are of different versions: download all of them again"))
        }
    }
}
