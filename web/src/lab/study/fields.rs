//! Fields of the study's form: a number, a text, a box to tick.

use crate::figures::asking::Form;
use leptos::prelude::*;

/// A short field of text or digits.
#[component]
pub(crate) fn Field(
    /// What it is.
    label: &'static str,
    /// What it means, when the label is not enough.
    #[prop(optional)]
    help: &'static str,
    /// Digits only, for the keyboard of a phone.
    #[prop(default = true)]
    digits: bool,
    /// The form.
    form: RwSignal<Form>,
    /// The value in it.
    get: fn(&Form) -> &String,
    /// The same, to change it.
    set: fn(&mut Form) -> &mut String,
) -> impl IntoView {
    let typed = move |value: String| form.update(|form| *set(form) = value);
    view! {
        <label class="field" class:wide=!digits title=help>
            <span>{label}</span>
            <input
                type="text"
                inputmode=if digits { "decimal" } else { "text" }
                autocomplete="off"
                prop:value=move || form.with(|form| get(form).clone())
                on:input:target=move |event| typed(event.target().value())
            />
        </label>
    }
}

/// A box to tick.
#[component]
pub(crate) fn Tick(
    /// What it is.
    #[prop(into)]
    label: String,
    /// More about it.
    #[prop(into, optional)]
    help: String,
    /// Whether it is ticked.
    #[prop(into)]
    on: Signal<bool>,
    /// It cannot be changed.
    #[prop(optional)]
    fixed: bool,
    /// Called with what it shall be.
    set: Callback<bool>,
) -> impl IntoView {
    let help = (!help.is_empty()).then(|| view! { <span class="faint">{help}</span> });
    view! {
        <label class="tick-box">
            <input
                type="checkbox"
                disabled=fixed
                prop:checked=move || on.get()
                on:change:target=move |event| set.run(event.target().checked())
            />
            <span>{label} " " {help}</span>
        </label>
    }
}
