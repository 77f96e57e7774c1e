//! Scripts that compute a number again elsewhere: where transformers finds the model, and what was computed here.

use crate::wanted::Source;
use engram_core::edit::{Base, renamed};
use engram_core::emit::{CellScript, ChangeFile, EditScript, Source as Place};
use engram_core::load::Model;
use engram_core::names::HubId;
use engram_core::record::{EditRecord, Precision, Traced};
use engram_core::trace::{Cell, CellName, TokenizedFact};
use std::path::Path;

/// Where transformers finds a model: owned parts of [`Place`].
pub(super) struct Files {
    model_type: String,
    name: String,
    revision: Option<String>,
    gguf: Option<String>,
    note: Option<String>,
}

/// What is said of models that are on no hub.
const BUNDLED: &str = "In a copy of Engram's repository, which has the bundled models as folders.";

/// What is said of weights with a head that their config.json does not announce.
const OWN_HEAD: &str = "transformers ties the head to the embedding, as config.json says, and leaves the weights' own head out: its numbers differ.";

/// What is said of numbers that were computed in f16.
const HALF: &str = "Engram held the matrices in f16, and this script holds them in f32.";

impl Files {
    pub(super) fn of(source: &Source, model: &Model) -> Self {
        let model_type = model.info.family.clone();
        let plain =
            |name: String| Self { model_type: model_type.clone(), name, revision: None, gguf: None, note: None };
        match source {
            Source::Hub(id) => match HubId::parse(id) {
                Some(id) => Self {
                    revision: id.revision.map(str::to_owned),
                    gguf: id.file.map(str::to_owned),
                    ..plain(id.name.to_owned())
                },
                None => plain(id.clone()),
            },
            Source::Path(path) if path.is_file() => {
                let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
                Self { gguf: file, ..plain(folder.display().to_string()) }
            }
            Source::Path(path) => plain(path.display().to_string()),
            Source::Bundled(bundled) => {
                Self { note: Some(BUNDLED.to_owned()), ..plain(format!("core/bundled/models/{}", bundled.name)) }
            }
        }
        .noting(model)
    }

    /// Says where transformers computes something else.
    fn noting(mut self, model: &Model) -> Self {
        let half = model.compute.info.precision == Precision::F16;
        let notes = [self.note.take(), model.own_head.then(|| OWN_HEAD.to_owned()), half.then(|| HALF.to_owned())];
        let notes: Vec<String> = notes.into_iter().flatten().collect();
        self.note = (!notes.is_empty()).then(|| notes.join(" "));
        self
    }

    /// As an adapter names it.
    pub(super) fn base(&self) -> Base {
        Base { name: self.name.clone(), revision: self.revision.clone() }
    }

    fn place(&self) -> Place<'_> {
        let Self { model_type, name, revision, gguf, note } = self;
        Place { model_type, name, revision: revision.as_deref(), gguf: gguf.as_deref(), note: note.as_deref() }
    }
}

/// Where it was computed, in words.
fn device(model: &Model) -> String {
    let info = &model.compute.info;
    format!("{} ({}, {}, {})", info.kind, info.name, info.backend, info.precision.name())
}

/// A cell of a trace; of the fact's texts the clean and the corrupted prompt, and the answer.
pub(super) fn cell(
    files: &Files,
    model: &Model,
    fact: &TokenizedFact,
    [clean, corrupted, answer]: [&str; 3],
    traced: &Traced,
    (name, cell): (&CellName, &Cell),
) -> String {
    let script = CellScript {
        source: files.place(),
        prompts: [clean, corrupted],
        ids: [&fact.clean, &fact.corrupt],
        answer: (answer, fact.answer[0]),
        site: name.site,
        layers: cell.layers.clone(),
        positions: cell.positions,
        p: [traced.p_clean, traced.p_corrupt, cell.p],
        device: &device(model),
    };
    script.text()
}

/// What is known of an edit that a script repeats.
pub(super) struct Told<'a> {
    pub(super) title: &'a str,
    pub(super) prompt: &'a str,
    pub(super) answers: [&'a str; 2],
    pub(super) tokens: &'a TokenizedFact,
    pub(super) record: &'a EditRecord,
}

/// A file that holds the change.
pub(super) enum Holds<'a> {
    Delta(&'a Path),
    Lora(&'a Path),
}

/// An edit; `tensor` is one that it changes.
pub(super) fn edit(files: &Files, model: &Model, told: &Told<'_>, holds: &Holds<'_>, tensor: &str) -> String {
    let (Holds::Delta(path) | Holds::Lora(path)) = holds;
    let path = path.display().to_string();
    let names = renamed(&model.info.family, tensor);
    let change = match holds {
        Holds::Delta(_) => {
            ChangeFile::Delta { path: &path, renamed: names.as_ref().map(|(from, to)| (from.as_str(), to.as_str())) }
        }
        Holds::Lora(_) => ChangeFile::Lora { path: &path },
    };
    let Told { title, prompt, answers: [old, new], tokens, record } = told;
    let script = EditScript {
        source: files.place(),
        title,
        prompt,
        ids: &tokens.clean,
        answers: [(old, tokens.answer[0]), (new, tokens.answer_new[0])],
        change,
        p: [[record.p_true, record.p_false], [record.p_true_after, record.p_false_after]],
        device: &device(model),
    };
    script.text()
}
