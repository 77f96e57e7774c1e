//! Whether a model fits, from its configuration and the headers of its weights.

use super::{Meter, Opened, Origin, cache, open};
use crate::opfs;
use crate::queue::Engine;
use engram_core::Result;
use engram_core::device::Compute;
use engram_core::load::fit::{Lack, Place, Takes};
use engram_core::memory::said;
use engram_core::model::spec::Spec;
use engram_core::model::{self, survey};
use engram_core::names::is_gguf;
use engram_core::protocol::{ModelRef, Preflight};
use engram_core::record::Precision;
use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};

/// Tokens of the prompt that the estimate is made for.
const TOKENS: f64 = 10.0;

/// Reads what can be known before the weights are fetched.
pub(crate) async fn preflight(engine: &mut Engine, origin: &Origin, wanted: Option<Precision>) -> Result<Preflight> {
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
    let (used, quota) = opfs::usage().await;
    let remote = matches!(origin.model, ModelRef::Hub { .. } | ModelRef::Url { .. });
    let left = quota.zip(used).map(|(quota, used)| quota.saturating_sub(used));
    let gflops = engine.device.as_ref().map(|(_, report)| report.gflops);
    let mut preflight = describe(&checkpoint, gflops);
    if preflight.problems.is_empty() {
        match (survey(checkpoint.config(), Some(&checkpoint)).await, &engine.device) {
            (Err(error), _) => preflight.problems.push(error.message().to_owned()),
            (Ok(survey), Some((compute, _))) => weigh(&mut preflight, &Takes { survey, tokenizer }, compute, wanted),
            (Ok(_), None) => {}
        }
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

/// What the configuration and the tensors' names say.
fn describe(checkpoint: &Checkpoint, gflops: Option<f64>) -> Preflight {
    let config = checkpoint.config();
    let family = config["model_type"].as_str().unwrap_or("unknown").to_owned();
    // A config that cannot be read is a problem of its own.
    let spec = Spec::read(config).ok();
    let shape = spec.as_ref().map(|spec| &spec.shape);
    let tied = spec.as_ref().is_some_and(|spec| spec.tied);
    let parameters = checkpoint.parameters(tied);
    let mut problems = Vec::new();
    if model::family(&family).is_none() {
        problems.push(format!("the family \"{family}\" is not supported; supported are {}", model::supported()));
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
        precision: Precision::F32,
        precision_why: None,
        device_bytes: 4 * parameters,
        heap_bytes: 0,
        storage_left: None,
        kept: false,
        problems,
        remarks: Vec::new(),
        seconds_per_pass: gflops.map(|gflops| operations / (gflops.max(1e-3) * 1e9)),
    }
}

/// What loading takes of the device and of the tab, and what of it is not there.
fn weigh(preflight: &mut Preflight, takes: &Takes, compute: &Compute, wanted: Option<Precision>) {
    let place = Place::of(compute);
    let (precision, why) = takes.choose(&place, wanted);
    let fit = takes.on(&place, precision);
    (preflight.precision, preflight.precision_why) = (precision, why);
    (preflight.device_bytes, preflight.heap_bytes) = (fit.weights, fit.host);
    if let Some(lack) = fit.lack {
        let what = match lack {
            Lack::Host { needs, free } => {
                let what = if place.cpu { "on the CPU its weights" } else { "its largest tensor" };
                format!("{what} would take {} of the {} that this tab has", said(needs), said(free))
            }
            _ => lack.to_string(),
        };
        let [_, step] = takes.advice(&place, precision);
        preflight.problems.push(format!("{what}: {step}"));
    }
    if !place.cpu && place.memory.is_none() {
        let weights = said(fit.weights);
        preflight
            .remarks
            .push(format!("browsers do not tell how much graphics memory is free; the weights take {weights} of it"));
    }
}
