//! What the study screen shows: the study that runs, an open record, or the study that comes with the page; which of its facts are
//! listed, and which one is open.

use super::live::unfinished;
use super::runner::Runner;
use crate::figures::study::{Filter, Line, Opened, apply, lines, shown_fact};
use crate::lab::trace::Tracer;
use crate::page::Page;
use crate::sample;
use crate::state::ViewState;
use engram_core::metrics::MetricConvention;
use engram_core::record::{FactRecord, Record};
use leptos::prelude::*;
use std::time::Duration;

/// Whose facts are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Those of the study that runs, as far as it is.
    Running,
    /// Those of the open record at this place.
    Open(usize),
    /// Those of the study that comes with the page.
    Stored,
    /// Nobody's.
    Nothing,
}

/// The screen's state. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(super) struct Desk {
    pub(super) page: Page,
    pub(super) runner: Runner,
    tracer: Tracer,
    /// The study that comes with the page, once the screen is looked at without another.
    stored: RwSignal<Option<Record>>,
    /// The study that runs is looked at, not a record beside it.
    pub(super) watching: RwSignal<bool>,
    /// Whose facts are shown.
    pub(super) source: Memo<Source>,
    /// How they are looked at.
    pub(super) view: Memo<MetricConvention>,
    /// All of them.
    pub(super) lines: Memo<Vec<Line>>,
    /// Which are listed.
    pub(super) filter: RwSignal<Filter>,
    /// The places of those that are.
    pub(super) found: Memo<Vec<usize>>,
    /// `order` of the fact that is open.
    pub(super) order: Memo<Option<usize>>,
    /// That fact.
    pub(super) opened: Memo<Option<Opened>>,
}

impl Desk {
    /// The screen before anything is chosen.
    pub(super) fn new(page: Page, runner: Runner, tracer: Tracer) -> Self {
        let (stored, watching) = (RwSignal::new(None::<Record>), RwSignal::new(true));
        let source = Memo::new(move |_| {
            let runs = watching.get() && (runner.busy.get() || unfinished(runner));
            let begun = || runner.live.with(|live| live.as_ref().is_some_and(|live| !live.record.facts.is_empty()));
            if runs && begun() {
                return Source::Running;
            }
            match page.shelf.with(|shelf| shelf.records.is_empty()) {
                false => Source::Open(page.shown()),
                true if stored.with(Option::is_some) => Source::Stored,
                true => Source::Nothing,
            }
        });
        let view = Memo::new(move |_| page.state.with(ViewState::view));
        let filter = RwSignal::new(Filter::default());
        let with = Shown { page, runner, stored, source };
        let lines = Memo::new(move |_| with.record(|record| lines(record, &view.get())).unwrap_or_default());
        let found = Memo::new(move |_| lines.with(|lines| filter.with(|filter| apply(lines, filter))));
        let order = Memo::new(move |_| {
            let wanted = page.state.with(|state| state.fact);
            with.record(|record| shown_fact(record, wanted)).flatten()
        });
        let opened = Memo::new(move |_| {
            let (order, view) = (order.get()?, view.get());
            with.record(|record| Opened::of(record, order, &view)).flatten()
        });
        // Bars and chips are those of what is shown.
        Effect::new(move |before: Option<Source>| {
            let now = source.get();
            if before.is_some_and(|before| before != now) {
                filter.update(|filter| (filter.at, filter.group) = Default::default());
            }
            now
        });
        Self { page, runner, tracer, stored, watching, source, view, lines, filter, found, order, opened }
    }

    /// Reads the study that comes with the page, unless it was read.
    pub(super) fn read_stored(self) {
        if self.stored.with_untracked(Option::is_none)
            && let Ok(opened) = sample::stored()
        {
            self.stored.set(Some(opened.record));
        }
    }

    /// Something about the shown record.
    pub(super) fn record<T>(self, of: impl FnOnce(&Record) -> T) -> Option<T> {
        let Self { page, runner, stored, source, .. } = self;
        Shown { page, runner, stored, source }.record(of)
    }

    /// Something about all records that are open, or else the one that comes with the page.
    pub(super) fn records<T>(self, of: impl FnOnce(&[Record]) -> T) -> T {
        self.page.shelf.with(|shelf| match shelf.records.as_slice() {
            [] => self.stored.with(|stored| of(stored.as_slice())),
            records => of(records),
        })
    }

    /// The fact that is open, with all of its numbers.
    pub(super) fn fact(self) -> Option<FactRecord> {
        let order = self.order.get()?;
        self.record(|record| record.facts.iter().find(|fact| fact.order == order).cloned()).flatten()
    }

    /// Opens a fact.
    pub(super) fn choose(self, order: usize) {
        self.page.state.update(|state| state.fact = Some(order));
    }

    /// Opens a fact from further down the page, and goes to it.
    pub(super) fn go_to(self, order: usize) {
        self.filter.update(|filter| (filter.at, filter.group, filter.text) = Default::default());
        self.choose(order);
        set_timeout(move || show_row(order, true), Duration::from_millis(50));
    }

    /// Opens the fact before or behind the open one, among those that are listed.
    pub(super) fn step(self, by: isize) {
        let now = self.order.get_untracked();
        let next = self.lines.with_untracked(|lines| {
            self.found.with_untracked(|found| {
                let orders: Vec<usize> = found.iter().filter_map(|at| lines.get(*at)).map(|line| line.order).collect();
                let at = orders.iter().position(|order| Some(*order) == now);
                let next = at.map_or(Some(0), |at| at.checked_add_signed(by))?;
                orders.get(next).copied()
            })
        });
        if let Some(order) = next {
            self.choose(order);
            show_row(order, false);
        }
    }

    /// Takes the open fact to the trace screen.
    pub(super) fn trace(self) {
        let Some(order) = self.order.get_untracked() else { return };
        if let Some(record) = untrack(|| self.record(|record| sample::only(record, order)).flatten()) {
            self.tracer.show_record(record);
        }
    }
}

/// What of a desk is needed for its record.
#[derive(Clone, Copy)]
struct Shown {
    page: Page,
    runner: Runner,
    stored: RwSignal<Option<Record>>,
    source: Memo<Source>,
}

impl Shown {
    fn record<T>(self, of: impl FnOnce(&Record) -> T) -> Option<T> {
        match self.source.get() {
            Source::Running => self.runner.live.with(|live| live.as_ref().map(|live| of(&live.record))),
            Source::Open(place) => self.page.shelf.with(|shelf| shelf.records.get(place).map(of)),
            Source::Stored => self.stored.with(|stored| stored.as_ref().map(of)),
            Source::Nothing => None,
        }
    }
}

/// Scrolls to a row of the table, where it is not in view.
fn show_row(order: usize, focus: bool) {
    let row = document().query_selector(&format!("tr[data-order=\"{order}\"]")).ok().flatten();
    let Some(row) = row else { return };
    let place = row.get_bounding_client_rect();
    let high = window().inner_height().ok().and_then(|height| height.as_f64()).unwrap_or_default();
    // Bar and header stand above the rows, the status line beneath them.
    let (above, below) = (place.top() < 90.0, place.bottom() > high - 40.0);
    if above || below {
        row.scroll_into_view_with_bool(above || focus);
    }
}
