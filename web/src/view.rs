//! The start of a result page's viewer.

use crate::article::fold::unfolded;
use crate::article::{Article, Desk, PRINTED, Words};
use crate::figures::study::Filter;
use crate::load::drawable;
use crate::state::ViewState;
use crate::words;
use engram_core::record::Record;
use engram_core::{Error, Result, pack};
use leptos::{ev, prelude::*};
use std::sync::Arc;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement, UrlSearchParams};

/// Draws the article from the page's records; where they cannot be read it says so and leaves the page as it is.
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        told("The viewer has crashed; what is drawn may be old. Reload the page.");
    }));
    match carried() {
        Ok((records, words)) => show(records, words),
        Err(error) => {
            let hint = error.page_step().map(|hint| format!("; {}", words::visible(hint)));
            told(&format!("error: {}{}", words::visible(error.message()), hint.unwrap_or_default()));
        }
    }
}

/// What the page carries: records, and what is said of them.
fn carried() -> Result<(Vec<Record>, Words)> {
    let text = |id: &str| {
        let element = document().get_element_by_id(id);
        let text = element.and_then(|element| element.text_content());
        text.ok_or_else(|| Error::input(format!("this page carries no {id}")).hint("copy the page again, whole"))
    };
    let records = pack::unpack(&pack::from_text(&text(pack::RECORDS)?)?)?;
    if records.is_empty() {
        return Err(Error::input("this page carries no study"));
    }
    records.iter().try_for_each(drawable)?;
    let words = serde_json::from_slice(&pack::from_beside(&text(pack::WORDS)?)?);
    Ok((records, words.map_err(|error| Error::input(format!("this page's sentences are damaged: {error}")))?))
}

fn show(records: Vec<Record>, words: Words) {
    let place = document().get_element_by_id("article").and_then(|place| place.dyn_into::<HtmlElement>().ok());
    let Some(place) = place else { return };
    // They are the same whatever is chosen, so they stay as they were printed.
    let printed: Vec<Element> = PRINTED.iter().filter_map(|id| document().get_element_by_id(id)).collect();
    place.set_text_content(None);
    place.set_class_name("live");
    let (state, filter, see) = address();
    let alone = embedded();
    mount_to(place, move || {
        let desk = Desk::new(Arc::new(records), words, state, filter, true);
        let (state, filter) = (desk.state, desk.filter);
        Effect::new(move || {
            let (state, filter) = (state.get(), filter.get());
            // The address of an embedded figure says what is shown.
            if !alone {
                write(&state, &filter);
            }
        });
        window_event_listener(ev::hashchange, move |_| {
            let (asked, filtered, see) = address();
            if see.as_deref().is_none_or(|see| !here().ends_with(&format!("#{see}"))) {
                state.set(asked);
                filter.set(filtered);
            }
            go(see.as_deref());
        });
        unfold_for_print();
        view! { <Article desk=desk /> }
    })
    .forget();
    for section in printed {
        let place = document().query_selector(&format!("[data-printed=\"{}\"]", section.id()));
        if let Ok(Some(place)) = place {
            // It fails only for a place that is no longer on the page.
            let _ = place.replace_with_with_node_1(&section);
        }
    }
    if alone {
        show_alone(see.as_deref());
    }
    go(see.as_deref());
}

/// Whether the address asks for one figure alone: `#figure=2&embed`.
fn embedded() -> bool {
    let hash = window().location().hash().unwrap_or_default();
    let asked = |name: &str| hash.trim_start_matches('#').split('&').any(|pair| pair.split('=').next() == Some(name));
    asked("figure") && asked("embed")
}

/// Shows one figure alone, with a link to the whole page. A figure that is not there leaves the page as it is.
fn show_alone(place: Option<&str>) {
    let Some(figure) = place.and_then(|place| document().get_element_by_id(place)) else { return };
    let whole = here().split('#').next().unwrap_or_default().to_owned();
    let Ok(link) = document().create_element("a") else { return };
    let set = |name: &str, value: &str| link.set_attribute(name, value);
    // None of these names is one that a browser refuses.
    let _ =
        set("href", &format!("{whole}#see={}", figure.id())).and(set("target", "_blank")).and(set("class", "whole"));
    link.set_text_content(Some(&format!("From “{}”, the whole page", document().title())));
    let _ = figure.append_child(&link);
    let _ = figure.set_attribute("data-alone", "");
    document().body().into_iter().for_each(|body| {
        let _ = body.class_list().add_1("embed");
    });
}

/// Opens all sections while the page is printed. Browsers that know how do it by the style sheet already.
fn unfold_for_print() {
    let opened = StoredValue::new_local(Vec::<Element>::new());
    let closed = || document().query_selector_all("details.fold:not([open]), details.note:not([open])");
    window_event_listener_untyped("beforeprint", move |_| {
        let Ok(found) = closed() else { return };
        let all: Vec<Element> = (0..found.length()).filter_map(|at| found.item(at)?.dyn_into().ok()).collect();
        all.iter().for_each(unfolded);
        opened.set_value(all);
    });
    window_event_listener_untyped("afterprint", move |_| {
        opened.update_value(|all| {
            all.drain(..).for_each(|one| {
                let _ = one.remove_attribute("open");
            });
        });
    });
}

fn here() -> String {
    window().location().href().unwrap_or_default()
}

/// What the address asks for: a view, facts, and a place to go to. A mere `#place` is one, too.
fn address() -> (ViewState, Filter, Option<String>) {
    let hash = window().location().hash().unwrap_or_default();
    let hash = hash.trim_start_matches('#');
    let (mut state, mut filter) = (ViewState::default(), Filter::default());
    if !hash.is_empty() && !hash.contains('=') {
        return (state, filter, Some(hash.to_owned()));
    }
    let Ok(pairs) = UrlSearchParams::new_with_str(hash) else { return (state, filter, None) };
    for name in ViewState::NAMES {
        pairs.get(name).into_iter().for_each(|value| state.read(name, &value));
    }
    for name in Filter::NAMES {
        pairs.get(name).into_iter().for_each(|value| filter.read(name, &value));
    }
    // A link to a figure or a fact leads to it.
    let figure = || pairs.get("figure").map(|name| format!("figure-{}", name.trim_start_matches("figure-")));
    let fact = || pairs.get("fact").map(|_| "fact".to_owned());
    (state, filter, pairs.get("see").or_else(figure).or_else(fact))
}

/// Keeps the address in step with what is chosen, without a new entry in the history.
fn write(state: &ViewState, filter: &Filter) {
    let Ok(pairs) = UrlSearchParams::new() else { return };
    for (name, value) in state.written().into_iter().chain(filter.written()) {
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
        unfolded(&element);
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
