//! Scripts that compute a number again elsewhere: where transformers finds the model, and what was computed here.

use crate::wanted::Source;
use engram_core::edit::{Base, renamed};
use engram_core::emit::{CellScript, ChangeFile, EditScript, Files};
use engram_core::load::Model;
use engram_core::record::{EditRecord, Traced};
use engram_core::trace::{Cell, CellName, TokenizedFact};
use std::path::Path;

/// Where transformers finds a model.
pub(super) fn files(source: &Source, model: &Model) -> Files {
    let family = &model.info.family;
    let files = match source {
        Source::Hub(id) => Files::hub(family, id),
        Source::Path(path) if path.is_file() => {
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
            Files::gguf(family, folder.display().to_string(), file)
        }
        Source::Path(path) => Files::folder(family, path.display().to_string()),
        Source::Bundled(bundled) => Files::bundled(family, bundled.name),
    };
    files.noting(model.own_head, model.compute.info.precision)
}

/// As an adapter names it.
pub(super) fn base(files: &Files) -> Base {
    Base { name: files.name.clone(), revision: files.revision.clone() }
}

/// Where it was computed, in words.
fn device(model: &Model) -> String {
    model.compute.info.told()
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
    let note = files.note();
    let script = CellScript {
        source: files.source(note.as_deref()),
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
    let note = files.note();
    let script = EditScript {
        source: files.source(note.as_deref()),
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
