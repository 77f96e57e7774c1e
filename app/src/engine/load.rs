//! From what the command line names to a model ready to run.

use super::{Understood, outlook};
use crate::hub;
use crate::progress::Progress;
use crate::wanted::{Model, Source};
use anyhow::Result;
use engram_core::Error;
use engram_core::device::{Compute, DeviceChoice, start_threads};
use engram_core::load::{Looked, Model as LoadedModel, look, notes, understood};
use engram_core::model::spec::Spec;
use engram_core::names::HubId;
use engram_core::record::Precision;
use engram_core::weights::Checkpoint;
use pollster::block_on;
use std::path::PathBuf;

/// A loaded model and the files it came from.
pub(super) struct Loaded {
    pub(super) model: LoadedModel,
    pub(super) checkpoint: Checkpoint,
    /// Folder of the files, or the GGUF file.
    pub(super) path: PathBuf,
}

/// A model's files, found and read but for the weights.
pub(super) struct Opened {
    pub(super) checkpoint: Checkpoint,
    /// What records call it.
    pub(super) name: String,
    /// Folder of the files, or the GGUF file.
    pub(super) path: PathBuf,
}

/// Finds a model, downloads it where needed, and opens its files.
pub(super) fn open(wanted: &Model, progress: &Progress) -> Result<Opened> {
    let path = match &wanted.source {
        Source::Hub(id) => hub::fetch(id, progress)?,
        Source::Path(path) => path.clone(),
        Source::Bundled(model) => PathBuf::from(model.name),
    };
    let checkpoint = match &wanted.source {
        Source::Bundled(model) if wanted.tokenizer.is_some() => {
            return Err(Error::input(format!("{} brings its own tokenizer", model.name))
                .hint("leave --tokenizer out")
                .into());
        }
        Source::Bundled(model) => block_on(Checkpoint::from_sources(model.sources()))?,
        // One file of a repository is the whole model, whatever else of it is in the cache.
        Source::Hub(id) if HubId::parse(id).is_some_and(|id| id.file.is_some()) && wanted.tokenizer.is_none() => {
            block_on(Checkpoint::of_file(&path))?
        }
        _ => block_on(Checkpoint::open(&path, wanted.tokenizer.as_deref()))?,
    };
    Ok(Opened { checkpoint, name: record_name(&wanted.source), path })
}

/// Finds, downloads where needed, and loads a model; says which device is used and why.
pub(super) fn load(wanted: &Model, progress: &Progress) -> Result<Loaded> {
    let Opened { checkpoint, name, path } = open(wanted, progress)?;
    let looked = block_on(look(&checkpoint))?;
    let compute = chosen(wanted, &looked)?.suiting(&looked.takes, wanted.precision)?;
    progress.note(&format!("{}: {} ({})", compute.info.kind, compute.info.name, compute.why));
    progress.start("loading", "tensors", Some(checkpoint.tensors().len() as u64), 0);
    let count = |done: usize, _| progress.set(done as u64);
    let model = block_on(LoadedModel::load_looked(looked, &checkpoint, &name, compute, &count))?;
    progress.finish();
    progress.notes(model.notes.iter().cloned());
    Ok(Loaded { model, checkpoint, path })
}

/// See [`super::understand`].
pub(super) fn understand(wanted: &Model, progress: &Progress) -> Result<Understood> {
    let Opened { checkpoint, name, .. } = open(wanted, progress)?;
    let spec = Spec::read(checkpoint.config())?;
    // Names and shapes are held against the files; no weights but a tied head's are read.
    let looked = block_on(look(&checkpoint))?;
    let own_head = looked.own_head;
    let tokens = checkpoint.tokens()?;
    let mut lines = understood(&spec, own_head, &tokens);
    let tied = spec.tied && !own_head;
    let (parameters, stored) = (checkpoint.parameters(tied), checkpoint.dtype_name(tied));
    lines.push(("weights".into(), format!("{stored} in {}, {parameters} parameters", checkpoint.files())));
    let devices = outlook::of(wanted, &looked)?;
    Ok(Understood { model: name, lines, notes: notes(&checkpoint, own_head, &tokens), devices })
}

/// What records call a model.
pub(super) fn record_name(source: &Source) -> String {
    match source {
        Source::Hub(id) => id.clone(),
        Source::Path(path) => name(path),
        Source::Bundled(model) => model.name.to_owned(),
    }
}

/// The device for a model: the one that was asked for, or the quicker one where none was.
pub(super) fn chosen(wanted: &Model, looked: &Looked) -> Result<Compute> {
    let compute = choose(wanted.device)?;
    Ok(match (wanted.device, wanted.precision) {
        // The CPU has no f16.
        (DeviceChoice::Auto, None | Some(Precision::F32)) => block_on(compute.or_quicker_cpu(looked)),
        _ => compute,
    })
}

/// Chooses a device. Without a desktop session Linux's window libraries complain on stderr, many times over, about what
/// is no fault of anybody; they are not heard while adapters are looked for.
pub(crate) fn choose(choice: DeviceChoice) -> engram_core::Result<Compute> {
    #[cfg(target_os = "linux")]
    let _hushed = match std::env::var_os("XDG_RUNTIME_DIR") {
        None if choice != DeviceChoice::Cpu => gag::Gag::stderr().ok(),
        _ => None,
    };
    #[cfg(target_os = "linux")]
    if choice != DeviceChoice::Cpu {
        super::loader::ready();
    }
    start_threads()?;
    block_on(Compute::choose(choice))
}

/// A file's or folder's name: GGUF files without their ending.
fn name(path: &std::path::Path) -> String {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let name = match path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf")) {
        true => path.file_stem(),
        false => path.file_name(),
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}
