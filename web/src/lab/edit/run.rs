//! What the screen asks for: an edit, its undo, the change as a file.

use super::again::Again;
use super::maps::{Mapping, Seen};
use crate::figures::edited;
use crate::figures::history::History;
use crate::figures::loss::LossCurve;
use crate::figures::partial::Partial;
use crate::figures::question::{Asked, first_word};
use crate::lab::Engine;
use crate::lab::browser::{focus_soon, keep_focus};
use crate::lab::draft::Draft;
use crate::lab::engine::unexpected;
use crate::lab::pace::Pace;
use crate::page::Page;
use crate::wish::EditWish;
use crate::{sample, words};
use engram_core::metrics::OwnLayer;
use engram_core::protocol::{Command, EditCommand, Event, ModelRef};
use engram_core::record::Record;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::RefCell;
use std::rc::Rc;

/// Tokens of the model's own answer, when the form names none.
const ANSWER: usize = 8;

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Running {
    /// The device and the model are opened.
    Loading,
    /// The map before the edit is traced, by the request of this number.
    Mapping(u32),
    /// The edit is made, by the request of this number.
    Asking(u32),
}

/// What lies over the right column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drawer {
    /// The next edit.
    Settings,
    /// Edits in force, and those that no longer are.
    History,
}

/// What the screen knows. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Editor {
    pub(crate) page: Page,
    pub(crate) engine: Engine,
    /// The question.
    pub(crate) draft: Draft,
    /// The study that comes with the page.
    pub(crate) stored: StoredValue<Option<Record>>,
    /// The search that runs.
    pub(crate) curve: RwSignal<LossCurve>,
    /// Tokens that were read for the second moment of keys, of how many.
    pub(crate) reading: RwSignal<Option<(usize, usize)>>,
    /// The edits that were made here.
    pub(crate) history: RwSignal<History>,
    /// The place of the edit that was made last, or chosen from a list.
    pub(crate) made: RwSignal<Option<usize>>,
    /// What runs.
    pub(crate) running: RwSignal<Option<Running>>,
    /// What an undo did.
    pub(crate) said: RwSignal<Option<String>>,
    /// The maps of those edits, in their order.
    pub(super) seen: RwSignal<Vec<Seen>>,
    /// The map before the edit that is being made.
    pub(super) pending: RwSignal<Option<Partial>>,
    /// The map that is traced.
    pub(super) mapping: RwSignal<Option<Mapping>>,
    /// Both answers of edits, traced again; and the request that traces them.
    pub(super) again: RwSignal<Vec<Again>>,
    pub(super) retracing: RwSignal<Option<u32>>,
    /// What lies over the right column.
    pub(super) drawer: RwSignal<Option<Drawer>>,
    turn: StoredValue<usize>,
}

impl Editor {
    /// The screen as the address wants it.
    pub(crate) fn new(page: Page, engine: Engine) -> Self {
        let record = sample::stored().ok().map(|opened| opened.record);
        let first = record.as_ref().and_then(|record| {
            sample::strongest(record).map(|fact| Asked::of_fact(fact, &record.settings, record.model.layers))
        });
        let editor = Self {
            page,
            engine,
            draft: Draft::new(page, engine, first.unwrap_or_default()),
            stored: StoredValue::new(record),
            curve: RwSignal::default(),
            reading: RwSignal::default(),
            history: RwSignal::default(),
            made: RwSignal::new(None),
            running: RwSignal::new(None),
            said: RwSignal::new(None),
            seen: RwSignal::default(),
            pending: RwSignal::new(None),
            mapping: RwSignal::new(None),
            again: RwSignal::default(),
            retracing: RwSignal::new(None),
            drawer: RwSignal::new(None),
            turn: StoredValue::new(0),
        };
        // With another model, or none, no edit is in force, and nothing that was said about one holds.
        Effect::new(move |before: Option<bool>| {
            let none = engine.model.with(Option::is_none);
            if none && before == Some(false) {
                editor.said.set(None);
                editor.history.update(History::ended);
                // Numbers of edits begin anew.
                editor.again.set(Vec::new());
            }
            none
        });
        // A fact that is sent here to be edited finds the form, not the result of an older edit.
        Effect::new(move |before: Option<usize>| {
            let now = page.to_edit.get();
            if before.is_some_and(|before| before != now) && editor.running.get_untracked().is_none() {
                if untrack(move || editor.stale()).is_some() {
                    editor.made.set(None);
                    editor.said.set(None);
                }
                editor.drawer.set(editor.made.get_untracked().map(|_| Drawer::Settings));
                focus_soon("#edit-new");
            }
            now
        });
        // An edit can be undone from other screens, too.
        Effect::new(move |_| {
            if let Some((left, restored)) = engine.undone.get() {
                editor.said.set(Some(edited::undone(left.len(), restored)));
                editor.history.update(|history| history.undone(&left, restored));
            }
        });
        editor
    }

    /// Loads the model where it is not loaded, and makes the edit.
    pub(crate) fn run(self) {
        if self.running.get_untracked().is_some() {
            return;
        }
        self.draft.change(|_| {});
        let asked = self.draft.asked.get_untracked();
        let wish = self.page.lab.with_untracked(|lab| lab.edit);
        let model = untrack(move || self.draft.model());
        let turn = self.turn.get_value();
        self.curve.set(LossCurve::default());
        self.running.set(Some(Running::Loading));
        self.said.set(None);
        self.drawer.set(None);
        self.stop_map();
        keep_focus("#panel-edit .act .primary");
        spawn_local(async move {
            let made = self.edit(asked, wish, model, turn).await;
            self.running.set(None);
            self.pending.set(None);
            keep_focus("#edit-again");
            // The edit is there already; its map may take its time.
            if let Some(place) = made.filter(|_| self.cheap()) {
                self.map_after(place).await;
            }
        });
    }

    /// Makes the edit: its place in the history.
    async fn edit(self, mut asked: Asked, wish: EditWish, model: ModelRef, turn: usize) -> Option<usize> {
        let engine = self.engine;
        let late = move || self.turn.get_value() != turn;
        if let Err(failure) = engine.load(model.clone(), Vec::new()).await {
            engine.complain(failure);
            return None;
        }
        if late() {
            return None;
        }
        if asked.target.trim().is_empty() {
            let speak = Command::Speak { prompt: asked.filled(), tokens: ANSWER };
            match engine.last("asking for the true answer", speak).await {
                Ok((Event::Spoken(spoken), _)) => asked.target = first_word(&spoken.said),
                Ok(_) => engine.complain(unexpected()),
                Err(failure) => engine.complain(failure),
            }
            if asked.target.is_empty() || late() {
                return None;
            }
            self.draft.change(|now| {
                // What was typed meanwhile is another question.
                if (&now.prompt, &now.subject) == (&asked.prompt, &asked.subject) {
                    now.target = asked.target.clone();
                }
            });
        }
        let seen = self.map_before(&asked, &model).await;
        if late() {
            return None;
        }
        self.pending.set(seen.before.clone());
        let ask = wish.ask(&asked.prompt, &asked.subject, &asked.target, &asked.new);
        let what = format!("editing “{}”", words::short(&words::visible(&asked.filled()), 40));
        // The layer that the form names comes from this trace; the engine would trace with another corruption.
        let own =
            seen.before.as_ref().and_then(|before| OwnLayer::of(before.record.as_ref()?.facts.first()?.traced()?));
        let command = EditCommand { layer: ask.layer.or(own.map(|own| own.layer)), ..ask.clone() };
        let mut call = engine.ask(&what, Command::Edit(command));
        self.running.set(Some(Running::Asking(call.id)));
        let before = self.made.get_untracked();
        self.made.set(None);
        let gradients = wish.method.has_gradients();
        let curve = LossCurve { of: wish.method.steps(), gradients, ..LossCurve::default() };
        self.curve.set(curve.clone());
        let (pace, curve) = (Pace::default(), Rc::new(RefCell::new(curve)));
        let mut made = None;
        while let Some((news, _)) = call.next().await {
            match news {
                Event::Loss { step, of, loss } => {
                    curve.borrow_mut().push(step, of, loss);
                    let drawn = curve.clone();
                    pace.draw(move || self.curve.set(drawn.borrow().clone()));
                }
                Event::Progress { done, of, .. } => self.reading.set((done < of).then_some((done, of))),
                Event::Edited(edited) => made = Some(*edited),
                Event::Failed(failure) => engine.complain(failure),
                _ => {}
            }
        }
        self.reading.set(None);
        engine.done(call.id);
        let Some(edited) = made else {
            self.made.set(before);
            return None;
        };
        engine.edits.update(|edits| edits.push(edited.clone()));
        let place = self.history.try_update(|history| history.made(edited, ask, model))?;
        self.seen.update(|all| all.push(seen));
        self.made.set(Some(place));
        Some(place)
    }

    /// Stops what runs.
    pub(crate) fn cancel(self) {
        self.turn.update_value(|turn| *turn += 1);
        match self.running.get_untracked() {
            Some(Running::Asking(id) | Running::Mapping(id)) => self.engine.cancel(id),
            Some(Running::Loading) => self.engine.cancel_loading(),
            None => {}
        }
    }

    /// Undoes an edit, or all.
    pub(crate) fn undo(self, edit: Option<u32>) {
        let engine = self.engine;
        self.stop_map();
        spawn_local(async move {
            match engine.undo(edit).await {
                Ok(()) => {
                    let open = self.drawer.get_untracked().is_some();
                    keep_focus(if open { "#panel-edit .drawer h2 button" } else { "#edit-history" });
                }
                Err(failure) => engine.complain(failure),
            }
        });
    }

    /// Saves the edits in force as a file: Engram's own, or an adapter of PEFT.
    pub(crate) fn download(self, adapter: bool) {
        self.engine.save("writing the change", if adapter { Command::Adapter } else { Command::Delta });
    }
}
