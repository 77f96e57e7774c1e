//! The edits that figures and sentences are about.

use super::{Dominant, dominant};
use crate::record::{EditLayers, EditRecord, Record, Traced};

/// One edit a fact, by the first method, see [`own_edits`].
pub fn shown_edits(record: &Record) -> Vec<&EditRecord> {
    own_edits(record, 0)
}

/// One edit a fact by a method: of several layers the one at the fact's dominant layer, as a study that edits each fact once
/// would have made it. A fact whose dominant layer is not among the edited ones has none.
pub(super) fn own_edits(record: &Record, method: usize) -> Vec<&EditRecord> {
    let first = record.edits.iter().flatten().filter(|edit| edit.method == method);
    let settings = &record.settings.edit;
    if !settings.layers.is_sweep() {
        return first.collect();
    }
    let own = |order: usize| {
        let (_, traced) = record.validated().find(|(fact, _)| fact.order == order)?;
        dominant(traced, settings.position, false)?.layer()
    };
    // A fact's edits mostly follow each other.
    let mut last = (usize::MAX, None);
    let shown = |edit: &&EditRecord| {
        if last.0 != edit.fact {
            last = (edit.fact, own(edit.fact));
        }
        last.1 == Some(edit.layer)
    };
    first.filter(shown).collect()
}

/// The layers at which a record's settings edit a fact: those that they name, or its dominant one; none where it has none.
pub fn edited_layers(record: &Record, traced: &Traced) -> Vec<usize> {
    let settings = &record.settings.edit;
    match settings.layers.named(record.model.layers) {
        EditLayers::Fixed(layers) => layers,
        EditLayers::Dominant | EditLayers::All => {
            dominant(traced, settings.position, false).and_then(Dominant::layer).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{edit_summaries, edit_summary};
    use super::*;
    use crate::record::{EditLayers, EditMethod, PatchPosition};

    /// Three facts, of which the last one is not localized, with edits at layers 1 and 2 of 3 by two methods.
    fn record() -> Record {
        let fact = |order: usize, curve: &str| {
            format!(
                r#"{{"order":{order},"id":"{order}","relation":"","prompt":"p","subject":"s","target_true":"t","target_new":"n",
                "outcome":"validated","tokens":["s","p"],"subject_span":[0,1],"corrupt_tokens":["c","p"],"corrupt_span":[0,1],
                "p_clean":0.9,"p_corrupt":0.1,"p_false":0.01,"patched":{{"subject-last":{curve}}},
                "without_block":[],"without_attention":[],"without_mlp":[]}}"#
            )
        };
        let facts = [fact(0, "[0.5,0.2,0.1]"), fact(1, "[0.1,0.2,0.5]"), fact(2, "[0.05,0.0,0.1]")].join(",");
        let json = format!(
            r#"{{"engram":1,"program":"t","settings":{{}},"model":{{"name":"m","family":"llama","layers":3,"width":8,
            "parameters":9,"dtype":"f32","config_sha256":"","weights_sha256":"","tokenizer_sha256":""}},
            "device":{{"kind":"cpu","name":"","backend":"native"}},"source":{{"name":"f","sha256":"","count":3}},"facts":[{facts}]}}"#
        );
        let mut record = crate::journal::from_bytes("test", json.as_bytes()).expect("a record");
        record.settings.edit.methods = ["rome", "spsa"].map(|name| EditMethod::named(name).expect("a method")).into();
        let edit =
            |at: usize| EditRecord { method: at / 6, fact: at % 6 / 2, layer: at % 2 + 1, ..EditRecord::default() };
        record.edits = Some((0..12).map(edit).collect());
        record
    }

    fn shown(record: &Record) -> Vec<(usize, usize)> {
        shown_edits(record).into_iter().map(|edit| (edit.fact, edit.layer)).collect()
    }

    #[test]
    fn a_fact_counts_at_its_dominant_layer() {
        let mut record = record();
        assert_eq!(shown(&record).len(), 6, "without several layers all edits of the first method");
        record.settings.edit.layers = EditLayers::of([1, 2]);
        // The second fact's layer is not among them, the third has none.
        assert_eq!(shown(&record), [(0, 1)]);
        assert_eq!(edit_summary(&record).map(|summary| summary.tried), Some(1));
        assert_eq!(edit_summaries(&record).iter().map(|summary| summary.tried).collect::<Vec<_>>(), [1, 1]);
        record.settings.edit.position = PatchPosition::LastToken;
        assert_eq!(shown(&record), [], "not traced there");
        record.edits = None;
        assert_eq!((shown(&record), edit_summary(&record)), (vec![], None));
    }
}
