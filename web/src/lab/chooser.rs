//! Which model answers.

use super::Engine;
use super::draft::Draft;
use crate::figures::choice;
use crate::page::Page;
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
