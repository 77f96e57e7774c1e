//! What is shown, held against the form: whether it belongs to it, and the address that asks for it again.

use super::run::Editor;
use crate::figures::edited::{self, Shown};
use crate::figures::history::{Fate, Past};
use crate::figures::question::Asked;
use crate::figures::{choice, stale};
use crate::files;
use crate::lab::Tab;
use crate::state::{LabState, ViewState};
use crate::wish::EditWish;
use crate::words;
use engram_core::metrics::{OwnLayer, shown_edits};
use engram_core::protocol::{EditCommand, ModelRef};
use engram_core::record::{FactRecord, Reason};
use leptos::prelude::*;

impl Editor {
    /// The edit that was made here and is shown.
    pub(crate) fn past(self) -> Option<Past> {
        let place = self.made.get()?;
        self.history.with(|history| history.get(place).cloned())
    }

    /// The edit that is shown, and whether it is a stored one: one that was made here, or else the stored one of the
    /// question.
    pub(crate) fn shown(self) -> Option<(Shown, bool)> {
        if let Some(past) = self.past() {
            return Some((edited::live(&past), false));
        }
        let asked = self.draft.asked.get();
        let stored = self
            .stored
            .with_value(|record| edited::stored(record.as_ref()?, &asked.filled(), &asked.subject, &asked.new));
        stored.filter(|_| self.running.get().is_none()).map(|shown| (shown, true))
    }

    /// What is shown as a request, with the layer that it took and its model.
    fn asked_for(self) -> Option<(EditCommand, usize, ModelRef)> {
        if let Some(past) = self.past() {
            return Some((past.ask, past.edited.record.layer, past.model));
        }
        let asked = self.draft.asked.get();
        let stored = self.stored.with_value(|record| edited::stored_ask(record.as_ref()?, &asked))?;
        let (ask, layer, name) = stored;
        Some((ask, layer, choice::wanted(&name, None)))
    }

    /// Why what is shown does not belong to the form; nothing where it does.
    pub(crate) fn stale(self) -> Option<String> {
        let stored = self.shown()?.1;
        let (ask, layer, model) = self.asked_for()?;
        let (form, wish) = (self.draft.asked.get(), self.page.lab.with(|lab| lab.edit));
        let same = model.name() == self.draft.model().name();
        // A stored edit says nothing about the steps that would be taken here.
        let wish = if stored { EditWish { layer: wish.layer, ..stale::search_of(&ask) } } else { wish };
        let differs = stale::of_edit(&ask, layer, &form, &wish, same);
        stale::note(&differs, &stale::asked(&ask, &form), model.name())
    }

    /// The address of what is shown; `None` where nothing is.
    pub(crate) fn address(self) -> Option<String> {
        let (ask, _, model) = untrack(move || self.shown().and_then(|_| self.asked_for()))?;
        let mut lab = LabState { tab: Tab::Edit, model: choice::text_of(&model), ..LabState::default() };
        stale::asked(&ask, &Asked::default()).write(&mut lab);
        lab.edit = EditWish { layer: ask.layer, ..stale::search_of(&ask) };
        files::page_address(&[], &ViewState::default(), &lab)
    }

    /// The number of the shown edit, where it is in force.
    pub(super) fn in_force(self) -> Option<u32> {
        self.past().filter(|past| past.fate == Fate::InForce).map(|past| past.edited.edit)
    }

    /// The stored edits, each with its fact's number and prompt.
    pub(super) fn examples(self) -> Vec<(usize, String)> {
        self.stored.with_value(|record| {
            let edits = record.iter().flat_map(shown_edits);
            let fact = |order| record.iter().flat_map(|record| &record.facts).find(move |fact| fact.order == order);
            edits.filter_map(|edit| Some((edit.fact, fact(edit.fact)?.prompt.clone()))).collect()
        })
    }

    /// Shows a stored edit, and asks its question.
    pub(super) fn show(self, order: usize) {
        let found = self.stored.with_value(|record| {
            let record = record.as_ref()?;
            let fact = record.facts.iter().find(|fact| fact.order == order)?;
            Some((Asked::of_fact(fact, &record.settings, record.model.layers), record.model.name.clone()))
        });
        if let Some((asked, model)) = found {
            self.made.set(None);
            self.draft.fill(asked);
            self.page.lab.update(|lab| (lab.model, lab.edit.layer) = (model, None));
        }
    }

    /// No edit of this tab is shown: the form has no result to give way to.
    pub(super) fn fresh(self) -> bool {
        self.made.get().is_none()
    }

    /// Something was edited in this tab.
    pub(super) fn edited(self) -> bool {
        self.history.with(|history| history.get(0).is_some())
    }

    /// What is known of the fact before it is edited: the shown map's, or the one that was traced last.
    fn known_fact(self) -> Option<FactRecord> {
        if let Some(fact) = self.before().and_then(|record| record.facts.into_iter().next()) {
            return Some(fact);
        }
        let (asked, model, edits) = (self.draft.asked.get(), self.draft.model(), self.engine.in_force());
        self.engine.traced.with(|traced| {
            let traced =
                traced.as_ref().filter(|traced| traced.model.as_ref() == Some(&model) && traced.edits == edits)?;
            traced.fact().filter(|fact| fact.prompt == asked.filled() && fact.subject == asked.subject).cloned()
        })
    }

    /// The fact's own layer, where it was traced.
    pub(super) fn own_layer(self) -> Option<OwnLayer> {
        OwnLayer::of(self.known_fact()?.traced()?)
    }

    /// The model's own answer, where it was traced.
    pub(super) fn own_answer(self) -> Option<String> {
        let fact = self.known_fact()?;
        let known = !matches!(fact.outcome.why(), Some((Reason::NotKnown, _)));
        known.then(|| words::visible(fact.target_true.trim()))
    }

    /// The form asks for what is shown again.
    pub(super) fn restore(self) {
        if let Some((ask, _, model)) = untrack(move || self.asked_for()) {
            self.draft.fill(stale::asked(&ask, &self.draft.asked.get_untracked()));
            self.page.lab.update(|lab| {
                lab.edit = EditWish { layer: ask.layer, ..stale::search_of(&ask) };
                lab.model = choice::text_of(&model);
            });
        }
    }
}
