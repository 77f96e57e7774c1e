//! What the form says of edits in force: a study is of the model as it was loaded.

use super::runner::Runner;
use crate::figures::queue;
use crate::lab::browser;
use engram_core::protocol::ModelRef;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// What becomes of the edits in force, and whether they must be undone before.
pub(super) fn in_the_way(runner: Runner, models: RwSignal<Vec<ModelRef>>) -> Option<(String, bool)> {
    let edits = runner.engine.edits.with(Vec::len);
    let loaded = runner.engine.model.with(|model| model.as_ref().map(|loaded| loaded.model.clone()));
    models.with(|models| queue::edits_in_the_way(edits, models, loaded.as_ref()))
}

/// That edits are in force, with the way to undo them.
#[component]
pub(super) fn EditsInForce(runner: Runner, models: RwSignal<Vec<ModelRef>>) -> impl IntoView {
    let engine = runner.engine;
    let undo = move |_| {
        spawn_local(async move {
            if let Err(failure) = engine.undo(None).await {
                engine.complain(failure);
            }
            browser::keep_focus(".study-form button.primary");
        });
    };
    // Each screen's own work comes first: an edit is not undone while something runs.
    let busy = move || engine.jobs.with(|jobs| !jobs.is_empty());
    let said = Memo::new(move |_| in_the_way(runner, models).filter(|_| !runner.busy.get()));
    let notice = move || {
        let (said, _) = said.get()?;
        let several = engine.edits.with(Vec::len) > 1;
        Some(view! {
            <p class="notice">
                <span>{said}</span>
                <button type="button" disabled=busy on:click=undo>{if several { "Undo all" } else { "Undo" }}</button>
            </p>
        })
    };
    view! { <div role="status">{notice}</div> }
}
