//! The map of states before and after an edit, traced by the engine.

use super::run::{Editor, Running};
use crate::figures::partial::{Partial, Stage};
use crate::figures::question::Asked;
use crate::lab::pace::Pace;
use crate::{sample, words};
use engram_core::protocol::{Command, Loaded, ModelRef, Question};
use leptos::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// Parameters of a model from which on no map is traced unasked.
const COSTLY: u64 = 1_000_000_000;

/// The maps of an edit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    /// What is traced.
    question: Option<Question>,
    /// The map before.
    pub(super) before: Option<Partial>,
    /// The map after.
    pub(super) after: Option<Partial>,
}

/// A map that is traced.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mapping {
    /// Its request.
    id: u32,
    /// The edit after which it is; `None` before one.
    pub(super) after: Option<usize>,
    /// What there is of it.
    pub(super) partial: Partial,
}

impl Seen {
    pub(super) fn question(&self) -> Option<Question> {
        self.question.clone()
    }
}

impl Editor {
    fn loaded(self) -> Option<Loaded> {
        self.engine.model.get_untracked()
    }

    /// A map of the loaded model takes so little that nobody needs to be asked.
    pub(super) fn cheap(self) -> bool {
        self.loaded().is_some_and(|loaded| loaded.info.parameters <= COSTLY)
    }

    /// The map of the model as it is: one that is known already, or else one that is traced now.
    pub(super) async fn map_before(self, asked: &Asked, model: &ModelRef) -> Seen {
        let nothing = Seen { question: None, before: None, after: None };
        let Some(loaded) = self.loaded() else { return nothing };
        let question = asked.question(loaded.info.layers);
        let before = match self.known(asked, &loaded) {
            Some(known) => Some(known),
            None if self.cheap() => self.map(question.clone(), model.clone(), None).await,
            None => None,
        };
        // Both maps have one corruption, also where it was left to the engine.
        let used = before.as_ref().and_then(|before| Some(before.record.as_ref()?.settings.corruption.clone()));
        let corruption = used.unwrap_or_else(|| question.corruption.clone());
        Seen { question: Some(Question { corruption, ..question }), before, ..nothing }
    }

    /// The map of this question, model and set of edits that was made on the Trace screen or is stored.
    fn known(self, asked: &Asked, loaded: &Loaded) -> Option<Partial> {
        let edits = untrack(move || self.engine.in_force());
        let here = self.engine.traced.get_untracked().filter(|traced| {
            let same = traced.model.as_ref() == Some(&loaded.model) && traced.edits == edits;
            let corruption = traced.question.as_ref().map(|question| &question.corruption);
            let fact = traced.fact().is_some_and(|fact| {
                let place = (fact.prompt == asked.filled(), fact.subject == asked.subject);
                place == (true, true) && fact.target_true.trim() == asked.target.trim()
            });
            same && fact && corruption == Some(&asked.corruption())
        });
        if here.is_some() || !edits.is_empty() {
            return here;
        }
        self.stored.with_value(|record| {
            let record = record.as_ref().filter(|record| record.model.weights_sha256 == loaded.info.weights_sha256)?;
            let fact = sample::for_question(record, asked, [&asked.target, ""])?;
            Some(Partial { stage: Stage::Done, record: sample::only(record, fact.order), ..Partial::default() })
        })
    }

    /// Traces the map after the edit at a place, with the edit in force.
    pub(super) async fn map_after(self, place: usize) {
        let question = self.seen.with_untracked(|seen| seen.get(place)?.question.clone());
        let model = self.history.with_untracked(|history| history.get(place).map(|past| past.model.clone()));
        let (Some(question), Some(model)) = (question, model) else { return };
        let after = self.map(question, model, Some(place)).await;
        self.seen.update(|seen| {
            if let Some(seen) = seen.get_mut(place) {
                seen.after = after;
            }
        });
    }

    /// Traces a map; what is there of it when it breaks off is kept.
    async fn map(self, question: Question, model: ModelRef, after: Option<usize>) -> Option<Partial> {
        let engine = self.engine;
        let mut partial = Partial::new(question.window, model, untrack(move || engine.in_force()));
        partial.question = Some(question.clone());
        let what = format!("tracing “{}”", words::short(&words::visible(&question.prompt), 40));
        let mut call = engine.ask(&what, Command::Trace(question));
        let id = call.id;
        if after.is_none() {
            self.running.set(Some(Running::Mapping(id)));
        }
        self.mapping.set(Some(Mapping { id, after, partial: partial.clone() }));
        let (pace, partial) = (Pace::default(), Rc::new(RefCell::new(partial)));
        let own = move |mapping: &Option<Mapping>| mapping.as_ref().is_some_and(|mapping| mapping.id == id);
        while let Some((news, _)) = call.next().await {
            partial.borrow_mut().take(news);
            let drawn = partial.clone();
            pace.draw(move || {
                if self.mapping.with_untracked(own) {
                    self.mapping.set(Some(Mapping { id, after, partial: drawn.borrow().clone() }));
                }
            });
        }
        engine.done(id);
        if self.mapping.with_untracked(own) {
            self.mapping.set(None);
        }
        let partial = partial.borrow().clone();
        if let Stage::Stopped(failure) = &partial.stage {
            // What stands in the way of the map before stands in the way of the edit, and that says so.
            if after.is_some() {
                engine.complain(failure.clone());
            }
        }
        partial.fact().is_some().then_some(partial)
    }

    /// Stops the map after an edit. The edit stays.
    pub(super) fn stop_map(self) {
        let after =
            self.mapping.with_untracked(|mapping| mapping.as_ref().filter(|map| map.after.is_some()).map(|map| map.id));
        if let Some(id) = after {
            self.engine.cancel(id);
        }
    }
}
