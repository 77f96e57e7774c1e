//! Which model answers, and the button that makes it.

use super::draft::Draft;
use super::{Engine, Tab};

use crate::figures::choice::{self, Way};
use crate::page::Page;
use crate::words;
use engram_core::protocol::Phase;
use leptos::prelude::*;

/// The models that are offered.
#[component]
pub(crate) fn ModelSelect(
    /// The page.
    page: Page,
    /// The engine.
    engine: Engine,
    /// The question.
    draft: Draft,
    /// So that the fields of two forms have different ids.
    form: &'static str,
) -> impl IntoView {
    let options = move || {
        let text = page.lab.with(|lab| lab.model.clone());
        let all = engine.model.with(|model| choice::offered(&text, model.as_ref().map(|loaded| &loaded.model)));
        let now = choice::text_of(&draft.model());
        let one = |(text, name): (String, String)| {
            let chosen = text == now;
            view! {
                <option value=text selected=chosen>
                    {name}
                </option>
            }
        };
        all.into_iter().map(one).collect_view()
    };
    view! {
        <div class="inline">
            <label for=format!("{form}-model")>"Model"</label>
            <select
                id=format!("{form}-model")
                on:change:target=move |event| draft.choose_model(event.target().value())
            >
                {options}
            </select>
        </div>
    }
}

/// The button that starts, the one that cancels, and what stands in the way.
#[component]
pub(crate) fn Start(
    /// The page.
    page: Page,
    /// The engine.
    engine: Engine,
    /// The question.
    draft: Draft,
    /// What it does, for a model that is there or comes with the page.
    #[prop(into)]
    label: Signal<String>,
    /// Something is wrong with the form.
    #[prop(into)]
    wrong: Signal<bool>,
    /// It runs.
    #[prop(into)]
    running: Signal<bool>,
    /// How far it is.
    #[prop(into)]
    progress: Signal<Option<String>>,
    /// Called to start.
    on_start: Callback<()>,
    /// Called to cancel.
    on_cancel: Callback<()>,
) -> impl IntoView {
    let button = move || match draft.way() {
        _ if running.get() => {
            view! { <button class="primary" on:click=move |_| on_cancel.run(())>"Cancel"</button> }.into_any()
        }
        Way::Consent(name) => {
            let name = words::short(&words::visible(&name), 40);
            let go = move |_| page.lab.update(|lab| lab.tab = Tab::Models);
            view! { <button class="primary" on:click=go>{format!("Load {name} first…")}</button> }.into_any()
        }
        Way::Run | Way::Fetch => view! {
            <button class="primary" disabled=move || wrong.get() on:click=move |_| on_start.run(())>
                {move || label.get()}
            </button>
        }
        .into_any(),
    };
    let said = move || {
        let loading = engine.loading.with(|loading| {
            let (model, phase) = loading.as_ref()?;
            Some(format!("loading {}{}", words::visible(model.name()), phase.as_ref().map_or(String::new(), far)))
        });
        running.get().then(|| loading.or_else(|| progress.get())).flatten()
    };
    view! {
        <p class="start">
            {button}
            <span class="faint" role="status">
                {said}
            </span>
        </p>
    }
}

/// How far loading is, in a few words.
fn far(phase: &Phase) -> String {
    match phase {
        Phase::Weights { tensors, of, .. } => format!(", tensor {tensors} of {of}"),
        Phase::Retry { attempt, .. } => format!(", attempt {attempt}"),
        Phase::Hashing { .. } => ", checking its digest".into(),
    }
}
