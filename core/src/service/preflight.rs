//! Whether a model fits, from its configuration and the headers of its weights.

use super::{Host, Meter, Opened, Parts};
use crate::device::Compute;
use crate::error::Result;
use crate::load::fit::{Lack, Place, Takes};
use crate::memory::said;
use crate::model::spec::Spec;
use crate::model::{self, survey};
use crate::names::is_gguf;
use crate::protocol::{ModelRef, Preflight};
use crate::record::Precision;
use crate::weights::{ByteSource, Checkpoint, MemoryFile};

/// Tokens of the prompt that the estimate is made for.
const TOKENS: f64 = 10.0;

/// Reads what can be known before the weights are fetched.
///
/// # Errors
/// When the model's files cannot be found or read. What keeps it from running is a problem in the answer.
pub(super) async fn preflight<H: Host>(
    host: &H,
    (model, beside): (&ModelRef, &H::Beside),
    (compute, gflops): (&Compute, f64),
    wanted: Option<Precision>,
) -> Result<Preflight> {
    let Opened { name, parts, all, here, licence, remarks, .. } =
        host.open(model, beside, false, &Meter::silent()).await?;
    let (checkpoint, tokenizer) = match parts {
        Parts::Sources(sources) => without_tokenizer(sources).await.map_err(|error| error.at(&name))?,
        Parts::Whole(checkpoint) => (*checkpoint, None),
    };
    let tokenizer = tokenizer.unwrap_or(checkpoint.tokenizer_json().len() as u64);
    let remote = matches!(model, ModelRef::Hub { .. } | ModelRef::Url { .. });
    let missing = all.saturating_sub(here);
    let mut preflight = describe(&checkpoint, gflops);
    if preflight.problems.is_empty() {
        match survey(checkpoint.config(), Some(&checkpoint)).await {
            Err(error) => preflight.problems.push(error.message().to_owned()),
            Ok(survey) => weigh(&mut preflight, &Takes { survey, tokenizer }, compute, (wanted, host.place())),
        }
    }
    let storage = host.storage().await;
    preflight.name = name;
    preflight.bytes = all;
    preflight.licence = licence;
    preflight.remarks.extend(remarks);
    preflight.storage_left = storage.left;
    (preflight.download, preflight.kept) = match model {
        ModelRef::Cached { .. } => (missing, missing == 0),
        _ if remote => (missing, storage.keeps),
        _ => (0, false),
    };
    if remote && storage.left.is_some_and(|left| left < preflight.download) {
        preflight.remarks.push("the browser's storage is too small to keep it all: delete cached models first".into());
    }
    Ok(preflight)
}

/// A checkpoint without its tokenizer, whose size says enough: parsing it takes seconds. A GGUF file that comes alone makes one,
/// or says why it cannot.
async fn without_tokenizer(mut sources: Vec<Box<dyn ByteSource>>) -> Result<(Checkpoint, Option<u64>)> {
    let given = sources.iter().find(|file| file.name() == "tokenizer.json").map(|file| file.len());
    if given.is_some() || !sources.iter().any(|file| is_gguf(file.name())) {
        sources.retain(|file| file.name() != "tokenizer.json");
        let none: Box<dyn ByteSource> = Box::new(MemoryFile::new(b"{}".to_vec(), "tokenizer.json"));
        sources.push(none);
    }
    Ok((Checkpoint::from_sources(sources).await?, given))
}

/// What the configuration and the tensors' names say.
fn describe(checkpoint: &Checkpoint, gflops: f64) -> Preflight {
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
        seconds_per_pass: Some(operations / (gflops.max(1e-3) * 1e9)),
    }
}

/// What loading takes of the device and of the program, and what of it is not there.
fn weigh(
    preflight: &mut Preflight,
    takes: &Takes,
    compute: &Compute,
    (wanted, here): (Option<Precision>, &'static str),
) {
    let place = Place::of(compute);
    let (precision, why) = takes.choose(&place, wanted);
    let fit = takes.on(&place, precision);
    (preflight.precision, preflight.precision_why) = (precision, why);
    (preflight.device_bytes, preflight.heap_bytes) = (fit.weights, fit.host);
    if let Some(lack) = fit.lack {
        let what = match lack {
            Lack::Host { needs, free } => {
                let what = if place.cpu { "on the CPU its weights" } else { "its largest tensor" };
                format!("{what} would take {} of the {} that {here} has", said(needs), said(free))
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
            .push(format!("how much graphics memory is free is not known; the weights take {weights} of it"));
    }
}
