//! What the tab shows, and the run that makes it: the stored facts, a live trace, cancelling.

use crate::figures::choice;
use crate::figures::partial::{Partial, Stage};
use crate::figures::question::Asked;
use crate::lab::draft::Draft;
use crate::lab::pace::Pace;
use crate::lab::{Engine, Tab};
use crate::page::Page;
use crate::{files, link, sample, words};
use engram_core::protocol::{Command, MapSite, ModelRef, Question};
use engram_core::record::{FactRecord, Record, Settings};
use leptos::task::spawn_local;
use leptos::{ev, prelude::*};
use std::cell::RefCell;
use std::rc::Rc;

/// Traces that are kept for the way back.
const PAST: usize = 12;

/// Whose numbers are on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody's: the address brought a question that no stored fact answers.
    Nothing,
    /// The stored fact of this order.
    Stored(usize),
    /// The one that a link brought.
    Linked,
    /// One of a study that is open on its own screen.
    Handed,
    /// Those that were computed here.
    Live,
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Running {
    /// The device and the model are opened.
    Loading,
    /// The request of this number.
    Tracing(u32),
}

/// What the tab knows. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Tracer {
    pub(crate) page: Page,
    pub(crate) engine: Engine,
    /// The question.
    pub(crate) draft: Draft,
    /// The study that comes with the page.
    pub(crate) stored: StoredValue<Option<Record>>,
    /// Whose numbers are shown.
    pub(crate) source: RwSignal<Source>,
    /// The trace that a link brought, and the link's text.
    pub(super) linked: RwSignal<Option<Partial>>,
    pub(super) text: RwSignal<Option<String>>,
    /// The record of one fact that the study screen handed over.
    handed: RwSignal<Option<Record>>,
    /// The last trace that was made here.
    pub(crate) live: RwSignal<Option<Partial>>,
    /// What runs.
    pub(crate) running: RwSignal<Option<Running>>,
    /// The fact that is shown.
    pub(crate) fact: Memo<Option<FactRecord>>,
    /// Earlier traces of this tab with their questions, newest last.
    past: StoredValue<Vec<(Asked, Partial)>>,
    /// Counts the facts that were opened: each is looked at anew.
    pub(super) opened: RwSignal<usize>,
    /// Counts the steps back and forward: a trace that was begun before one is not drawn over what that shows.
    steps: StoredValue<usize>,
    /// Counts what was begun and cancelled, so that a late answer knows that it is late.
    turn: StoredValue<usize>,
}

impl Tracer {
    /// The tab as the address wants it.
    pub(crate) fn new(page: Page, engine: Engine) -> Self {
        let record = sample::stored().ok().map(|opened| opened.record);
        let asked = page.lab.with_untracked(Asked::of);
        let first = record.as_ref().and_then(|record| {
            let fact = sample::strongest(record)?;
            Some((Asked::of_fact(fact, &record.settings, record.model.layers), fact.order))
        });
        let source = match (&record, &first) {
            (_, Some((_, order))) if asked.is_empty() => Source::Stored(*order),
            (Some(record), _) => stored_answer(record, &asked),
            _ => Source::Nothing,
        };
        let draft = Draft::new(page, engine, first.map(|first| first.0).unwrap_or_default());
        let (stored, source, live) = (StoredValue::new(record), RwSignal::new(source), RwSignal::new(None::<Partial>));
        let (linked, text) = (RwSignal::new(None::<Partial>), RwSignal::new(None));
        let handed = RwSignal::new(None::<Record>);
        let fact = Memo::new(move |_| match source.get() {
            Source::Nothing => None,
            Source::Linked => linked.with(fact_of),
            Source::Handed => handed.with(|record| record.as_ref()?.facts.first().cloned()),
            Source::Live => live.with(fact_of),
            Source::Stored(order) => {
                stored.with_value(|record| record.as_ref()?.facts.iter().find(|fact| fact.order == order).cloned())
            }
        });
        // Whoever loads a model wants to ask it.
        Effect::new(move |before: Option<Option<ModelRef>>| {
            let now = engine.model.with(|model| model.as_ref().map(|loaded| loaded.model.clone()));
            if let Some(model) = now.as_ref().filter(|_| before.as_ref() != Some(&now)) {
                let text = choice::text_of(model);
                if page.lab.with_untracked(|lab| !lab.model.is_empty() && lab.model != text) {
                    page.lab.update(|lab| lab.model = text);
                }
            }
            now
        });
        let (running, turn) = (RwSignal::new(None), StoredValue::new(0));
        let (past, steps, opened) = (StoredValue::new(Vec::new()), StoredValue::new(0), RwSignal::new(0));
        #[rustfmt::skip]
        let tracer = Self {
            page, engine, draft, stored, source, linked, text, handed, live, running, fact, past, opened, steps, turn,
        };
        tracer.follow_link();
        window_event_listener(ev::hashchange, move |_| {
            page.trace.set(files::trace());
            tracer.follow_link();
        });
        // The address carries a result as long as that is shown.
        Effect::new(move || {
            let shown = source.get() == Source::Linked;
            page.trace.set(text.get().filter(|_| shown));
        });
        tracer
    }

    /// The record of one fact that is shown.
    pub(crate) fn record(self) -> Option<Record> {
        self.with_record(Record::clone)
    }

    /// Looks at [`Tracer::record`], whose maps are large, where it is.
    pub(super) fn with_record<T>(self, look: impl FnOnce(&Record) -> T) -> Option<T> {
        match self.source.get() {
            Source::Nothing => None,
            Source::Linked => self.linked.with(|partial| partial.as_ref()?.record.as_ref().map(look)),
            Source::Handed => self.handed.with(|record| record.as_ref().map(look)),
            Source::Live => self.live.with(|partial| partial.as_ref()?.record.as_ref().map(look)),
            Source::Stored(order) => {
                self.stored.with_value(|record| sample::only(record.as_ref()?, order)).as_ref().map(look)
            }
        }
    }

    /// [`Tracer::record`], once.
    pub(crate) fn record_now(self) -> Option<Record> {
        untrack(move || self.record())
    }

    /// Shows a stored fact, and asks its question.
    pub(crate) fn show(self, order: usize) {
        let asked = self.stored.with_value(|record| {
            let record = record.as_ref()?;
            let fact = record.facts.iter().find(|fact| fact.order == order)?;
            Some(Asked::of_fact(fact, &record.settings, record.model.layers))
        });
        if let Some(asked) = asked {
            self.draft.fill(asked);
            self.source.set(Source::Stored(order));
            self.look_anew();
        }
    }

    /// Fills in the question of a record of one fact.
    pub(super) fn ask(self, record: &Record) {
        let asked = record.facts.first().map(|fact| Asked::of_fact(fact, &record.settings, record.model.layers));
        self.draft.fill(asked.unwrap_or_default());
    }

    /// Asks the question of a study's fact, and shows its numbers where it was traced.
    pub(crate) fn show_record(self, record: Record) {
        let Some(fact) = record.facts.first() else { return };
        self.ask(&record);
        self.page.lab.update(|lab| {
            lab.model = link::model(&record, &lab.model);
            lab.tab = Tab::Trace;
        });
        let traced = fact.traced().is_some();
        self.handed.set(Some(record).filter(|_| traced));
        self.source.set(if traced { Source::Handed } else { Source::Nothing });
        self.look_anew();
    }

    /// Another fact is looked at from its map of states, at its peak.
    fn look_anew(self) {
        self.page.lab.update(|lab| lab.map.site = MapSite::Residual);
        self.opened.update(|opened| *opened += 1);
    }

    /// Shows again what answered the question of the address: a stored fact, or an earlier trace of this tab. Where there is none, what
    /// is shown stays, and is told to be of another prompt.
    pub(crate) fn recall(self) {
        self.steps.update_value(|steps| *steps += 1);
        if self.running.get_untracked().is_some() {
            self.cancel();
        }
        // A result in the address is what is asked for.
        if self.page.trace.with_untracked(Option::is_some) {
            return self.follow_link();
        }
        let asked = self.page.lab.with_untracked(Asked::of);
        if asked.is_empty() {
            let first = self.stored.with_value(|record| sample::strongest(record.as_ref()?).map(|fact| fact.order));
            return first.into_iter().for_each(|order| self.show(order));
        }
        let earlier = self.earlier(&asked, &untrack(move || self.draft.model()));
        if let Some(partial) = earlier {
            self.live.set(Some(partial));
            return self.source.set(Source::Live);
        }
        let of_study = |record: &Record| {
            let fact = record.facts.first();
            fact.is_some_and(|fact| Asked::of_fact(fact, &record.settings, record.model.layers) == asked)
        };
        if self.handed.with_untracked(|record| record.as_ref().is_some_and(of_study)) {
            return self.source.set(Source::Handed);
        }
        let stored = self.stored.with_value(|record| record.as_ref().map(|record| stored_answer(record, &asked)));
        if let Some(stored @ Source::Stored(_)) = stored {
            self.source.set(stored);
        }
    }

    /// The last trace of this tab that answers a question with this model.
    pub(super) fn earlier(self, asked: &Asked, model: &ModelRef) -> Option<Partial> {
        let answers =
            |(question, partial): &&(Asked, Partial)| question == asked && partial.model.as_ref() == Some(model);
        self.past.with_value(|past| past.iter().rev().find(answers).map(|(_, partial)| partial.clone()))
    }

    /// The record of an earlier trace of this tab that a pin names, and how many edits were in force.
    pub(super) fn earlier_of(self, asked: &Asked, model: &str) -> Option<(Record, usize)> {
        let of_record = |partial: &Partial| {
            let record = partial.record.as_ref()?;
            let fact = record.facts.first()?;
            let same = Asked::of_fact(fact, &record.settings, record.model.layers) == *asked;
            (same && record.model.name == model).then(|| (record.clone(), partial.edits.len()))
        };
        self.past.with_value(|past| past.iter().rev().find_map(|(_, partial)| of_record(partial)))
    }

    /// A stored result is shown, and its model is loaded when something is run.
    pub(crate) fn is_stored(self) -> bool {
        matches!(self.source.get(), Source::Stored(_)) && self.draft.way() == choice::Way::Fetch
    }

    /// The record of the stored fact that answers a question.
    pub(super) fn stored_record(self, asked: &Asked) -> Option<Record> {
        self.stored.with_value(|record| match stored_answer(record.as_ref()?, asked) {
            Source::Stored(order) => sample::only(record.as_ref()?, order),
            _ => None,
        })
    }

    /// What the model says by itself after the prompt, where it was asked here.
    pub(crate) fn said(self) -> Option<String> {
        self.live
            .with(|live| live.as_ref().and_then(|live| live.greedy.clone()))
            .filter(|_| self.source.get() == Source::Live)
    }

    /// The first choice of the corrupted run, where it was run here.
    pub(super) fn corrupted_says(self) -> Option<String> {
        self.live
            .with(|live| live.as_ref()?.runs.as_ref()?[1].first().map(|word| words::token(&word.text)))
            .filter(|_| self.source.get() == Source::Live)
            .map(|word| word.trim_start_matches(['·', '▁', 'Ġ']).to_owned())
    }

    /// The question of the shown trace, where the engine that has answered it can tell more about it: only the same model with the
    /// same edits can.
    pub(crate) fn at_hand(self) -> Memo<Option<Question>> {
        Memo::new(move |_| {
            let here = self.source.get() == Source::Live && self.running.get().is_none();
            self.live.with(|live| {
                let live = live.as_ref().filter(|live| here && matches!(live.stage, Stage::Done))?;
                let same = live.edits == self.engine.in_force();
                let loaded = self.engine.model.with(|model| model.as_ref().map(|model| model.model.clone()));
                live.question.clone().filter(|_| same && loaded == live.model)
            })
        })
    }

    /// Takes the shown fact over into the edit tab.
    pub(crate) fn edit(self, layer: Option<usize>) {
        if let Some(fact) = self.fact.get_untracked() {
            let Asked { noise, instead, window, .. } = self.draft.asked.get_untracked();
            self.draft.fill(Asked { noise, instead, window, ..Asked::of_fact(&fact, &Settings::default(), 0) });
        }
        self.page.lab.update(|lab| {
            lab.edit.layer = layer.or(lab.edit.layer);
            lab.tab = Tab::Edit;
        });
        self.page.to_edit.update(|count| *count += 1);
    }

    /// Loads the model where it is not loaded, and traces the question.
    pub(crate) fn run(self) {
        if self.running.get_untracked().is_some() {
            return;
        }
        // The question goes into the address, so that a link asks it again.
        self.draft.change(|_| {});
        let asked = self.draft.asked.get_untracked();
        let model = untrack(move || self.draft.model());
        let turn = self.turn.get_value();
        self.running.set(Some(Running::Loading));
        spawn_local(async move {
            self.trace(asked, model, turn).await;
            self.running.set(None);
        });
    }

    async fn trace(self, asked: Asked, model: ModelRef, turn: usize) {
        let loaded = match self.engine.load(model.clone(), Vec::new()).await {
            Ok(loaded) => loaded,
            Err(failure) => return self.engine.complain(failure),
        };
        if self.turn.get_value() != turn {
            return;
        }
        let question = asked.clone().question(loaded.info.layers);
        let steps = self.steps.get_value();
        let own = move || self.steps.get_value() == steps;
        let before = (self.source.get_untracked(), self.live.get_untracked());
        let mut partial = Partial::new(question.window, model, untrack(move || self.engine.in_force()));
        partial.question = Some(question.clone());
        let what = format!("tracing “{}”", words::short(&words::visible(&question.prompt), 40));
        let mut call = self.engine.ask(&what, Command::Trace(question));
        self.running.set(Some(Running::Tracing(call.id)));
        self.live.set(Some(partial.clone()));
        self.source.set(Source::Live);
        let (pace, partial) = (Pace::default(), Rc::new(RefCell::new(partial)));
        while let Some((news, _)) = call.next().await {
            partial.borrow_mut().take(news);
            let drawn = partial.clone();
            pace.draw(move || {
                if own() {
                    self.live.set(Some(drawn.borrow().clone()));
                }
            });
        }
        self.engine.done(call.id);
        let partial = partial.borrow().clone();
        if let Stage::Stopped(failure) = &partial.stage {
            self.engine.complain(failure.clone());
        }
        if partial.stage == Stage::Done {
            self.engine.traced.set(Some(partial.clone()));
        }
        let nothing = partial.fact().is_none();
        if matches!(partial.stage, Stage::Done) {
            self.past.update_value(|past| {
                past.retain(|(question, earlier)| *question != asked || earlier.model != partial.model);
                past.push((asked, partial.clone()));
                let more = past.len().saturating_sub(PAST);
                past.drain(..more);
            });
        }
        if !own() {
            return;
        }
        self.live.set(Some(partial));
        if nothing {
            // What was there before is better than nothing. It is set with the next frame, after the last drawing.
            request_animation_frame(move || {
                // Unless something else was asked for meanwhile.
                if self.source.get_untracked() == Source::Live {
                    self.source.set(before.0);
                }
                self.live.set(before.1);
            });
        }
    }

    /// Stops what runs.
    pub(crate) fn cancel(self) {
        self.turn.update_value(|turn| *turn += 1);
        match self.running.get_untracked() {
            Some(Running::Tracing(id)) => self.engine.cancel(id),
            Some(Running::Loading) => self.engine.cancel_loading(),
            None => {}
        }
    }
}

pub(super) fn record_of(partial: &Option<Partial>) -> Option<Record> {
    partial.as_ref()?.record.clone()
}

fn fact_of(partial: &Option<Partial>) -> Option<FactRecord> {
    partial.as_ref()?.fact().cloned()
}

/// The stored fact that answers a question.
fn stored_answer(record: &Record, asked: &Asked) -> Source {
    let found = sample::for_question(record, asked, [&asked.target, &asked.new]);
    found.map_or(Source::Nothing, |fact| Source::Stored(fact.order))
}
