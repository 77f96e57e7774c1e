//! Both answers of an edit in force, traced without it and with it.

use super::Lab;
use crate::edit::trace_answers;
use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::protocol::{Event, Question};
use crate::record::{FactRecord, Retrace, Settings};
use crate::study;

impl Lab {
    pub(super) async fn retrace(&mut self, edit: u32, question: &Question) -> Result<Event> {
        let Some(overlay) = self.edits.overlay(edit) else {
            return Err(Error::input(format!("edit {edit} is not in force")).hint("it was undone already"));
        };
        let (fact, _) = self.fact_of(question).await?;
        let settings = Settings {
            corruption: self.corruption(&question.corruption, &fact)?,
            positions: question.positions.clone(),
            window: question.window,
            ..Settings::default()
        };
        let settings = study::question(&self.model, &settings)?;
        self.model.overlays = self.edits.overlays_without(edit);
        let before = trace_answers(&self.model, &fact, &settings, None).await;
        let after = match &before {
            Ok(before) => trace_answers(&self.model.with(overlay), &fact, &settings, Some(before)).await,
            Err(error) => Err(error.clone()),
        };
        // Whatever came of it: the edits that were in force are in force.
        self.apply_edits();
        told(&fact, before?, after?)
    }
}

/// What a page needs: the old answer's trace before the edit, and the other three.
fn told(fact: &Fact, before: [FactRecord; 2], after: [FactRecord; 2]) -> Result<Event> {
    let [own, new_before] = before;
    let [old_after, new_after] = after;
    let traced = |record: FactRecord| {
        let lost = || Error::input(format!("{:?} was not traced", fact.prompt()));
        record.traced().cloned().ok_or_else(lost)
    };
    let again =
        Retrace { new_before: traced(new_before)?, old_after: traced(old_after)?, new_after: traced(new_after)? };
    Ok(Event::Retraced { own: Box::new(own), again: Box::new(again) })
}
