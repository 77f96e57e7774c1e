//! What comes first: the findings, where things are, and the switches that hold for all figures.

use super::said::{of_studies, told};
use super::{Desk, localize, menu};
use crate::components::Switches;
use crate::figures::article::finding::Finding;
use crate::figures::article::reproduce::is_extract;
use engram_core::journal;
use engram_core::record::PatchPosition;
use leptos::prelude::*;

/// Above everything: whose page this is, how it is cited, and where it is opened to compute with.
pub(super) fn top(desk: &Desk) -> AnyView {
    let live = desk.is_live().then(|| {
        let embed = menu::embed("Embed", localize::lead(desk));
        view! {
            <span class="wide-only">{embed}</span>
            <button type="button" class="quiet" aria-label="Light or dark" on:click=|_| turn()>
                <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
                    <circle cx="8" cy="8" r="6" />
                    <path class="half" d="M8 2a6 6 0 0 1 0 12z" />
                </svg>
            </button>
        }
    });
    view! {
        <div class="top">
            <svg class="brand" viewBox="0 0 18 18" aria-hidden="true">
                <path class="pale" d="M0 0h5v5H0zM6.5 0h5v5h-5zM13 0h5v5h-5zM13 6.5h5v5h-5zM0 13h5v5H0zM6.5 13h5v5h-5z" />
                <path d="M0 6.5h5v5H0zM6.5 6.5h5v5h-5zM13 13h5v5h-5z" />
            </svg>
            <b>"Engram"</b>
            <span class="wide-only">"result page, complete in itself"</span>
            <span class="fill"></span>
            <a class="button quiet" href="#cite">"Cite"</a>
            {live}
            <a class="button first" href="#lab">"Open in the lab"</a>
        </div>
    }
    .into_any()
}

/// Turns the page from light to dark or back, for as long as it is open.
fn turn() {
    let Some(root) = document().document_element() else { return };
    let dark = match root.get_attribute("data-theme") {
        Some(theme) => theme == "dark",
        None => {
            let media = window().match_media("(prefers-color-scheme: dark)");
            media.ok().flatten().is_some_and(|media| media.matches())
        }
    };
    // It fails for no name that is written here.
    let _ = root.set_attribute("data-theme", if dark { "light" } else { "dark" });
}

/// The first finding; of many studies that differ, that of the lead figure, which speaks of all of them.
pub(super) fn dek(desk: &Desk) -> AnyView {
    const MANY: usize = 2;
    let (told, lead) = (desk.told, localize::lead(desk).id);
    let said = move || {
        told.with(|told| {
            let first = told.said.headline.first().filter(|first| first.said.len() <= MANY);
            first.or(told.said.caption(lead)).or(told.said.headline.first()).map(of_studies)
        })
    };
    view! { <p class="dek">{said}</p> }.into_any()
}

/// The findings in short.
pub(super) fn findings(desk: &Desk) -> AnyView {
    let all = desk.told;
    let line = |line: &Finding| view! { <li>{told(line)}</li> };
    let lines = move || all.with(|all| all.said.headline.iter().map(line).collect_view());
    view! { <ul class="abstract">{lines}</ul> }.into_any()
}

/// Switches, which study's facts are shown, and what holds for the whole page.
pub(super) fn controls(desk: &Desk) -> AnyView {
    let mut positions: Vec<PatchPosition> = Vec::new();
    for position in desk.records.iter().flat_map(|record| &record.settings.positions) {
        if !positions.contains(position) {
            positions.push(*position);
        }
    }
    let (records, names, state) = (desk.records.clone(), desk.names.clone(), desk.state);
    let label = if records.iter().any(is_extract) { "Extract of the record (JSON)" } else { "Record (JSON)" };
    let save = menu::file_of(label, "application/json", move || {
        let place = state.with_untracked(|state| state.record).min(records.len().saturating_sub(1));
        let stem: String =
            names[place].chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        // Its name says what the file is, wherever it goes.
        let end = if is_extract(&records[place]) { "extract.engram.json" } else { "engram.json" };
        (format!("{stem}.{end}"), journal::to_json(&records[place]).ok())
    });
    let link = menu::copy("Copy link to this view", || window().location().href().unwrap_or_default());
    view! {
        <div class="desk">
            <Switches positions=Signal::derive(move || positions.clone()) state=desk.state />
            {study(desk)}
            <p class="menu" role="group" aria-label="Save and copy">{save} {link}</p>
        </div>
    }
    .into_any()
}

/// The choice of the study whose facts are listed.
fn study(desk: &Desk) -> Option<AnyView> {
    let state = desk.state;
    let choose = move |event: leptos::ev::Event| {
        if let Ok(place) = event_target_value(&event).parse() {
            state.update(|state| (state.record, state.fact) = (place, None));
        }
    };
    let names = desk.names.clone();
    let option = move || {
        let one = |(place, name): (usize, &String)| {
            let chosen = state.with(|state| state.record) == place;
            view! { <option value=place.to_string() selected=chosen>{name.clone()}</option> }
        };
        names.iter().enumerate().map(one).collect_view()
    };
    (desk.records.len() > 1).then(|| {
        view! {
            <label class="faint">
                "facts of "
                <select aria-label="Study whose facts are shown" on:change=choose>{option}</select>
            </label>
        }
        .into_any()
    })
}
