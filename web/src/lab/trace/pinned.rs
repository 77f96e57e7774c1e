//! The pinned trace: kept as a reference, compared with whatever is shown, and named in the address.

use super::maps::replaced_by;
use super::run::{Source, Tracer};
use crate::components::shown;
use crate::figures::question::Asked;
use crate::figures::trace::{Pin, Side, Unlike};
use crate::words;
use engram_core::record::FactRecord;
use leptos::prelude::*;

/// A pinned trace with its numbers.
#[derive(Clone, PartialEq)]
pub(crate) struct Pinned {
    /// Its question.
    pin: Pin,
    /// What it is called beside another.
    pub(super) side: Side,
    /// Its numbers.
    pub(super) fact: FactRecord,
}

/// The pin. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Pins {
    tracer: Tracer,
    /// The pinned trace, once its numbers are at hand.
    pub(super) pinned: RwSignal<Option<Pinned>>,
}

impl Pins {
    /// The pin of the address. Its numbers are those of a stored fact, or of a trace that is made here later.
    pub(super) fn new(tracer: Tracer) -> Self {
        let pins = Self { tracer, pinned: RwSignal::new(None) };
        let wanted = Memo::new(move |_| tracer.page.lab.with(|lab| lab.pin.clone()));
        Effect::new(move |_| {
            let Some(wanted) = wanted.get() else { return pins.pinned.set(None) };
            let there = pins.pinned.with_untracked(|pinned| pinned.as_ref().is_some_and(|one| one.pin == wanted));
            if there {
                return;
            }
            let shown = pins.shown().filter(|shown| shown.pin == wanted);
            pins.pinned.set(shown.or_else(|| pins.stored(&wanted)));
        });
        pins
    }

    /// What is shown, as something to pin; nothing while it is not whole.
    fn shown(self) -> Option<Pinned> {
        let record = self.tracer.record()?;
        let fact = record.facts.first()?.clone();
        if !fact.traced()?.maps.as_ref().is_some_and(|maps| maps.residual.iter().all(|row| !row.is_empty())) {
            return None;
        }
        let edits = match self.tracer.source.get() {
            Source::Live => self.tracer.live.with(|live| live.as_ref().map_or(0, |live| live.edits.len())),
            _ => 0,
        };
        let asked = Asked::of_fact(&fact, &record.settings, record.model.layers);
        let instead = replaced_by(&record.settings.corruption);
        let side = Side { model: record.model.name.clone(), prompt: fact.prompt.clone(), instead, edits };
        Some(Pinned { pin: Pin { model: record.model.name, asked }, side, fact })
    }

    /// An earlier trace of this tab or the stored fact that answers a pinned question.
    fn stored(self, pin: &Pin) -> Option<Pinned> {
        let earlier = self.tracer.earlier_of(&pin.asked, &pin.model);
        let edits = earlier.as_ref().map_or(0, |(_, edits)| *edits);
        let record = earlier.map(|(record, _)| record).or_else(|| self.tracer.stored_record(&pin.asked));
        let record = record.filter(|record| record.model.name == pin.model)?;
        let fact = record.facts.first()?.clone();
        let instead = replaced_by(&record.settings.corruption);
        let side = Side { model: pin.model.clone(), prompt: fact.prompt.clone(), instead, edits };
        fact.traced()?.maps.as_ref()?;
        Some(Pinned { pin: pin.clone(), side, fact })
    }

    /// Pins what is shown; the pinned one again is let go.
    pub(crate) fn toggle(self) {
        let Some(now) = untrack(move || self.shown()) else { return };
        let again = self.pinned.with_untracked(|pinned| pinned.as_ref().is_some_and(|pinned| *pinned == now));
        if again {
            return self.drop();
        }
        self.tracer.page.lab.update(|lab| lab.pin = Some(now.pin.clone()));
        self.pinned.set(Some(now));
    }

    /// There is a pinned trace with its numbers.
    pub(crate) fn any(self) -> bool {
        self.pinned.with(Option::is_some)
    }

    /// Lets the pinned trace go.
    pub(crate) fn drop(self) {
        self.pinned.set(None);
        self.tracer.page.lab.update(|lab| (lab.pin, lab.compare) = (None, false));
    }

    /// Shows differences from the pinned trace, or the shown trace alone again.
    pub(crate) fn compare(self) {
        if self.pinned.with_untracked(Option::is_some) {
            self.tracer.page.lab.update(|lab| lab.compare = !lab.compare);
        }
    }

    /// The pinned trace that the shown one is compared with.
    pub(super) fn against(self) -> Option<Pinned> {
        self.tracer.page.lab.with(|lab| lab.compare).then(|| self.pinned.get()).flatten()
    }

    /// The shown trace is the pinned one.
    pub(crate) fn is_shown(self) -> bool {
        let shown = self.shown();
        self.pinned.with(|pinned| pinned.is_some() && *pinned == shown)
    }

    /// What the shown trace is called beside the pinned one.
    pub(super) fn side(self) -> Option<Side> {
        self.shown().map(|shown| shown.side)
    }
}

/// What is pinned, and what can be done with it.
#[component]
pub(super) fn PinLine(pins: Pins, unlike: Memo<Option<Unlike>>) -> impl IntoView {
    let lab = pins.tracer.page.lab;
    let comparing = Memo::new(move |_| lab.with(|lab| lab.compare));
    let name = move || {
        let pinned = pins.pinned.get()?;
        let instead =
            pinned.side.instead.map_or("noise".to_owned(), |instead| format!("“{}”", words::visible(&instead)));
        Some(format!(
            "Pinned: {} with {instead}, {}",
            words::short(&words::visible(&pinned.side.prompt), 48),
            words::visible(&pinned.side.model)
        ))
    };
    // The address names a pin whose numbers nobody has here.
    let missing = move || {
        let wanted = lab.with(|lab| lab.pin.clone()).filter(|_| pins.pinned.with(Option::is_none))?;
        let ask = move |_| {
            let Some(Pin { model, asked }) = lab.with_untracked(|lab| lab.pin.clone()) else { return };
            lab.update(|lab| lab.model = model);
            pins.tracer.draft.fill(asked);
        };
        let said = format!(
            "The pinned trace “{}” has not been run here.",
            words::short(&words::visible(&wanted.asked.filled()), 48)
        );
        Some(view! {
            <p class="pinned">
                {said}
                <button type="button" on:click=ask>"Ask it"</button>
                <button type="button" on:click=move |_| pins.drop()>"Unpin"</button>
            </p>
        })
    };
    let there = move || pins.pinned.with(Option::is_some);
    view! {
        {shown(there, move || view! {
            <section class="pinned" aria-label="Pinned trace">
                {name}
                <button type="button" aria-pressed=move || comparing.get().to_string() on:click=move |_| pins.compare()>
                    "Compare" <kbd>"C"</kbd>
                </button>
                <button type="button" on:click=move |_| pins.drop()>"Unpin"</button>
                {move || unlike.get().map(|why| {
                    // Of different tokens there is a comparison all the same.
                    let class = if why == Unlike::Tokens { "pin" } else { "why" };
                    view! { <p class=class role="status">{why.words()}</p> }
                })}
            </section>
        })}
        {missing}
    }
}
