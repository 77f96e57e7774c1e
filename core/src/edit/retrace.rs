//! An edit's prompt traced for both answers, before the edit and with it in force: where the old answer was carried, where the
//! new one is, and what other layers make up for.

use super::tokens_of;
use crate::error::Result;
use crate::facts::Fact;
use crate::load::Model;
use crate::record::{FactRecord, Outcome, PatchPosition, Settings};
use crate::run::Sites;
use crate::trace::{Extras, OneFact, SecondPass, own_blocks, trace_one};
use serde::Serialize;

/// Traces of the old and of the new answer, with maps and, where there is an effect, the second pass.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Retraced {
    /// The model as it was.
    pub before: [FactRecord; 2],
    /// The edited model; of the old answer the second pass is without the blocks that it was without before.
    pub after: [FactRecord; 2],
}

/// Traces both answers with the edits that are in force. `before` has the same of the unedited model, where there is one.
///
/// # Errors
/// When the device fails, or memory is short.
pub async fn trace_answers(
    model: &Model,
    fact: &Fact,
    settings: &Settings,
    before: Option<&[FactRecord; 2]>,
) -> Result<[FactRecord; 2]> {
    let removed = |old: &FactRecord| -> Option<Vec<(PatchPosition, usize)>> {
        let blocks = own_blocks(old.traced()?, &settings.positions);
        (!old.traced()?.redundancy.is_empty()).then_some(blocks)
    };
    let same = before.and_then(|[old, _]| removed(old));
    let old = trace_answer(model, fact, settings, same.map_or(SecondPass::Own, SecondPass::Of)).await?;
    let [yes, no] = &fact.answer_ids;
    let swapped = Fact {
        target_true: fact.target_new.clone(),
        target_new: fact.target_true.clone(),
        answer_ids: [no.clone(), yes.clone()],
        ..fact.clone()
    };
    let new = trace_answer(model, &swapped, settings, SecondPass::Own).await?;
    Ok([old, new])
}

async fn trace_answer(model: &Model, fact: &Fact, settings: &Settings, second: SecondPass) -> Result<FactRecord> {
    let tokens = tokens_of(model, fact, settings)?;
    let one = OneFact::capture(model, tokens, settings, &Sites::to_resume()).await?;
    let extras = Extras { lens: false, second, maps: true, units: None };
    let traced = trace_one(model, &one, settings, &extras, &mut |_| {}).await?;
    Ok(fact.record(0, Outcome::of(traced, one.dropped.as_ref())))
}
