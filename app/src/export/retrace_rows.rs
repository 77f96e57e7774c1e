//! Both answers traced again after edits as rows: a layer of one answer's trace before or after an edit.

use super::frame::Kind::{Float, Int, Text};
use super::frame::{Field, Frame, Value};
use super::rows::Study;
use engram_core::Result;
use engram_core::metrics::When;
use engram_core::record::{EditRecord, FactRecord, Retrace, Traced};

const CURVES: [Field; 11] = [
    ("study", Text, false),
    ("method", Text, false),
    ("order", Int, false),
    ("edited_layer", Int, false),
    ("answer", Text, false),
    ("edit", Text, false),
    ("reading", Text, false),
    ("layer", Int, false),
    ("p_clean", Float, false),
    ("p_corrupt", Float, false),
    ("p", Float, false),
];

/// A row per edit that was traced again, answer, model, patch position and layer; the old answer before the edit too, which is
/// the fact's own trace.
pub fn retraces(studies: &[Study<'_>], program: &str) -> Result<Frame> {
    let mut frame = Frame::new(&CURVES, program)?;
    for Study { name, record } in studies {
        let of = |edit: &EditRecord| record.facts.iter().find(|fact| fact.order == edit.fact);
        for edit in record.edits.iter().flatten() {
            let own = of(edit).and_then(FactRecord::traced);
            let (Some(again), Some(own)) = (edit.retrace.as_deref(), own) else { continue };
            let method = record.settings.edit.methods.get(edit.method).map(|method| method.title());
            let named = [Value::from(*name), Value::from(method.unwrap_or_default().as_str())];
            one(&mut frame, &named, edit, own, again)?;
        }
    }
    Ok(frame)
}

fn one(frame: &mut Frame, named: &[Value; 2], edit: &EditRecord, own: &Traced, again: &Retrace) -> Result<()> {
    for when in When::ALL {
        let traced = when.of(own, again);
        let [answer, model] = when.names();
        for (position, curve) in &traced.patched {
            for (at, p) in curve.iter().enumerate() {
                let [study, method] = named.clone();
                frame.row([
                    study,
                    method,
                    edit.fact.into(),
                    edit.layer.into(),
                    answer.into(),
                    model.into(),
                    position.name().into(),
                    (at + 1).into(),
                    traced.p_clean.into(),
                    traced.p_corrupt.into(),
                    (*p).into(),
                ])?;
            }
        }
    }
    Ok(())
}
