//! Studies that the browser keeps: listing, opening, forgetting, and going on with them.

use super::inbox::{self, FactsFile};
use super::runner::{NOTE, QUEUE, Runner, State, Task, show_records};
use crate::figures::kept::Note;
use crate::figures::queue::{self, Queued};
use crate::lab::engine::unexpected;
use crate::lab::place::Place;
use crate::lab::{Engine, browser};
use engram_core::protocol::{Command, Event, Failure, ModelRef};
use engram_core::record::Settings;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// Whether studies outlive this tab: browsers give files to secure pages only.
fn lasting() -> bool {
    browser::secure_and_gpu().0
}

/// Where what was finished is kept.
pub(super) fn place(engine: Engine) -> &'static str {
    match engine.place.get() {
        Place::Computer => "kept on that computer",
        Place::Tab if lasting() => "kept in this browser",
        Place::Tab => "kept until this tab is closed",
    }
}

/// What the browser stores about kept studies under this name, where they outlive the tab.
pub(super) fn stored(engine: Engine, name: &str) -> Option<String> {
    let place = engine.place.get_untracked();
    browser::stored(&place.kept(name)).filter(|_| place == Place::Computer || lasting())
}

/// Stores a text about kept studies, where they outlive the tab.
pub(super) fn store(engine: Engine, name: &str, text: Option<&str>) {
    let place = engine.place.get_untracked();
    browser::store(&place.kept(name), text.filter(|_| place == Place::Computer || lasting()));
}

/// What an earlier visit left in its queue.
pub(super) fn left(engine: Engine) -> Option<Vec<Queued>> {
    stored(engine, QUEUE).and_then(|text| queue::read_queue(&text))
}

impl Runner {
    /// Goes on with a kept study.
    pub(crate) fn resume(self, note: &Note) {
        let same = self.saved.with_untracked(|saved| {
            let saved = saved.iter().flatten().find(|saved| saved.key == note.key)?;
            let loaded = self.engine.model.get_untracked()?;
            (loaded.info.weights_sha256 == saved.info.weights_sha256).then_some(loaded.model)
        });
        let from_disk = matches!(note.model, ModelRef::Files { .. });
        if from_disk
            && same.is_none()
            && self.engine.model.with_untracked(|model| model.as_ref().is_none_or(|loaded| loaded.model != note.model))
        {
            let text = format!(
                "{} came from files on this machine, which a page may not open by itself: open them in the Models tab, then resume.",
                crate::words::visible(&note.name)
            );
            return self.said.set(Some(text));
        }
        let task = Task {
            model: same.unwrap_or_else(|| note.model.clone()),
            settings: Settings::default(),
            facts: None,
            key: Some(note.key.clone()),
            state: State::Waits,
        };
        self.start(vec![task]);
    }

    /// Goes on with the queue of an earlier visit.
    pub(crate) fn resume_queue(self) {
        let Some(left) = self.left.get_untracked() else { return };
        if let Some(tasks) = self.tasks(left) {
            self.start(tasks);
        }
    }

    /// A queue of an earlier visit; nothing where it wants a file that has to be chosen again.
    fn tasks(self, left: Vec<Queued>) -> Option<Vec<Task>> {
        let facts = inbox::chosen().get_untracked();
        if let Some(name) = queue::missing(&left, facts.as_ref().map(FactsFile::name).as_deref()) {
            let name = crate::words::visible(name);
            let text = format!(
                "{name} was chosen before the page was loaded again, and a page may not open it by itself: choose it under Facts, then resume."
            );
            self.said.set(Some(text));
            return None;
        }
        let task = |one: Queued| Task {
            facts: facts.clone().filter(|_| one.facts.is_some() && one.key.is_none()),
            model: one.model,
            settings: one.settings,
            key: one.key,
            state: State::Waits,
        };
        Some(left.into_iter().map(task).collect())
    }

    /// Forgets the queue of an earlier visit. What was finished of its studies stays kept.
    pub(crate) fn forget_queue(self) {
        store(self.engine, QUEUE, None);
        self.left.set(None);
    }

    /// Asks which studies are kept.
    pub(crate) async fn refresh(self) {
        let answer = self.engine.last("looking for kept studies", Command::Studies).await;
        self.kept(answer.map(|answer| answer.0));
    }

    /// Follows the study that runs, where there is one; what else was in its queue comes after it. Where none does, a queue of an earlier
    /// visit is offered.
    pub(crate) async fn catch_up(self) {
        self.refresh().await;
        let running = self.saved.with_untracked(|saved| saved.iter().flatten().find(|saved| saved.running).cloned());
        let left = left(self.engine);
        let Some(saved) = running else { return self.left.set(left) };
        let mut rest = left.clone().unwrap_or_default();
        rest.retain(|one| one.key.as_ref() != Some(&saved.key));
        match self.tasks(rest) {
            Some(rest) => self.watch(&saved, rest),
            // It needs a file again, and is offered as it is.
            None => self.left.set(left),
        }
    }

    /// Opens the record of a kept study.
    pub(crate) fn open_kept(self, key: String) {
        spawn_local(async move {
            match self.engine.last("opening a kept study", Command::OpenStudy { key }).await {
                Ok((Event::Study { record, .. }, _)) => {
                    self.open(*record);
                    show_records();
                }
                Ok(_) => self.engine.complain(unexpected()),
                Err(failure) => self.engine.complain(failure),
            }
        });
    }

    /// Forgets a kept study.
    pub(crate) fn forget(self, key: String) {
        spawn_local(async move {
            let answer = self.engine.last("deleting a kept study", Command::DropStudy { key }).await;
            self.kept(answer.map(|answer| answer.0));
        });
    }

    fn kept(self, answer: Result<Event, Failure>) {
        match answer {
            Ok(Event::Studies { studies }) => {
                let newest = studies.iter().find(|saved| !saved.finished).or(studies.first()).map(Note::from);
                store(self.engine, NOTE, newest.as_ref().and_then(Note::written).as_deref());
                self.note.set(newest);
                self.saved.set(Some(studies));
            }
            Ok(_) => self.engine.complain(unexpected()),
            Err(failure) => self.engine.complain(failure),
        }
    }
}
