//! Scripts that compute a number again elsewhere: where transformers finds the model, and what was computed here.

use crate::wanted::Source;
use engram_core::Result;
use engram_core::edit::{Base, renamed};
use engram_core::emit::{
    AblationScript, CellScript, ChangeFile, EditScript, FactText, Files, PutBack, SecondPassScript,
};
use engram_core::load::Model;
use engram_core::metrics::{self, Part};
use engram_core::record::{EditRecord, Settings, Traced, Unit};
use engram_core::trace::{Cell, CellName, CellSite, Number, TokenizedFact};
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

/// A number of a trace; of the fact's texts the clean and the corrupted prompt, and the answer.
pub(super) fn number(
    files: &Files,
    model: &Model,
    tokens: &TokenizedFact,
    [clean, corrupted, answer]: [&str; 3],
    (traced, settings): (&Traced, &Settings),
    number: &Number,
) -> Result<String> {
    let (note, device) = (files.note(), device(model));
    let fact = FactText {
        source: files.source(note.as_deref()),
        prompts: [clean, corrupted],
        ids: [&tokens.clean, &tokens.corrupt],
        answer: (answer, tokens.answer[0]),
        device: &device,
    };
    match number {
        Number::Cell(name) => {
            let cell = name.of(tokens, traced, settings)?;
            let p = [traced.p_clean, traced.p_corrupt, cell.p];
            Ok(CellScript { fact, put_back: put_back(model, name, &cell), positions: cell.positions, p }.text())
        }
        Number::Ablation(layer) => Ok(ablation(fact, traced, *layer).text()),
        Number::SecondPass(name, ablated) => {
            let cell = name.without(*ablated, tokens, traced)?;
            let (layer, positions) = (*cell.layers.end(), cell.positions);
            let p = [traced.p_clean, traced.without_block[ablated - 1], traced.p_corrupt, cell.p];
            Ok(SecondPassScript { fact, ablated: *ablated, layer, positions, p }.text())
        }
    }
}

/// What a cell puts back, with a unit's columns of what the projection after it reads.
fn put_back(model: &Model, name: &CellName, cell: &Cell) -> PutBack {
    let layer = *cell.layers.end();
    match name.site {
        CellSite::Map(site) => PutBack::Map { site, layers: cell.layers.clone() },
        CellSite::Unit(unit, number) => {
            let width = match unit {
                Unit::Head => model.net.heads(layer).dim,
                Unit::Neuron => 1,
            };
            PutBack::Unit { unit, number, layer, columns: number * width..(number + 1) * width }
        }
    }
}

/// The ablations of a layer that the trace has.
fn ablation<'a>(fact: FactText<'a>, traced: &Traced, layer: usize) -> AblationScript<'a> {
    let at = layer - 1;
    let lost = [Part::Block, Part::Attention, Part::Mlp].map(|part| metrics::drop_at(traced, part, layer));
    let [block, attention, mlp] = lost.map(|lost| lost.expect("a trace has every layer's ablations"));
    AblationScript {
        fact,
        layer,
        p: [traced.p_clean, traced.without_block[at], traced.without_attention[at], traced.without_mlp[at]],
        necessity: block,
        mlp_ratio: metrics::mlp_ratio_of(attention, mlp),
    }
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
