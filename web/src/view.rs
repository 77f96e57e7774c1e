//! The start of a result page's viewer.

use crate::article::{Article, Desk};
use crate::state::ViewState;
use crate::words;
use engram_core::record::Record;
use engram_core::{Error, Result, pack};
use leptos::{ev, prelude::*};
use std::sync::Arc;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlElement, UrlSearchParams};

/// Draws the article from the page's records; where they cannot be read it says so and leaves the page as it is.
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        told("The viewer has crashed; what is drawn may be old. Reload the page.");
    }));
    match records() {
        Ok(records) => show(records),
        Err(error) => {
            let hint = error.next_step().map(|hint| format!(" hint: {}", words::visible(hint)));
            told(&format!("error: {}{}", words::visible(error.message()), hint.unwrap_or_default()));
        }
    }
}

fn records() -> Result<Vec<Record>> {
    let element = document().get_element_by_id(pack::RECORDS);
    let text = element.and_then(|element| element.text_content());
    let text = text.ok_or_else(|| Error::input("this page carries no records"))?;
    pack::unpack(&pack::from_base64(&text)?)
}

fn show(records: Vec<Record>) {
    let place = document().get_element_by_id("article").and_then(|place| place.dyn_into::<HtmlElement>().ok());
    let Some(place) = place else { return };
    place.set_text_content(None);
    place.set_class_name("live");
    let (state, see) = address();
    mount_to(place, move || {
        let state = RwSignal::new(state);
        Effect::new(move || write(&state.get()));
        window_event_listener(ev::hashchange, move |_| {
            let (asked, see) = address();
            state.set(asked);
            go(see.as_deref());
        });
        let desk = Desk::new(Arc::new(records), state, true);
        view! { <Article desk=desk /> }
    })
    .forget();
    go(see.as_deref());
}

/// What the address asks for: a view, and a place to go to. A mere `#place` is one, too.
fn address() -> (ViewState, Option<String>) {
    let hash = window().location().hash().unwrap_or_default();
    let hash = hash.trim_start_matches('#');
    let mut state = ViewState::default();
    if !hash.is_empty() && !hash.contains('=') {
        return (state, Some(hash.to_owned()));
    }
    let Ok(pairs) = UrlSearchParams::new_with_str(hash) else { return (state, None) };
    for name in ViewState::NAMES {
        if let Some(value) = pairs.get(name) {
            state.read(name, &value);
        }
    }
    (state, pairs.get("see"))
}

/// Keeps the address in step with the view, without a new entry in the history.
fn write(state: &ViewState) {
    let Ok(pairs) = UrlSearchParams::new() else { return };
    for (name, value) in state.written() {
        pairs.append(name, &value);
    }
    let written = pairs.to_string().as_string().unwrap_or_default();
    let now = window().location().hash().unwrap_or_default();
    if written.is_empty() && !now.contains('=') {
        return;
    }
    if let Ok(history) = window().history() {
        // Where a browser forbids it the view works all the same, only without an address of its own.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&format!("#{written}")));
    }
}

/// Scrolls to a place of the article.
fn go(place: Option<&str>) {
    if let Some(element) = place.and_then(|place| document().get_element_by_id(place)) {
        element.scroll_into_view();
    }
}

/// Says something above the article.
fn told(text: &str) {
    if let Some(place) = document().get_element_by_id("crash") {
        place.set_text_content(Some(text));
        // Nothing is left to do where this fails.
        let _ = place.remove_attribute("hidden");
    }
}
