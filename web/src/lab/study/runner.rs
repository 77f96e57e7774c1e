//! Running studies: one model after the other, paused, resumed, and gone on with by itself after an engine was lost.

use super::inbox::FactsFile;
use super::keeper;
use crate::figures::kept::Note;
use crate::figures::live::Live;
use crate::figures::queue::{self, Queued};
use crate::lab::client::{Attachments, Call};
use crate::lab::engine::{now, unexpected};
use crate::lab::place::Place;
use crate::lab::{Engine, browser};
use crate::load::{Opened, Shelf};
use crate::page::Page;
use engram_core::protocol::{Command, Event, Failure, FailureKind, ModelRef, Saved, StudyCommand};
use engram_core::record::{Record, Settings};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// Where the note about the last study is.
pub(super) const NOTE: &str = "engram.study";
/// Where the queue is, as long as something of it is left.
pub(super) const QUEUE: &str = "engram.queue";
/// Between two redraws, in milliseconds.
const PAUSE: f64 = 250.0;
/// How often a study goes on by itself after its engine was lost.
const LOSSES: usize = 2;

/// A study to run.
#[derive(Clone)]
pub(crate) struct Task {
    /// The model.
    pub(crate) model: ModelRef,
    /// Settings; those of its journal count when it has a key.
    pub(crate) settings: Settings,
    /// Facts, unless they are the bundled ones.
    pub(crate) facts: Option<FactsFile>,
    /// Its key, once it was begun.
    pub(crate) key: Option<String>,
    /// What became of it.
    pub(crate) state: State,
}

/// What became of a study in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Others come first.
    Waits,
    /// Its model is loaded.
    Loads,
    /// It runs.
    Runs,
    /// It was paused.
    Paused,
    /// Its record is open.
    Done,
    /// It did not work.
    Failed(String),
}

/// Runs studies. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Runner {
    pub(super) page: Page,
    pub(crate) engine: Engine,
    /// The queue, done ones first.
    pub(crate) queue: RwSignal<Vec<Task>>,
    /// The study at hand; readers are told at most four times a second.
    pub(crate) live: RwSignal<Option<Live>>,
    /// Something runs.
    pub(crate) busy: RwSignal<bool>,
    /// What happened on the way, for people.
    pub(crate) said: RwSignal<Option<String>>,
    /// The studies that this queue has finished.
    pub(crate) done: RwSignal<Shelf>,
    /// Studies that the browser keeps, once it was asked.
    pub(crate) saved: RwSignal<Option<Vec<Saved>>>,
    /// The note about the last study.
    pub(crate) note: RwSignal<Option<Note>>,
    /// What an earlier visit left in its queue.
    pub(crate) left: RwSignal<Option<Vec<Queued>>>,
    stop: StoredValue<bool>,
    /// The study at hand is followed, and another page's.
    watched: StoredValue<bool>,
    call: StoredValue<Option<u32>>,
    drawn: StoredValue<(f64, bool)>,
}

impl Runner {
    /// Nothing runs. The note about the last study is read, which needs no engine.
    pub(crate) fn new(page: Page, engine: Engine) -> Self {
        let note = keeper::stored(engine, NOTE).and_then(|text| Note::read(&text));
        let runner = Self {
            page,
            engine,
            queue: RwSignal::default(),
            live: RwSignal::new(None),
            busy: RwSignal::new(false),
            said: RwSignal::new(None),
            done: RwSignal::default(),
            saved: RwSignal::new(None),
            note: RwSignal::new(note),
            left: RwSignal::new(None),
            stop: StoredValue::new(false),
            watched: StoredValue::new(false),
            call: StoredValue::new(None),
            drawn: StoredValue::new((0.0, false)),
        };
        // Where the engine is another, others are kept. What runs on the computer is followed as soon as the page is there; a queue is
        // offered only once it is known that none of it runs.
        Effect::new(move |before: Option<Place>| {
            let place = engine.place.get();
            if before.is_some_and(|before| before != place) {
                runner.note.set(keeper::stored(engine, NOTE).and_then(|text| Note::read(&text)));
                runner.saved.set(None);
            }
            match place {
                Place::Tab => runner.left.set(keeper::left(engine)),
                Place::Computer => {
                    runner.left.set(None);
                    if engine.offer.with(Option::is_some) {
                        spawn_local(runner.catch_up());
                    }
                }
            }
            place
        });
        // The queue outlives the page, from its first study on.
        Effect::new(move || {
            let kept = runner.queue.with(|queue| (!queue.is_empty()).then(|| unfinished(queue)));
            if let Some(kept) = kept {
                let text = (!kept.is_empty()).then(|| queue::written(&kept)).flatten();
                keeper::store(engine, QUEUE, text.as_deref());
            }
        });
        runner
    }

    /// Runs these studies in place of what was in the queue.
    pub(crate) fn start(self, tasks: Vec<Task>) {
        if !self.busy.get_untracked() {
            self.left.set(None);
            self.queue.set(tasks);
            self.go();
        }
    }

    /// Stops after the fact at hand; the journal keeps what is done.
    pub(crate) fn pause(self) {
        self.stop.set_value(true);
        let key = self.live.with_untracked(|live| live.as_ref().map(|live| live.key.clone()));
        match self.call.get_value() {
            // Cancelling would end the following alone.
            Some(_) if self.watched.get_value() => {
                let pause = Command::PauseStudy { key: key.unwrap_or_default() };
                spawn_local(async move { drop(self.engine.last("pausing the study", pause).await) });
            }
            Some(id) => self.engine.cancel(id),
            // The model is still being loaded.
            None => self.engine.cancel_loading(),
        }
    }

    /// Goes on with the queue.
    pub(crate) fn go(self) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        // What runs stands above the form that began it.
        set_timeout(|| scroll_to(".study-top"), Duration::ZERO);
        self.stop.set_value(false);
        self.said.set(None);
        self.done.set(Shelf::default());
        spawn_local(async move {
            let count = self.queue.with_untracked(Vec::len);
            for place in 0..count {
                if self.stop.get_value() {
                    break;
                }
                if self.queue.with_untracked(|queue| queue[place].state != State::Done) {
                    self.one(place).await;
                }
            }
            self.busy.set(false);
            self.refresh().await;
        });
    }

    fn mark(self, place: usize, state: State) {
        self.queue.update(|queue| {
            if let Some(task) = queue.get_mut(place) {
                task.state = state;
            }
        });
    }

    async fn one(self, place: usize) {
        for loss in 0..=LOSSES {
            let lost = self.engine.lost.get_untracked();
            let failure = match self.attempt(place).await {
                Ok(()) => return self.mark(place, State::Done),
                Err(failure) => failure,
            };
            if failure.cancelled() {
                return self.mark(place, State::Paused);
            }
            let begun = self.queue.with_untracked(|queue| queue[place].key.is_some());
            let gone = self.engine.lost.get_untracked() != lost;
            if !begun || loss == LOSSES || !gone {
                self.said.set(None);
                self.mark(place, State::Failed(failure.message.clone()));
                // A lost engine has been told of already.
                if !gone {
                    self.engine.complain(failure);
                }
                return;
            }
            let text = format!(
                "The engine was lost ({}). The study goes on, attempt {} of {LOSSES}.",
                failure.message,
                loss + 1
            );
            self.said.set(Some(crate::words::visible(&text)));
        }
    }

    async fn attempt(self, place: usize) -> Result<(), Failure> {
        let task = self.queue.with_untracked(|queue| queue[place].clone());
        self.mark(place, State::Loads);
        let loaded = self.engine.load(task.model.clone(), Vec::new()).await?;
        if self.stop.get_value() {
            return Err(Failure { kind: FailureKind::Cancelled, message: "paused".into(), hint: None });
        }
        let mut baggage = Attachments::default();
        if let (Some(facts), None) = (&task.facts, &task.key) {
            let unread = || Failure {
                kind: FailureKind::Io,
                message: format!("{}: the browser could not read it", facts.name()),
                hint: Some("choose the file again; it may have changed since".into()),
            };
            baggage.bytes = Some(browser::read(facts.file(), None).await.ok_or_else(unread)?);
        }
        self.mark(place, State::Runs);
        let mut settings = task.settings;
        settings.edit.layers = settings.edit.layers.named(loaded.info.layers);
        let ask = StudyCommand { facts: task.facts.as_ref().map(FactsFile::name), settings, key: task.key };
        let what = format!("studying {}", loaded.info.name);
        let call = self.engine.ask_with(&what, Command::Study(ask), baggage);
        self.follow(place, &task.model, call).await
    }

    /// Follows a study that runs on the computer, begun by this page before it was closed or by another; then goes on with the rest of
    /// a queue.
    pub(crate) fn watch(self, saved: &Saved, rest: Vec<Task>) {
        if self.busy.get_untracked() {
            return;
        }
        let (key, model, name) = (saved.key.clone(), saved.model.clone(), saved.info.name.clone());
        let saved_key = key.clone();
        let first = Task {
            model: model.clone(),
            settings: Settings::default(),
            facts: None,
            key: Some(key.clone()),
            state: State::Runs,
        };
        self.left.set(None);
        self.queue.set([first].into_iter().chain(rest).collect());
        self.busy.set(true);
        self.watched.set_value(true);
        self.stop.set_value(false);
        self.said.set(None);
        spawn_local(async move {
            let call = self.engine.ask(&format!("following the study of {name}"), Command::WatchStudy { key });
            match self.follow(0, &model, call).await {
                Ok(()) => self.mark(0, State::Done),
                Err(failure) if failure.cancelled() => {
                    self.mark(0, State::Paused);
                    self.let_go(&saved_key).await;
                }
                Err(failure) => self.mark(0, State::Failed(failure.message)),
            }
            self.watched.set_value(false);
            self.busy.set(false);
            let more = self.queue.with_untracked(|queue| queue.iter().any(|task| task.state == State::Waits));
            match more && !self.stop.get_value() {
                true => self.go(),
                false => self.refresh().await,
            }
        });
    }

    /// After the following was stopped, and not the study: it goes on, and is among the kept ones.
    async fn let_go(self, key: &str) {
        self.refresh().await;
        if self.saved.with_untracked(|saved| saved.iter().flatten().any(|saved| saved.running && saved.key == key)) {
            self.stop.set_value(true);
            self.queue.set(Vec::new());
            self.live.set(None);
            self.said.set(Some("The study goes on on that computer. Follow it again under Kept studies.".into()));
        }
    }

    /// Takes what comes of a study, to its end.
    async fn follow(self, place: usize, model: &ModelRef, mut call: Call) -> Result<(), Failure> {
        self.call.set_value(Some(call.id));
        let mut result = Err(unexpected());
        while let Some((news, _)) = call.next().await {
            match news {
                Event::StudyHeader { key, record, note } => {
                    self.begun(place, model, key, *record);
                    if note.is_some() {
                        self.said.set(note);
                    }
                }
                Event::Study { record, .. } => {
                    self.done.update(|done| _ = done.add(opened((*record).clone())));
                    self.open(*record);
                    result = Ok(());
                }
                Event::Failed(failure) => result = Err(failure),
                news => self.heard(news),
            }
        }
        self.call.set_value(None);
        self.engine.done(call.id);
        self.live.notify();
        self.remember(model, result.is_ok());
        result
    }

    fn begun(self, place: usize, model: &ModelRef, key: String, record: Record) {
        self.queue.update(|queue| {
            if let Some(task) = queue.get_mut(place) {
                task.key = Some(key.clone());
            }
        });
        self.live.set(Some(Live::new(key, record, now() / 1e3)));
        self.remember(model, false);
    }

    fn heard(self, news: Event) {
        self.live.update_untracked(|live| {
            let Some(live) = live else { return };
            live.hear(&news, now() / 1e3);
        });
        self.redraw();
    }

    /// Tells readers of the study at hand, at most four times a second.
    fn redraw(self) {
        let (last, waits) = self.drawn.get_value();
        let passed = now() - last;
        if waits {
            return;
        }
        if passed >= PAUSE {
            self.drawn.set_value((now(), false));
            return self.live.notify();
        }
        self.drawn.set_value((last, true));
        let later = move || {
            self.drawn.set_value((now(), false));
            self.live.notify();
            self.keep_note();
        };
        set_timeout(later, Duration::from_millis((PAUSE - passed).max(1.0) as u64));
    }

    /// Writes the note about the study at hand.
    fn remember(self, model: &ModelRef, finished: bool) {
        let note = self.live.with_untracked(|live| {
            let live = live.as_ref()?;
            let (done, of) = live.validated();
            let name = live.record.model.name.clone();
            Some(Note { key: live.key.clone(), model: model.clone(), name, done, of, finished })
        });
        if let Some(note) = note {
            keeper::store(self.engine, NOTE, note.written().as_deref());
            self.note.set(Some(note));
        }
    }

    fn keep_note(self) {
        let now = self.live.with_untracked(|live| live.as_ref().map(Live::validated));
        let old = self.note.get_untracked().filter(|note| !note.finished);
        if let (Some((done, of)), Some(old)) = (now, old)
            && old.done != done
        {
            let note = Note { done, of, ..old };
            keeper::store(self.engine, NOTE, note.written().as_deref());
            self.note.set(Some(note));
        }
    }

    /// Puts a record on the shelf and shows it.
    pub(super) fn open(self, record: Record) {
        if record.facts.is_empty() {
            return self.said.set(Some("The study has no facts yet, so there is nothing to show.".into()));
        }
        let place = self.page.shelf.try_update(|shelf| shelf.add(opened(record)));
        self.page.show(place.unwrap_or_default());
    }
}

/// What is left of a queue.
fn unfinished(queue: &[Task]) -> Vec<Queued> {
    let left = |task: &&Task| !matches!(task.state, State::Done | State::Failed(_));
    let kept = |task: &Task| Queued {
        model: task.model.clone(),
        settings: task.settings.clone(),
        facts: task.facts.as_ref().map(FactsFile::name),
        key: task.key.clone(),
    };
    queue.iter().filter(left).map(kept).collect()
}

fn opened(record: Record) -> Opened {
    let file = format!("{}.engram.json", record.model.name.rsplit('/').next().unwrap_or_default());
    Opened { record, file, note: None }
}

/// Shows the results, which stand below what runs.
pub(crate) fn show_records() {
    // After the record has been drawn.
    set_timeout(|| scroll_to("#records"), Duration::from_millis(50));
}

/// Unfolds a part of the page, and scrolls to it.
pub(super) fn unfold(what: &str) {
    if let Ok(Some(place)) = document().query_selector(what) {
        // It is a `details`, which no browser refuses to open.
        let _ = place.set_attribute("open", "");
        place.scroll_into_view();
    }
}

/// Scrolls to a part of the page.
pub(super) fn scroll_to(what: &str) {
    if let Ok(Some(place)) = document().query_selector(what) {
        place.scroll_into_view();
    }
}
