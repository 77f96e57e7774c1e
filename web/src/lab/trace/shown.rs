//! What is shown, held against the form: whether it belongs to it, and the address that asks for it again.

use super::run::{Source, Tracer};
use crate::figures::question::Asked;
use crate::figures::{choice, stale};
use crate::lab::Tab;
use crate::state::{LabState, ViewState};
use crate::{files, link};
use engram_core::protocol::ModelRef;
use engram_core::record::Settings;
use leptos::prelude::*;

/// That other edits are in force.
const EDITS: &str = "set of edits";

impl Tracer {
    /// The question that what is shown answers, and name and depth of the model that answered.
    fn answered(self) -> Option<(Asked, String, usize)> {
        self.with_record(|record| {
            let asked = Asked::of_fact(record.facts.first()?, &record.settings, record.model.layers);
            Some((asked, record.model.name.clone(), record.model.layers))
        })?
    }

    /// The model that was asked here, with the edits that were in force; `None` where it was not asked here.
    fn asked_here(self) -> Option<(ModelRef, Vec<(u32, f64)>)> {
        if self.source.get() != Source::Live {
            return None;
        }
        self.live.with(|live| live.as_ref().and_then(|live| Some((live.model.clone()?, live.edits.clone()))))
    }

    /// In what the form differs from what is shown, with the question and the model's name of that.
    fn differences(self) -> Option<(Vec<&'static str>, Asked, String)> {
        let (asked, name, layers) = self.answered()?;
        let (mut form, wanted) = (self.draft.asked.get(), self.draft.model());
        if form.window == Settings::usual_window(layers) {
            form.window = 0;
        }
        let (same, edits) = match self.asked_here() {
            Some((model, edits)) => (model == wanted, edits == self.engine.in_force()),
            None => (wanted.name() == name, true),
        };
        let mut differs = stale::of_question(&asked, &form, same);
        // With another model its edits are gone anyway.
        differs.extend((same && !edits).then_some(EDITS));
        Some((differs, asked, name))
    }

    /// What takes the form back to what is shown, where it asks for something else, edits aside.
    pub(super) fn asks_otherwise(self) -> Option<&'static str> {
        let (differs, ..) = self.differences()?;
        let has = |of: &[&str]| differs.iter().any(|one| of.contains(one));
        match differs.iter().all(|one| *one == EDITS) {
            true => None,
            false if has(&["prompt", "subject"]) => Some("Restore that prompt"),
            false => Some("Back to the shown settings"),
        }
    }

    /// Why what is shown does not belong to the form; nothing where it does, or while it is computed.
    pub(crate) fn stale(self) -> Option<String> {
        if self.running.get().is_some() && self.source.get() == Source::Live {
            return None;
        }
        let (differs, asked, name) = self.differences()?;
        stale::note(&differs, &asked, &name)
    }

    /// The address that asks for what is shown, with its numbers where they came with a link; `None` where nothing is shown.
    pub(super) fn address(self) -> Option<String> {
        let (asked, name, _) = untrack(move || self.answered())?;
        let model = match untrack(move || self.asked_here()) {
            Some((model, _)) => choice::text_of(&model),
            None => {
                let record = self.record_now()?;
                self.page.lab.with_untracked(|lab| link::model(&record, &lab.model))
            }
        };
        let model = if model.is_empty() { name } else { model };
        let (layer, map) = self.page.lab.with_untracked(|lab| (lab.layer, lab.map));
        let mut lab = LabState { tab: Tab::Trace, model, layer, map, ..LabState::default() };
        asked.write(&mut lab);
        let state = self.page.state.get_untracked();
        let state = ViewState { position: state.position, argmax_always: state.argmax_always, ..ViewState::default() };
        let mut address = files::page_address(&[], &state, &lab)?;
        let brought = self.text.get_untracked().filter(|_| self.source.get_untracked() == Source::Linked);
        address.extend(brought.as_deref().map(link::hash));
        Some(address)
    }
}
