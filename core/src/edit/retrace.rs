//! An edit's prompt traced for both answers, before the edit and with it in force: where the old answer was carried, where the
//! new one is, and what other layers make up for.

use super::tokens_of;
use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::load::Model;
use crate::record::{Dropped, FactRecord, Outcome, PatchPosition, Retrace, Retraced, Settings, Traced};
use crate::run::Sites;
use crate::tensor::Overlay;
use crate::trace::{Extras, OneFact, SecondPass, own_blocks, trace_one};
use std::collections::BTreeMap;

/// Both answers in the unedited model, with maps and, where there is an effect, the second pass.
#[derive(Debug)]
pub struct Unedited {
    own: FactRecord,
    new: Traced,
}

impl Unedited {
    /// Traces both answers; `model` is without the edit.
    ///
    /// # Errors
    /// When a number is none, the device fails, or memory is short.
    pub async fn trace(model: &Model, fact: &Fact, settings: &Settings) -> Result<Self> {
        let (old, dropped) = trace_answer(model, fact, settings, SecondPass::Own, true).await?;
        let (new, _) = trace_answer(model, &of_new_answer(fact), settings, SecondPass::Own, true).await?;
        Ok(Self { own: fact.record(0, Outcome::of(old, dropped.as_ref())), new })
    }

    /// Traces them with the edit in force; `edited` has it. The old answer's second pass is without the blocks that it was
    /// without before.
    ///
    /// # Errors
    /// When a number is none, the device fails, or memory is short.
    pub async fn retraced(self, edited: &Model, fact: &Fact, settings: &Settings) -> Result<Retraced> {
        let old = self.own.traced().filter(|old| !old.redundancy.is_empty());
        let same = old.map_or(SecondPass::Own, |old| SecondPass::Of(own_blocks(old, &settings.positions)));
        let (old_after, _) = trace_answer(edited, fact, settings, same, true).await?;
        let (new_after, _) = trace_answer(edited, &of_new_answer(fact), settings, SecondPass::Own, true).await?;
        Ok(Retraced { own: self.own, again: Retrace { new_before: self.new, old_after, new_after } })
    }
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
            Ok::<_, Error>(trace_answer(model, fact, settings, second, own.maps.is_some()).await?.0)
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

/// An answer's trace, and why a study would drop it.
async fn trace_answer(
    model: &Model,
    fact: &Fact,
    settings: &Settings,
    second: SecondPass,
    maps: bool,
) -> Result<(Traced, Option<Dropped>)> {
    let tokens = tokens_of(model, fact, settings)?;
    let one = OneFact::capture(model, tokens, settings, &Sites::to_resume()).await?;
    let extras = Extras { lens: false, second, maps, units: None };
    Ok((trace_one(model, &one, settings, &extras, &mut |_| {}).await?, one.dropped))
}
