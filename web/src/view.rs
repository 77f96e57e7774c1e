//! The start of a result page's viewer.

use crate::article::Article;
use crate::state::ViewState;
use crate::words;
use engram_core::record::Record;
use engram_core::{Error, Result, pack};
use leptos::prelude::*;
use std::sync::Arc;
use wasm_bindgen::JsCast;

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
    let place = document().get_element_by_id("article").and_then(|place| place.dyn_into::<web_sys::HtmlElement>().ok());
    let Some(place) = place else { return };
    place.set_text_content(None);
    mount_to(place, move || {
        let state = RwSignal::new(ViewState::default());
        view! { <Article records=Arc::new(records) state=state live=true /> }
    })
    .forget();
}

/// Says something above the article.
fn told(text: &str) {
    if let Some(place) = document().get_element_by_id("crash") {
        place.set_text_content(Some(text));
        // Nothing is left to do where this fails.
        let _ = place.remove_attribute("hidden");
    }
}
