//! Both answers of an edit in force, traced without it and with it.

use super::Lab;
use super::traces::settings_of;
use crate::edit::Unedited;
use crate::error::{Error, Result};
use crate::protocol::{Event, Question};
use crate::record::Settings;
use crate::study;

impl Lab {
    pub(super) async fn retrace(&mut self, edit: u32, question: &Question) -> Result<Event> {
        let Some(overlay) = self.edits.overlay(edit) else {
            return Err(Error::input(format!("edit {edit} is not in force")).hint("it was undone already"));
        };
        let (fact, _) = self.fact_of(question).await?;
        let settings = Settings { corruption: self.corruption(&question.corruption, &fact)?, ..settings_of(question) };
        let settings = study::question(&self.model, &settings)?;
        self.model.overlays = self.edits.overlays_without(edit);
        let retraced = match Unedited::trace(&self.model, &fact, &settings).await {
            Ok(unedited) => unedited.retraced(&self.model.with(overlay), &fact, &settings).await,
            Err(error) => Err(error),
        };
        // Whatever came of it: the edits that were in force are in force.
        self.apply_edits();
        Ok(Event::Retraced(Box::new(retraced?)))
    }
}
