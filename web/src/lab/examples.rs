//! Stored results that can be looked at with one click.

use super::browser::focus_soon;
use crate::words;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// A button that opens their list.
#[component]
pub(crate) fn Examples(
    /// Each with its number and its prompt.
    all: Vec<(usize, String)>,
    /// Shows the one of a number.
    show: Callback<usize>,
    /// So that two screens have different ids.
    form: &'static str,
    /// What the button says.
    #[prop(default = "Examples")]
    label: &'static str,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let all = StoredValue::new(all);
    let one = move |(order, prompt): (usize, String)| {
        let press = move |_| {
            open.set(false);
            show.run(order);
        };
        view! { <li><button type="button" on:click=press>{words::short(&words::visible(&prompt), 60)}</button></li> }
    };
    let away = window_event_listener(ev::pointerdown, move |event| {
        let inside = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let inside = inside.and_then(|element| element.closest(".examples").ok().flatten()).is_some();
        if !inside && open.get_untracked() {
            open.set(false);
        }
    });
    on_cleanup(move || away.remove());
    let key = move |event: ev::KeyboardEvent| {
        if event.key() == "Escape" && open.get_untracked() {
            event.stop_propagation();
            open.set(false);
            focus_soon(&format!("#{form}-examples"));
        }
    };
    let left = move |event: ev::FocusEvent| {
        let to = event.related_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if to.is_some_and(|to| to.closest(".examples").ok().flatten().is_none()) {
            open.set(false);
        }
    };
    view! {
        <span class="examples" on:keydown=key on:focusout=left>
            <button type="button" id=format!("{form}-examples") aria-expanded=move || open.get().to_string() on:click=move |_| open.update(|open| *open = !*open)>
                {label}
            </button>
            {move || open.get().then(|| view! {
                <ul aria-label="Stored results">{all.get_value().into_iter().map(one).collect_view()}</ul>
            })}
        </span>
    }
}
