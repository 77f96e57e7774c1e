//! An edit's prompt traced for both answers, before the edit and with it in force: where the old answer was carried, where the
//! new one is, and what other layers make up for.

use super::tokens_of;
use crate::error::Result;
use crate::facts::Fact;
use crate::load::Model;
use crate::record::{FactRecord, Outcome, PatchPosition, Retrace, Settings, Traced};
use crate::run::Sites;
use crate::tensor::Overlay;
use crate::trace::{Extras, OneFact, SecondPass, own_blocks, trace_one};
use serde::Serialize;
use std::collections::BTreeMap;

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
    let old = trace_answer(model, fact, settings, same.map_or(SecondPass::Own, SecondPass::Of), true).await?;
    let new = trace_answer(model, &of_new_answer(fact), settings, SecondPass::Own, true).await?;
    Ok([old, new])
}

/// Retraces the edits of a study. A fact's new answer in the unedited model is traced once, whichever methods edit the fact.
#[derive(Default)]
pub struct Retracer {
    new_before: BTreeMap<usize, Traced>,
}

impl Retracer {
    /// Traces both answers with an edit of a fact in force. `own` is the fact's trace: maps are made where it has some, and
    /// second passes are without the blocks that it is without.
    ///
    /// # Errors
    /// When a number is none, the device fails, or memory is short.
    pub async fn retrace(
        &mut self,
        model: &Model,
        edit: Overlay,
        (order, fact, own): (usize, &Fact, &Traced),
        settings: &Settings,
    ) -> Result<Retrace> {
        let blocks: Vec<(PatchPosition, usize)> =
            own.redundancy.iter().map(|(position, curve)| (*position, curve.ablated)).collect();
        let swapped = of_new_answer(fact);
        let trace = async |model: &Model, fact: &Fact| {
            let second = SecondPass::Of(blocks.clone());
            let record = trace_answer(model, fact, settings, second, own.maps.is_some()).await?;
            Ok(record.traced().cloned().unwrap_or_default())
        };
        let new_before = match self.new_before.get(&order) {
            Some(known) => known.clone(),
            None => trace(model, &swapped).await?,
        };
        self.new_before.insert(order, new_before.clone());
        let edited = &model.with(edit);
        Ok(Retrace { new_before, old_after: trace(edited, fact).await?, new_after: trace(edited, &swapped).await? })
    }
}

/// The fact with its new answer in the place of the old one.
fn of_new_answer(fact: &Fact) -> Fact {
    let [yes, no] = &fact.answer_ids;
    Fact {
        target_true: fact.target_new.clone(),
        target_new: fact.target_true.clone(),
        answer_ids: [no.clone(), yes.clone()],
        ..fact.clone()
    }
}

async fn trace_answer(
    model: &Model,
    fact: &Fact,
    settings: &Settings,
    second: SecondPass,
    maps: bool,
) -> Result<FactRecord> {
    let tokens = tokens_of(model, fact, settings)?;
    let one = OneFact::capture(model, tokens, settings, &Sites::to_resume()).await?;
    let extras = Extras { lens: false, second, maps, units: None };
    let traced = trace_one(model, &one, settings, &extras, &mut |_| {}).await?;
    Ok(fact.record(0, Outcome::of(traced, one.dropped.as_ref())))
}
