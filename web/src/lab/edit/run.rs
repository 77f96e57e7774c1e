//! What the tab shows, and what it asks for: an edit, taking edits back, the change as a file.

use crate::figures::edited::{self, Shown};
use crate::figures::history::{History, Past};
use crate::figures::loss::LossCurve;
use crate::figures::question::{Asked, first_word};
use crate::figures::{choice, stale};
use crate::lab::draft::Draft;
use crate::lab::engine::unexpected;
use crate::lab::pace::Pace;
use crate::lab::{Engine, Tab};
use crate::page::Page;
use crate::state::{LabState, ViewState};
use crate::take;
use crate::wish::EditWish;
use crate::{files, sample, words};
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
    /// The request of this number.
    Asking(u32),
}

/// What the tab knows. A handle: copies are the same.
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
    /// What taking back did.
    pub(crate) said: RwSignal<Option<String>>,
    turn: StoredValue<usize>,
}

impl Editor {
    /// The tab as the address wants it.
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
            turn: StoredValue::new(0),
        };
        // With another model, or none, no edit is in force, and nothing that was said about one holds.
        Effect::new(move |before: Option<bool>| {
            let none = engine.model.with(Option::is_none);
            if none && before == Some(false) {
                editor.said.set(None);
                editor.history.update(History::ended);
            }
            none
        });
        editor
    }

    /// The edit that was made here and is shown.
    pub(crate) fn past(self) -> Option<Past> {
        let place = self.made.get()?;
        self.history.with(|history| history.get(place).cloned())
    }

    /// The edit that is shown, and whether it is a stored one: one that was made here, or else the stored one of the
    /// question.
    pub(crate) fn shown(self) -> Option<(Shown, bool)> {
        if let Some(past) = self.past() {
            return Some((edited::live(&past.edited), false));
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

    /// Loads the model where it is not loaded, and makes the edit.
    pub(crate) fn run(self) {
        if self.running.get_untracked().is_some() {
            return;
        }
        self.draft.change(|_| {});
        let asked = self.draft.asked.get_untracked();
        let model = untrack(move || self.draft.model());
        let turn = self.turn.get_value();
        self.curve.set(LossCurve::default());
        self.running.set(Some(Running::Loading));
        self.said.set(None);
        spawn_local(async move {
            self.edit(asked, model, turn).await;
            self.running.set(None);
        });
    }

    async fn edit(self, mut asked: Asked, model: ModelRef, turn: usize) {
        let engine = self.engine;
        if let Err(failure) = engine.load(model.clone(), Vec::new()).await {
            return engine.complain(failure);
        }
        if self.turn.get_value() != turn {
            return;
        }
        if asked.target.trim().is_empty() {
            let speak = Command::Speak { prompt: asked.filled(), tokens: ANSWER };
            match engine.last("asking for the present answer", speak).await {
                Ok((Event::Spoken(spoken), _)) => asked.target = first_word(&spoken.said),
                Ok(_) => return engine.complain(unexpected()),
                Err(failure) => return engine.complain(failure),
            }
            self.draft.change(|now| now.target = asked.target.clone());
            if self.turn.get_value() != turn {
                return;
            }
        }
        let wish = self.page.lab.with_untracked(|lab| lab.edit);
        let ask = wish.ask(&asked.prompt, &asked.subject, &asked.target, &asked.new);
        let what = format!("editing “{}”", words::short(&words::visible(&asked.filled()), 40));
        let mut call = engine.ask(&what, Command::Edit(ask.clone()));
        self.running.set(Some(Running::Asking(call.id)));
        let before = self.made.get_untracked();
        self.made.set(None);
        let gradients = wish.method.has_gradients();
        let curve = LossCurve { gradients, ..LossCurve::default() };
        let (pace, curve) = (Pace::default(), Rc::new(RefCell::new(curve)));
        self.curve.set(LossCurve {
            of: wish.method.steps(),
            gradients: wish.method.has_gradients(),
            ..LossCurve::default()
        });
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
        match made {
            Some(edited) => {
                engine.edits.update(|edits| edits.push(edited.clone()));
                self.made.set(self.history.try_update(|history| history.made(edited, ask, model)));
            }
            None => self.made.set(before),
        }
    }

    /// Stops what runs.
    pub(crate) fn cancel(self) {
        self.turn.update_value(|turn| *turn += 1);
        match self.running.get_untracked() {
            Some(Running::Asking(id)) => self.engine.cancel(id),
            Some(Running::Loading) => self.engine.cancel_loading(),
            None => {}
        }
    }

    /// Takes an edit back, or all.
    pub(crate) fn undo(self, edit: Option<u32>) {
        let engine = self.engine;
        spawn_local(async move {
            match engine.last("taking edits back", Command::Undo { edit }).await {
                Ok((Event::Undone { left, restored }, _)) => {
                    engine.edits.update(|edits| edits.retain(|edited| left.contains(&edited.edit)));
                    self.said.set(Some(edited::undone(left.len(), restored)));
                    self.history.update(|history| history.taken_back(&left, restored));
                }
                Ok(_) => engine.complain(unexpected()),
                Err(failure) => engine.complain(failure),
            }
        });
    }

    /// Saves the edits in force as a file.
    pub(crate) fn download(self) {
        let engine = self.engine;
        spawn_local(async move {
            match engine.last("writing the change", Command::Delta).await {
                Ok((Event::File { name }, Some(bytes))) => {
                    take::save(&name, "application/octet-stream", &bytes.to_vec());
                }
                Ok(_) => engine.complain(unexpected()),
                Err(failure) => engine.complain(failure),
            }
        });
    }
}
