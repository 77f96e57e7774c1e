//! Model files: safetensors folders and GGUF files, read one tensor at a time as f32 or f16 in the Hugging Face layout.
//!
//! Nothing here knows a device or a model family. Files come as [`ByteSource`]s, so that a browser page can hand in
//! slices of a dropped file or HTTP ranges.

mod dequant;
mod element;
mod gguf;
mod gguf_config;
mod gguf_header;
mod gguf_names;
mod gguf_rope;
mod gguf_vocab;
mod read;
mod safetensors;
mod source;

use crate::names;
use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::lfs;
use crate::tokens::{Special, Tokens};

pub use dequant::StoredDtype;
pub use element::Element;
#[cfg(not(target_family = "wasm"))]
pub use source::MappedFile;
pub use source::{BoxFuture, ByteSource, MemoryFile, Shareable};

/// The largest config.json that is read; most have 1 kB, and those with a label for each class some 100.
const CONFIG_LIMIT: u64 = 4 << 20;
/// The largest index of shards that is read (DeepSeek-V3's has 9 MB).
const INDEX_LIMIT: u64 = 64 << 20;
/// The largest tokenizer.json that is read (Gemma's has 33 MB).
const TOKENIZER_LIMIT: u64 = 128 << 20;

/// Files that are read beside the weights.
pub const PARTS: [&str; 4] = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json"];

/// Beside tokenizer.json, where a model has it.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// One tensor of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// The name in the Hugging Face checkpoint.
    pub name: String,
    /// The shape in the Hugging Face checkpoint, row-major: `[out, in]` for a linear layer.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub dtype: StoredDtype,
    /// The file that holds it.
    pub file: String,
}

impl TensorInfo {
    /// The number of elements.
    pub fn elements(&self) -> usize {
        // The product was checked when the file was opened.
        self.shape.iter().product()
    }
}

/// How stored values become the Hugging Face ones.
#[derive(Debug, Clone, Copy, PartialEq)]
enum View {
    /// They are the same.
    Plain,
    /// A constant was added to each.
    Minus(f32),
    /// The rows of each of this many heads were interleaved for rotary pairs `(2i, 2i + 1)`.
    Interleaved(usize),
    /// Rows and columns are swapped.
    Transposed,
}

/// Where a tensor lies.
#[derive(Debug, Clone)]
struct Place {
    source: usize,
    offset: u64,
    view: View,
}

/// A tensor that a reader found.
type Located = (TensorInfo, Place);

/// What a reader found in the files.
struct Found {
    config: Value,
    config_sha256: String,
    tensors: Vec<Located>,
    /// Tensors whose dtype cannot be read: the dtype and the file.
    unreadable: BTreeMap<String, (String, String)>,
    /// Sources that hold weights, in file-name order.
    weights: Vec<usize>,
    /// What the weights' own metadata say of BOS and EOS.
    special: Option<Special>,
    /// The vocabulary that lies beside the weights in the same file.
    vocabulary: Option<gguf_vocab::Places>,
    /// What a user should know.
    notes: Vec<String>,
}

/// An opened model: its configuration, tokenizer and tensors.
pub struct Checkpoint {
    sources: Vec<Box<dyn ByteSource>>,
    weights: Vec<usize>,
    config: Value,
    config_sha256: String,
    tokenizer: Vec<u8>,
    /// The tokenizer was made from the metadata of a GGUF file.
    built: bool,
    special: Special,
    notes: Vec<String>,
    tensors: BTreeMap<String, TensorInfo>,
    places: BTreeMap<String, Place>,
    unreadable: BTreeMap<String, (String, String)>,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<_> = self.sources.iter().map(|source| source.name()).collect();
        f.debug_struct("Checkpoint").field("files", &files).field("tensors", &self.tensors.len()).finish()
    }
}

impl Checkpoint {
    /// Opens the files of one model, told apart by name: either one `*.gguf`, or `config.json` with
    /// `*.safetensors` and, for shards, `model.safetensors.index.json`; in both cases with `tokenizer.json` and, where there
    /// is one, `tokenizer_config.json`. A GGUF file needs no `tokenizer.json`: its metadata hold the same.
    pub async fn from_sources(sources: Vec<Box<dyn ByteSource>>) -> Result<Self> {
        for file in &sources {
            // Pointers have some 130 bytes.
            if file.len() < 1024 && lfs::pointer(&file.read(0, file.len() as usize).await?) {
                return Err(lfs::refusal().at(file.name()));
            }
        }
        let ggufs = named(&sources, |name| name.to_ascii_lowercase().ends_with(".gguf"));
        let shards = named(&sources, |name| name.ends_with(".safetensors"));
        let found = match (ggufs.as_slice(), shards.is_empty()) {
            ([one], true) => gguf::find(&sources, *one).await?,
            ([], false) => safetensors::find(&sources, &shards).await?,
            ([], true) => {
                return Err(Error::input("no model weights among the files: neither *.safetensors nor *.gguf").hint(
                    "give a Hugging Face folder with model.safetensors or a .gguf file; convert pytorch_model.bin \
                     with transformers' save_pretrained",
                ));
            }
            _ => {
                let names: Vec<_> = ggufs.iter().chain(&shards).map(|&at| sources[at].name()).collect();
                return Err(Error::input(format!("more than one model among the files: {}", names.join(", ")))
                    .hint("name one .gguf file, or a folder with safetensors only"));
            }
        };
        let given = named(&sources, |name| name == "tokenizer.json").first().copied();
        let (tokenizer, built) = match (given, &found.vocabulary) {
            (Some(at), _) => (source::read_all(&*sources[at], TOKENIZER_LIMIT).await?, false),
            (None, Some(vocabulary)) => (vocabulary.tokenizer_json(&*sources[found.weights[0]]).await?, true),
            (None, None) => {
                return Err(Error::input("no tokenizer.json beside the weights")
                    .hint("put the model's tokenizer.json into the same folder (the original model's page on the hub has it), or name it with --tokenizer")
                    .in_page("put the model's tokenizer.json into the same folder (the original model's page on the hub has it)"));
            }
        };
        let config = match named(&sources, |name| name == TOKENIZER_CONFIG).first() {
            Some(&at) => {
                let bytes = source::read_all(&*sources[at], CONFIG_LIMIT).await?;
                Special::of_config(&safetensors::json("tokenizer_config.json", &bytes)?)?
            }
            None => Special::default(),
        };
        let special = config.or(found.special.unwrap_or_default());
        let (mut tensors, mut places) = (BTreeMap::new(), BTreeMap::new());
        for (info, place) in found.tensors {
            places.insert(info.name.clone(), place);
            if let Some(twice) = tensors.insert(info.name.clone(), info) {
                return Err(Error::input(format!(
                    "{}: tensor {} occurs twice",
                    twice.file,
                    names::tensor(&twice.name)
                ))
                .hint("the file is damaged or holds two models: convert or download it again"));
            }
        }
        Ok(Self {
            sources,
            weights: found.weights,
            config: found.config,
            config_sha256: found.config_sha256,
            tokenizer,
            built,
            special,
            notes: found.notes,
            tensors,
            places,
            unreadable: found.unreadable,
        })
    }

    /// The model's config.json. For GGUF it is made from the metadata, with the same keys.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// The SHA-256 of config.json; for GGUF, of the JSON text made from the metadata.
    pub fn config_sha256(&self) -> &str {
        &self.config_sha256
    }

    /// The bytes of tokenizer.json; for GGUF without one, of what is made from the metadata.
    pub fn tokenizer_json(&self) -> &[u8] {
        &self.tokenizer
    }

    /// The tokenizer, with what all files say of BOS and EOS.
    pub fn tokens(&self) -> Result<Tokens> {
        match self.built {
            true => Tokens::stored(&self.tokenizer, &self.special),
            false => Tokens::with(&self.tokenizer, &self.special),
        }
    }

    /// What the files beside tokenizer.json say of BOS and EOS.
    pub fn special(&self) -> &Special {
        &self.special
    }

    /// The files that hold the weights, in words.
    pub fn files(&self) -> String {
        let names: Vec<&str> = self.weights.iter().map(|&at| self.sources[at].name()).collect();
        safetensors::few(&names)
    }

    /// Which of several files are used, where that is not plain.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// All tensors that can be read, by name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// Whether a readable tensor of this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The number of parameters: elements of all weights, mask buffers not at all. `tied`: a head in the files is the
    /// embedding once more, and does not count.
    pub fn parameters(&self, tied: bool) -> u64 {
        self.parameter_tensors(tied).map(|info| info.elements() as u64).sum()
    }

    /// The storage format of most parameters; `tied` as in [`Self::parameters`].
    pub fn dtype_name(&self, tied: bool) -> String {
        let mut counts: BTreeMap<StoredDtype, u64> = BTreeMap::new();
        for info in self.parameter_tensors(tied) {
            *counts.entry(info.dtype).or_default() += info.elements() as u64;
        }
        let most = counts.into_iter().max_by_key(|&(_, count)| count);
        most.map_or_else(|| "none".to_owned(), |(dtype, _)| dtype.name().to_owned())
    }

    /// The SHA-256 of the weights file. For shards: of their hex digests, concatenated in file-name order.
    pub async fn weights_sha256(&self) -> Result<String> {
        let mut digests = Vec::new();
        for &at in &self.weights {
            digests.push(source::sha256(&*self.sources[at]).await?);
        }
        match digests.as_slice() {
            [one] => Ok(one.clone()),
            all => Ok(source::hex(&Sha256::digest(all.concat()))),
        }
    }

    fn parameter_tensors(&self, tied: bool) -> impl Iterator<Item = &TensorInfo> {
        let twice = move |info: &TensorInfo| tied && info.name.ends_with("lm_head.weight");
        self.tensors.values().filter(move |info| !(is_buffer(info) || twice(info)))
    }
}

/// Masks and frequencies that some checkpoints carry along; no parameters.
fn is_buffer(info: &TensorInfo) -> bool {
    let name = info.name.as_str();
    (name.ends_with(".attn.bias") && info.shape.len() > 2)
        || name.ends_with("masked_bias")
        || name.ends_with("rotary_emb.inv_freq")
}

/// The sources whose names pass, in file-name order.
fn named(sources: &[Box<dyn ByteSource>], keep: impl Fn(&str) -> bool) -> Vec<usize> {
    let mut found: Vec<_> = (0..sources.len()).filter(|&at| keep(sources[at].name())).collect();
    found.sort_by_key(|&at| sources[at].name());
    found
}

#[cfg(not(target_family = "wasm"))]
impl Checkpoint {
    /// Opens a Hugging Face folder or a .gguf file (or a folder that holds just one). The tokenizer is the
    /// tokenizer.json beside the weights unless another file is given.
    pub async fn open(path: &std::path::Path, tokenizer: Option<&std::path::Path>) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| {
            Error::io(format!("{}: {error}", path.display()))
                .hint("give a model folder, a .gguf file, or a hub id such as HuggingFaceTB/SmolLM2-135M")
        })?;
        let folder = if metadata.is_dir() { path } else { path.parent().unwrap_or(path) };
        let mut files = if metadata.is_dir() { folder_files(folder)? } else { vec![path.to_owned()] };
        if metadata.is_file() {
            // A weights file alone: what belongs to it lies beside it.
            let beside = ["config.json", "tokenizer.json", TOKENIZER_CONFIG].map(|name| folder.join(name));
            files.extend(beside.into_iter().filter(|file| file.is_file()));
        }
        if let Some(tokenizer) = tokenizer {
            // What lies beside that tokenizer belongs to it.
            let own = ["tokenizer.json", TOKENIZER_CONFIG];
            files.retain(|file| file.file_name().is_none_or(|name| own.iter().all(|own| name != *own)));
            files.extend(tokenizer.parent().map(|at| at.join(TOKENIZER_CONFIG)).filter(|file| file.is_file()));
        }
        let mut sources: Vec<Box<dyn ByteSource>> = Vec::new();
        for file in files {
            sources.push(Box::new(MappedFile::open(&file)?));
        }
        if let Some(file) = tokenizer {
            let found = MappedFile::open(file)
                .map_err(|error| Error::io(error.message()).hint("--tokenizer takes a tokenizer.json file"))?;
            sources.push(Box::new(found.called("tokenizer.json")));
        }
        Self::from_sources(sources).await.map_err(|error| error.at(path.display()))
    }
}

#[cfg(not(target_family = "wasm"))]
impl Checkpoint {
    /// Opens a .gguf file without what lies beside it.
    pub async fn of_file(path: &std::path::Path) -> Result<Self> {
        let source: Box<dyn ByteSource> = Box::new(MappedFile::open(path)?);
        Self::from_sources(vec![source]).await.map_err(|error| error.at(path.display()))
    }
}

/// The files of a model folder; safetensors go before GGUF where a folder has both.
#[cfg(not(target_family = "wasm"))]
fn folder_files(folder: &std::path::Path) -> Result<Vec<std::path::PathBuf>> {
    let failed = |error: std::io::Error| Error::io(format!("{}: {error}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let wanted = PARTS.contains(&name.as_str())
            || name.ends_with(".safetensors")
            || name.to_ascii_lowercase().ends_with(".gguf");
        if wanted && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let extension = |path: &std::path::Path, wanted: &str| path.extension().is_some_and(|e| e == wanted);
    if files.iter().any(|file| extension(file, "safetensors")) {
        files.retain(|file| !file.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")));
    }
    Ok(files)
}
