//! Edits one after the other as rows: a checkpoint, and each edit as it stands there.

use super::edit_rows::losses;
use super::frame::Kind::{Bool, Float, Int, Text};
use super::frame::{Field, Frame, Value};
use super::rows::Study;
use engram_core::Result;
use engram_core::metrics::SequencePoint;

const CHECKPOINTS: [Field; 10] = [
    ("study", Text, false),
    ("method", Text, false),
    ("layer", Int, true),
    ("edits", Int, false),
    ("relative_norm", Float, false),
    ("perplexity_unedited", Float, true),
    ("perplexity", Float, true),
    ("untouched", Int, false),
    ("untouched_kept", Int, false),
    ("collapsed", Bool, false),
];

const EDITED: [Field; 15] = [
    ("study", Text, false),
    ("method", Text, false),
    ("sequence_layer", Int, true),
    ("edits", Int, false),
    ("order", Int, false),
    ("layer", Int, false),
    ("p_true", Float, false),
    ("p_true_after", Float, false),
    ("p_false", Float, false),
    ("p_false_after", Float, false),
    ("nll_true", Float, true),
    ("nll_true_after", Float, true),
    ("nll_new", Float, true),
    ("nll_new_after", Float, true),
    ("failed", Text, true),
];

/// Two tables: a row per checkpoint; per checkpoint and fact that was edited before it.
pub fn sequences(studies: &[Study<'_>], program: &str) -> Result<[Frame; 2]> {
    let (mut checkpoints, mut edited) = (Frame::new(&CHECKPOINTS, program)?, Frame::new(&EDITED, program)?);
    for Study { name, record } in studies {
        let study = Value::from(*name);
        for sequence in &record.sequences {
            let method = record.settings.edit.methods.get(sequence.method).map(|method| method.title());
            let method = Value::from(method.unwrap_or_default().as_str());
            let layer = Value::from(sequence.layer);
            for checkpoint in &sequence.checkpoints {
                let [before, now] = checkpoint.perplexity.map_or([None; 2], |both| both.map(Some));
                checkpoints.row([
                    study.clone(),
                    method.clone(),
                    layer.clone(),
                    checkpoint.edits.into(),
                    checkpoint.relative_norm.into(),
                    before.into(),
                    now.into(),
                    checkpoint.untouched.len().into(),
                    checkpoint.untouched.iter().filter(|one| !one.flipped).count().into(),
                    SequencePoint::of(checkpoint).is_collapsed().into(),
                ])?;
                for edit in &checkpoint.edited {
                    let [nll_true, nll_true_after, nll_new, nll_new_after] = losses(edit.answers.as_ref());
                    edited.row([
                        study.clone(),
                        method.clone(),
                        layer.clone(),
                        checkpoint.edits.into(),
                        edit.fact.into(),
                        edit.layer.into(),
                        edit.p_true.into(),
                        edit.p_true_after.into(),
                        edit.p_false.into(),
                        edit.p_false_after.into(),
                        nll_true,
                        nll_true_after,
                        nll_new,
                        nll_new_after,
                        Value::from(edit.failed.as_deref()),
                    ])?;
                }
            }
        }
    }
    Ok([checkpoints, edited])
}
