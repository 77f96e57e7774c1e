//! Whether a model fits, from its configuration and the headers of its weights.

use super::{Meter, Opened, Origin, cache, open};
use crate::opfs;
use crate::queue::Engine;
use engram_core::Result;
use engram_core::load::shard_bytes;
use engram_core::model::spec::Spec;
use engram_core::model::{self, survey};
use engram_core::names::is_gguf;
use engram_core::protocol::{DeviceReport, ModelRef, Preflight};
use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};

/// Address space of a tab's WebAssembly memory.
const ADDRESSES: u64 = 4 << 30;
/// What the engine itself and its activations take of it.
const OWN: u64 = 256 << 20;
/// What reading takes beside the largest tensor: pieces on their way, the tokenizer.
const READING: u64 = 40 << 20;
/// Tokens of the prompt that the estimate is made for.
const TOKENS: f64 = 10.0;

/// Reads what can be known before the weights are fetched.
pub(crate) async fn preflight(engine: &mut Engine, origin: &Origin) -> Result<Preflight> {
    if engine.device.is_none() {
        crate::device::start(engine, engram_core::protocol::DeviceChoice::Auto).await?;
    }
    let meter = Meter::new(None);
    let opened = open(origin, false, &meter).await?;
    let Opened { name, mut sources, all, here, licence, remarks, .. } = opened;
    // Its size says enough; parsing it takes seconds. A GGUF file that comes alone makes one, or says why it cannot.
    let given = sources.iter().find(|file| file.name() == "tokenizer.json").map(|file| file.len());
    if given.is_some() || !sources.iter().any(|file| is_gguf(file.name())) {
        sources.retain(|file| file.name() != "tokenizer.json");
        let none: Box<dyn ByteSource> = Box::new(MemoryFile::new(b"{}".to_vec(), "tokenizer.json"));
        sources.push(none);
    }
    let checkpoint = Checkpoint::from_sources(sources).await.map_err(|error| error.at(&name))?;
    let tokenizer = given.unwrap_or(checkpoint.tokenizer_json().len() as u64);
    let report = engine.device.as_ref().map(|(_, report)| report);
    let (used, quota) = opfs::usage().await;
    let remote = matches!(origin.model, ModelRef::Hub { .. } | ModelRef::Url { .. });
    let left = quota.zip(used).map(|(quota, used)| quota.saturating_sub(used));
    let mut preflight = describe(&checkpoint, report, tokenizer);
    if preflight.problems.is_empty()
        && let Err(error) = survey(checkpoint.config(), Some(&checkpoint)).await
    {
        preflight.problems.push(error.message().to_owned());
    }
    preflight.name = name;
    preflight.bytes = all;
    preflight.download = if remote { all.saturating_sub(here) } else { 0 };
    preflight.licence = licence;
    preflight.remarks.extend(remarks);
    preflight.storage_left = left;
    preflight.kept = remote && opfs::folder(&["models"]).await.is_some();
    if remote && left.is_some_and(|left| left < preflight.download) {
        preflight.remarks.push("the browser's storage is too small to keep it all: delete cached models first".into());
    }
    if let ModelRef::Cached { key } = &origin.model
        && let Some(kept) = cache::Kept::find(key).await
    {
        preflight.download = all.saturating_sub(here);
        preflight.kept = kept.about.borrow().complete();
    }
    Ok(preflight)
}

fn describe(checkpoint: &Checkpoint, report: Option<&DeviceReport>, tokenizer: u64) -> Preflight {
    let config = checkpoint.config();
    let family = config["model_type"].as_str().unwrap_or("unknown").to_owned();
    // A config that cannot be read is a problem of its own.
    let spec = Spec::read(config).ok();
    let shape = spec.as_ref().map(|spec| &spec.shape);
    let tied = spec.as_ref().is_some_and(|spec| spec.tied);
    let parameters = checkpoint.parameters(tied);
    let device_bytes = 4 * parameters;
    let cpu = report.is_none_or(|report| report.adapter.is_none());
    let tables = ["embed_tokens", "lm_head", "wte"];
    let table = |name: &str| tables.iter().any(|table| name.contains(table));
    let matrices = checkpoint.tensors().values().filter(|tensor| !table(&tensor.name));
    let largest = matrices.map(|tensor| 4 * tensor.elements() as u64).max().unwrap_or(0);
    // A tensor is held twice while it goes to the device.
    let held = if cpu { device_bytes } else { 2 * largest.max(shard_bytes(checkpoint)) };
    // A tokenizer's tables take several times the size of its file.
    let heap_bytes = held + READING + 8 * tokenizer;
    let mut problems = Vec::new();
    if model::family(&family).is_none() {
        problems.push(format!("the family \"{family}\" is not supported; supported are {}", model::supported()));
    }
    if heap_bytes + OWN > ADDRESSES {
        let what = if cpu { "on the CPU its weights" } else { "its largest tensor" };
        problems.push(format!("{what} would take {} of this tab's 4 GiB", gib(heap_bytes)));
    }
    let mut remarks = Vec::new();
    if let Some(adapter) = report.and_then(|report| report.adapter.as_ref()) {
        let most = adapter.max_binding_bytes.min(adapter.max_buffer_bytes);
        if largest > most {
            let (needs, has) = (gib(largest), gib(most));
            problems.push(format!("one matrix takes {needs}, the graphics adapter binds at most {has}"));
        }
        remarks.push(format!(
            "browsers do not tell how much graphics memory is free; the weights take {} of it",
            gib(device_bytes)
        ));
    }
    let operations = 2.0 * parameters as f64 * TOKENS;
    Preflight {
        name: String::new(),
        family,
        layers: shape.map_or(0, |shape| shape.layers),
        width: shape.map_or(0, |shape| shape.width),
        parameters,
        dtype: checkpoint.dtype_name(tied),
        bytes: 0,
        download: 0,
        licence: None,
        device_bytes,
        heap_bytes,
        storage_left: None,
        kept: false,
        problems,
        remarks,
        seconds_per_pass: report.map(|report| operations / (report.gflops.max(1e-3) * 1e9)),
    }
}

fn gib(bytes: u64) -> String {
    match bytes {
        small if small < 1 << 30 => format!("{:.0} MiB", small as f64 / f64::from(1 << 20)),
        large => format!("{:.1} GiB", large as f64 / f64::from(1 << 30)),
    }
}
