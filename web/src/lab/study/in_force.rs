//! What the form says of edits in force: a study is of the model as it was loaded.

use super::runner::Runner;
use crate::figures::queue;
use engram_core::protocol::ModelRef;
use leptos::prelude::*;

/// That edits are in force, and what the study makes of them.
#[component]
pub(super) fn EditsInForce(runner: Runner, models: RwSignal<Vec<ModelRef>>) -> impl IntoView {
    let said = Memo::new(move |_| {
        let edits = runner.engine.edits.with(Vec::len);
        let loaded = runner.engine.model.with(|model| model.as_ref().map(|loaded| loaded.model.clone()));
        let said = models.with(|models| queue::edits_beside(edits, models, loaded.as_ref()));
        said.filter(|_| !runner.busy.get())
    });
    let notice = move || said.get().map(|said| view! { <p class="notice">{said}</p> });
    view! { <div role="status">{notice}</div> }
}
