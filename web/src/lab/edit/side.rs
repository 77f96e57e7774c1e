//! The map of states before and after the edit, and the edit itself.

use super::run::Editor;
use crate::components::SmallMapView;
use crate::components::shown as part;
use crate::figures::edit::{map_after, map_before, meaning};
use crate::figures::edited::Shown;
use crate::figures::partial::{Partial, Stage};
use crate::figures::small_map::SmallMap;
use crate::figures::trace::TraceMaps;
use crate::lab::share::CopyLink;
use engram_core::record::Record;
use leptos::prelude::*;
use leptos::task::spawn_local;

impl Editor {
    /// The trace before the edit that is shown or made.
    pub(super) fn before(self) -> Option<Record> {
        if self.running.get().is_some() {
            let live = self.mapping.with(|map| map.as_ref().and_then(|map| map.partial.record.clone()));
            return live.or_else(|| self.pending.with(|pending| pending.as_ref()?.record.clone()));
        }
        match self.made.get() {
            Some(place) => self.seen.with(|seen| seen.get(place)?.before.as_ref()?.record.clone()),
            None => {
                let asked = self.draft.asked.get();
                let (model, shown) = (self.draft.model(), self.shown().is_some());
                self.stored.with_value(|record| {
                    let record = record.as_ref().filter(|record| shown || record.model.name == model.name())?;
                    let fact = crate::sample::answering(record, &asked.filled(), &asked.subject, ["", ""])?;
                    crate::sample::only(record, fact.order)
                })
            }
        }
    }

    /// The trace after the shown edit: the one that is made, or else the one that was.
    fn after(self) -> Option<Partial> {
        let place = self.made.get()?;
        let live =
            self.mapping.with(|map| map.as_ref().filter(|map| map.after == Some(place)).map(|map| map.partial.clone()));
        live.or_else(|| self.seen.with(|seen| seen.get(place)?.after.clone()))
    }

    /// The map after the shown edit is traced now.
    fn tracing(self) -> bool {
        let place = self.made.get();
        self.mapping.with(|map| map.as_ref().is_some_and(|map| map.after.is_some() && map.after == place))
    }

    /// It can be traced: the shown edit is the last one in force.
    fn traceable(self) -> bool {
        let last = self.engine.edits.with(|edits| edits.last().map(|edited| edited.edit));
        last.is_some() && self.in_force() == last && self.running.get().is_none()
    }
}

fn maps_of(record: &Record) -> Option<TraceMaps> {
    TraceMaps::of(record.facts.first()?, false)
}

/// What the column draws. A handle: copies are the same.
#[derive(Clone, Copy)]
struct Maps {
    /// The maps of the trace before, and of the one after.
    before: Memo<Option<TraceMaps>>,
    after: Memo<Option<TraceMaps>>,
    /// The edited layer.
    layer: Memo<usize>,
    /// What is shown is stored, or nothing is.
    stored: Memo<bool>,
}

/// The column.
#[component]
pub(super) fn Side(editor: Editor, shown: Memo<Option<(Shown, bool)>>) -> impl IntoView {
    let maps = Maps {
        before: Memo::new(move |_| editor.before().as_ref().and_then(maps_of)),
        after: Memo::new(move |_| editor.after().and_then(|after| maps_of(after.record.as_ref()?))),
        layer: Memo::new(move |_| shown.with(|shown| shown.as_ref().map_or(0, |(shown, _)| shown.layer))),
        stored: Memo::new(move |_| shown.with(|shown| shown.as_ref().is_none_or(|(_, stored)| *stored))),
    };
    let idle = Memo::new(move |_| editor.running.get().is_none());
    let there = move || shown.with(Option::is_some) || maps.before.with(Option::is_some) || !idle.get();
    part(there, move || {
        view! {
            <aside class="edit-side" aria-label="The map before and after">
                <Before maps=maps idle=idle />
                {part(move || idle.get(), move || view! {
                    <After editor=editor maps=maps />
                    <Facts editor=editor shown=shown />
                })}
            </aside>
        }
    })
}

fn drawn(map: Result<SmallMap, String>) -> AnyView {
    match map {
        Ok(map) => view! { <SmallMapView map=map /> }.into_any(),
        Err(why) => none(why),
    }
}

fn none(why: impl Into<String>) -> AnyView {
    let why: String = why.into();
    view! { <p class="none">{why}</p> }.into_any()
}

/// The map before.
#[component]
fn Before(maps: Maps, idle: Memo<bool>) -> impl IntoView {
    let map = Memo::new(move |_| {
        maps.before.with(|before| before.as_ref().map(|before| map_before(before, maps.layer.get())))
    });
    let legend = move || {
        map.with(|map| {
            let map = map.as_ref()?.as_ref().ok()?;
            let edited = if map.ring.is_some() { "; ▢ edited here" } else { "" };
            let answer = maps.before.with(|before| before.as_ref().map(|before| before.answer.clone()))?;
            Some(format!("recovery of {answer}{edited}"))
        })
    };
    let body = move || match map.get() {
        Some(map) => drawn(map),
        None if !idle.get() => none("Not traced yet."),
        None if maps.stored.get() => none("This result has no map."),
        None => none("The map before the edit was not traced."),
    };
    view! {
        <section>
            <h2>
                "Before the edit"
                <span>{legend}</span>
            </h2>
            {body}
        </section>
    }
}

/// The map after, and what it takes to have it.
#[component]
fn After(editor: Editor, maps: Maps) -> impl IntoView {
    let whole = Memo::new(move |_| editor.after().is_some_and(|after| after.stage == Stage::Done));
    let tracing = Memo::new(move |_| editor.tracing());
    let traceable = Memo::new(move |_| editor.traceable());
    // Without a map before it has a scale of its own.
    let map = Memo::new(move |_| {
        let layer = maps.layer.get();
        maps.before.with(|before| {
            maps.after.with(|after| {
                after.as_ref().map(|after| match before {
                    Some(before) => map_after(after, before, layer),
                    None => map_before(after, layer),
                })
            })
        })
    });
    let scale = move || if maps.before.with(Option::is_some) { "same scale, same prompt" } else { "same prompt" };
    let body = move || match map.get() {
        Some(map) => drawn(map),
        None if tracing.get() => ().into_any(),
        None if maps.stored.get() => none("Edit it here to see the map after."),
        None if traceable.get() => none("The map after the edit was not traced."),
        None => none("The map after this edit was not traced while it was the last one in force."),
    };
    let trace = move |_| {
        if let Some(place) = editor.made.get_untracked() {
            spawn_local(editor.map_after(place));
        }
    };
    let act = move || {
        if tracing.get() {
            stoppable("Tracing…", "Stop the map after the edit", move || editor.stop_map())
        } else if !whole.get() && traceable.get() {
            view! { <p class="acts"><button type="button" on:click=trace>"Trace after the edit"</button></p> }
                .into_any()
        } else {
            ().into_any()
        }
    };
    view! {
        <section>
            <h2>"After the edit" <span>{scale}</span></h2>
            {body}
            {act}
        </section>
    }
}

/// What runs, and a button that stops it.
pub(super) fn stoppable(told: &'static str, label: &'static str, stop: impl Fn() + 'static) -> AnyView {
    view! {
        <p class="acts">
            <span role="status">{told}</span>
            <button type="button" aria-label=label on:click=move |_| stop()>"Stop"</button>
        </p>
    }
    .into_any()
}

/// The edit itself, and what can be taken along.
#[component]
fn Facts(editor: Editor, shown: Memo<Option<(Shown, bool)>>) -> impl IntoView {
    let facts = move || {
        shown.with(|shown| {
            let (shown, _) = shown.as_ref()?;
            let line = |(name, value): &(&'static str, String)| {
                view! { <div title=meaning(name)><dt>{*name}</dt><dd>{value.clone()}</dd></div> }
            };
            Some(view! { <dl class="edit-facts">{shown.facts.iter().map(line).collect_view()}</dl> })
        })
    };
    let edited = Memo::new(move |_| editor.engine.edits.with(|edits| !edits.is_empty()));
    let download = move || {
        edited.get().then(|| {
            let title = "safetensors: the two factors of each edit in force, to be added to the tensor that they name";
            let adapter = "a zip archive with adapter_config.json and adapter_model.safetensors, for peft and transformers";
            view! {
                <button type="button" title=title on:click=move |_| editor.download(false)>"Download the change"</button>
                <button type="button" title=adapter on:click=move |_| editor.download(true)>"As a LoRA adapter"</button>
            }
        })
    };
    view! {
        <section>
            <h2>"The edit"</h2>
            {facts}
            <p class="acts">
                {download}
                <CopyLink address=Callback::new(move |()| editor.address()) />
            </p>
        </section>
    }
}
