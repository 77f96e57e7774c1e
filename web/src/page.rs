//! What the page knows, and what changes it.

use crate::files;
use crate::load::{Opened, Shelf};
use crate::state::{LabState, ViewState};
use crate::words;
use engram_core::{Error, Result};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// What the page knows.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    /// Open records.
    pub(crate) shelf: RwSignal<Shelf>,
    /// What is chosen.
    pub(crate) state: RwSignal<ViewState>,
    /// What the lab shows.
    pub(crate) lab: RwSignal<LabState>,
    /// Counts the facts that were sent to be edited.
    pub(crate) to_edit: RwSignal<usize>,
    /// What went wrong, each with what to do next.
    pub(crate) errors: RwSignal<Vec<(String, Option<String>)>>,
    /// Files that are being read.
    pub(crate) reading: RwSignal<usize>,
    /// Records that the address names.
    pub(crate) linked: RwSignal<Vec<String>>,
    /// The result that the address carries, packed, as long as it is shown.
    pub(crate) trace: RwSignal<Option<String>>,
}

impl Page {
    /// An empty page with what its address asks for.
    pub(crate) fn new() -> Self {
        let (linked, state, lab) = files::address();
        Self {
            shelf: RwSignal::new(Shelf::default()),
            state: RwSignal::new(state),
            lab: RwSignal::new(lab),
            to_edit: RwSignal::new(0),
            errors: RwSignal::default(),
            reading: RwSignal::new(0),
            linked: RwSignal::new(linked),
            trace: RwSignal::new(files::trace()),
        }
    }

    /// Reads one record after the other, so that their order is the one in which they were given.
    pub(crate) fn read(self, linked: Vec<String>, chosen: Vec<web_sys::File>) {
        self.reading.update(|count| *count += linked.len() + chosen.len());
        spawn_local(async move {
            for address in linked {
                self.take(files::fetch(&address).await, false);
            }
            for file in chosen {
                self.take(files::open(file).await, true);
            }
        });
    }

    fn take(self, opened: Result<Vec<Opened>>, show: bool) {
        self.reading.update(|count| *count = count.saturating_sub(1));
        match opened {
            Ok(opened) => {
                let add = |shelf: &mut Shelf| opened.into_iter().map(|one| shelf.add(one)).collect::<Vec<_>>();
                let places = self.shelf.try_update(add).unwrap_or_default();
                if show {
                    self.show(places.first().copied().unwrap_or_default());
                }
            }
            Err(error) => self.complain(&error),
        }
    }

    /// Tells of an error, until it is dismissed.
    pub(crate) fn complain(self, error: &Error) {
        let said = (words::visible(error.message()), error.page_step().map(words::visible));
        self.errors.update(|errors| errors.push(said));
    }

    /// Shows another record.
    pub(crate) fn show(self, place: usize) {
        self.state.update(|state| {
            if state.record != place {
                *state = ViewState { record: place, fact: None, ..*state };
            }
        });
    }

    /// Closes a record.
    pub(crate) fn close(self, place: usize) {
        self.shelf.update(|shelf| shelf.remove(place));
        // The address names linked records only; once one is closed, their places are no longer known.
        self.linked.set(Vec::new());
        self.state.update(|state| {
            let last = self.shelf.with_untracked(|shelf| shelf.records.len()).saturating_sub(1);
            let record = if state.record > place { state.record - 1 } else { state.record };
            *state = ViewState { record: record.min(last), fact: None, baseline: None, ..*state };
        });
    }

    /// The place of the shown record.
    pub(crate) fn shown(self) -> usize {
        let last = self.shelf.with(|shelf| shelf.records.len()).saturating_sub(1);
        self.state.with(|state| state.record).min(last)
    }
}
