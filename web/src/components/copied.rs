//! A button that copies a text which stands in it. One listener on the page hears all of them, so that they work in what was printed,
//! too.

use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// The button; `label` says what it copies.
pub fn copied(text: &str, label: &'static str) -> AnyView {
    view! { <button type="button" class="quiet" data-copy=text.to_owned() aria-label=label>"Copy"</button> }.into_any()
}

/// Hears all of these buttons: what was pressed, and the text that it copies.
pub fn hear(copy: impl Fn(web_sys::Element, String) + 'static) {
    window_event_listener(ev::click, move |event| {
        let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let button = element.and_then(|element| element.closest("[data-copy]").ok().flatten());
        if let Some((text, button)) = button.and_then(|button| Some((button.get_attribute("data-copy")?, button))) {
            copy(button, text);
        }
    });
}
