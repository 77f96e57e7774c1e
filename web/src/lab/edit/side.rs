//! The map of states before and after the edit, and the edit itself.

use super::run::Editor;
use crate::components::edit::EditMap;
use crate::components::shown as part;
use crate::figures::edit::SmallMap;
use crate::figures::edited::Shown;
use crate::figures::partial::{Partial, Stage};
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

/// The column.
#[component]
pub(super) fn Side(editor: Editor, shown: Memo<Option<(Shown, bool)>>) -> impl IntoView {
    let before = Memo::new(move |_| editor.before().as_ref().and_then(maps_of));
    let after = Memo::new(move |_| editor.after().and_then(|after| maps_of(after.record.as_ref()?)));
    let whole = Memo::new(move |_| editor.after().is_some_and(|after| after.stage == Stage::Done));
    let tracing = Memo::new(move |_| editor.tracing());
    let traceable = Memo::new(move |_| editor.traceable());
    let stored = Memo::new(move |_| shown.with(|shown| shown.as_ref().is_none_or(|(_, stored)| *stored)));
    let layer = Memo::new(move |_| shown.with(|shown| shown.as_ref().map_or(0, |(shown, _)| shown.layer)));
    let answer = move || before.with(|maps| maps.as_ref().map(|maps| maps.answer.clone()));
    let first = Memo::new(move |_| before.with(|maps| maps.as_ref().map(|maps| SmallMap::before(maps, layer.get()))));
    let second = Memo::new(move |_| {
        before.with(|before| {
            let before = before.as_ref()?;
            after.with(|after| after.as_ref().map(|after| SmallMap::after(after, before, layer.get())))
        })
    });
    let drawn = |map: Result<SmallMap, String>| match map {
        Ok(map) => view! { <EditMap map=map /> }.into_any(),
        Err(why) => view! { <p class="none">{why}</p> }.into_any(),
    };
    let trace = move |_| {
        if let Some(place) = editor.made.get_untracked() {
            spawn_local(editor.map_after(place));
        }
    };
    let before_map = move || match first.get() {
        Some(map) => drawn(map),
        None => {
            view! { <p class="none">"There is no map of this prompt yet: the edit traces it first."</p> }.into_any()
        }
    };
    let after_map = move || match second.get() {
        Some(map) => drawn(map),
        None if tracing.get() => ().into_any(),
        None if stored.get() => view! { <p class="none">"Edit it here to see the map after."</p> }.into_any(),
        None if !traceable.get() => {
            view! { <p class="none">"This edit was undone before its map was traced."</p> }.into_any()
        }
        None => view! { <p class="none">"The map after the edit was not traced."</p> }.into_any(),
    };
    let after_act = move || {
        match (tracing.get(), whole.get(), traceable.get()) {
        (true, ..) => view! {
            <p class="acts">
                <span role="status">"Tracing…"</span>
                <button type="button" aria-label="Stop the map after the edit" on:click=move |_| editor.stop_map()>"Stop"</button>
            </p>
        }
        .into_any(),
        (false, false, true) => {
            view! { <p class="acts"><button type="button" on:click=trace>"Trace after the edit"</button></p> }.into_any()
        }
        _ => ().into_any(),
    }
    };
    let facts = move || {
        shown.with(|shown| {
            let (shown, _) = shown.as_ref()?;
            let line = |(name, value): &(&'static str, String)| {
                view! { <div><dt>{*name}</dt><dd>{value.clone()}</dd></div> }
            };
            Some(view! { <dl class="edit-facts">{shown.facts.iter().map(line).collect_view()}</dl> })
        })
    };
    let there = move || shown.with(Option::is_some) || before.with(Option::is_some);
    let download = move || {
        (editor.engine.edits.with(|edits| !edits.is_empty())).then(|| {
            view! { <button type="button" title="safetensors: the two factors of each edit in force" on:click=move |_| editor.download()>"Download the change"</button> }
        })
    };
    let there = Memo::new(move |_| there());
    let idle = Memo::new(move |_| editor.running.get().is_none());
    move || {
        there.get().then(|| {
            view! {
                <aside class="edit-side" aria-label="The map before and after">
                    <section>
                        <h2>
                            "Before the edit"
                            <span>{move || answer().map(|answer| format!("recovery of {answer}; ▢ edited here"))}</span>
                        </h2>
                        {before_map}
                    </section>
                    {part(move || idle.get(), move || view! {
                        <section>
                            <h2>"After the edit" <span>"same scale, same prompt"</span></h2>
                            {after_map}
                            {after_act}
                        </section>
                        <section>
                            <h2>"The edit"</h2>
                            {facts}
                            <p class="acts">
                                {download}
                                <CopyLink address=Callback::new(move |()| editor.address()) />
                            </p>
                        </section>
                    })}
                </aside>
            }
        })
    }
}
