//! What can be done with a result: link to it, keep it, edit the fact.

use super::link::CopyResult;
use super::pinned::Pins;
use super::run::Tracer;
use crate::components::shown;
use crate::lab::export::ExportPage;
use crate::lab::share::CopyLink;
use crate::{names, take};
use engram_core::journal;
use leptos::prelude::*;

/// The buttons below a result.
#[component]
pub(super) fn Actions(
    tracer: Tracer,
    /// The layer that is looked at: the one to edit.
    layer: Signal<Option<usize>>,
    pins: Pins,
) -> impl IntoView {
    let page = tracer.page;
    let keep = move |_| {
        let Some(record) = tracer.record_now() else { return };
        let subject = record.facts.first().map_or("fact", |fact| &fact.subject);
        let name = format!("{}-{}.engram.json", names::plain(&record.model.name), names::plain(subject));
        match journal::to_json(&record) {
            Ok(bytes) => {
                take::save(&name, "application/json", &bytes);
            }
            Err(error) => page.complain(&error),
        }
    };
    let there = move || tracer.fact.with(Option::is_some);
    let traced = move || tracer.fact.with(|fact| fact.as_ref().is_some_and(|fact| fact.traced().is_some()));
    let label = move || layer.get().map_or("Edit this fact…".to_owned(), |layer| format!("Edit at layer {layer}…"));
    view! {
        <p class="acts">
            {shown(there, move || view! {
                <button type="button" on:click=move |_| tracer.edit(layer.get_untracked())>{label} <kbd>"E"</kbd></button>
                <button type="button" title="Keep this trace as a reference to compare with" on:click=move |_| pins.toggle()>
                    {move || if pins.is_shown() { "Pinned ✓" } else { "Pin" }} <kbd>"P"</kbd>
                </button>
                <button type="button" on:click=keep>"Save record"</button>
                <ExportPage page=page records=Callback::new(move |()| Ok(vec![tracer.given()?])) />
            })}
            <CopyLink address=Callback::new(move |()| tracer.address()) />
            {shown(traced, move || view! { <CopyResult tracer=tracer /> })}
        </p>
    }
}
