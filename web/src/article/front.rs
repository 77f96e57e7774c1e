//! What comes first: title, what was done, the findings, where things are; and the switches that hold for all figures.

use super::{Desk, menu};
use crate::components::{Switches, act, part};
use crate::figures::article::Article;
use crate::figures::article::title::title;
use engram_core::journal;
use engram_core::metrics::View;
use engram_core::record::{Reading, Record};
use leptos::prelude::*;

/// Sections by their place in addresses.
const CONTENTS: [(&str, &str); 10] = [
    ("localization", "Where the facts are"),
    ("compression", "The models side by side"),
    ("editing", "What can be rewritten"),
    ("tables", "Tables"),
    ("facts", "Fact by fact"),
    ("maps", "Token by token"),
    ("dropped", "What fell out"),
    ("limits", "Limits"),
    ("method", "Method"),
    ("reproduce", "Reproduce"),
];

/// Title, byline, abstract and contents.
pub(super) fn front(desk: &Desk) -> AnyView {
    let title = title(&Article::new(&desk.records, &View::default()));
    let byline: Vec<_> = title.byline.into_iter().map(|line| view! { <p class="faint">{line}</p> }).collect();
    let told = desk.told;
    let abstracted =
        move || told.with(|told| told.headline.iter().map(|line| view! { <li>{line.clone()}</li> }).collect_view());
    let link = |(id, name): (&'static str, &'static str)| view! { <li><a href=format!("#{id}")>{name}</a></li> };
    view! {
        <header class="front">
            <h1>{title.title}</h1>
            {byline}
        </header>
        <div class="abstract">
            <p>{title.done}</p>
            <ul>{part(abstracted)}</ul>
        </div>
        <nav class="contents" aria-label="Contents">
            <ul>{CONTENTS.map(link).into_iter().collect_view()}</ul>
        </nav>
    }
    .into_any()
}

/// Switches, which study's facts are shown, and what holds for the whole page.
pub(super) fn controls(desk: &Desk) -> AnyView {
    let mut readings: Vec<Reading> = Vec::new();
    for reading in desk.records.iter().flat_map(|record| &record.settings.readings) {
        if !readings.contains(reading) {
            readings.push(*reading);
        }
    }
    let stem = title(&Article::new(&desk.records, &View::default())).stem;
    let one = |record: &Record, stem: String| {
        let record = record.clone();
        let make = move || journal::to_json(&record).ok();
        menu::file("Record (JSON)", format!("{stem}.engram.json"), "application/json", make)
    };
    let records = desk.records.clone();
    let save = match records.as_slice() {
        [record] => one(record, stem.clone()),
        _ => {
            let (records, state) = (records.clone(), desk.state);
            let names = desk.names.clone();
            part(move || {
                let place = state.with(|state| state.record).min(records.len().saturating_sub(1));
                one(&records[place], names[place].replace(['/', ' '], "-"))
            })()
        }
    };
    let link = menu::copy("Copy link to this view", || window().location().href().unwrap_or_default());
    view! {
        <div class="desk">
            <Switches readings=Signal::derive(move || readings.clone()) state=desk.state />
            {study(desk)}
            <p class="menu" role="group" aria-label="Take away">{save} {link}</p>
        </div>
    }
    .into_any()
}

/// The choice of the study whose facts are listed.
fn study(desk: &Desk) -> Option<AnyView> {
    let state = desk.state;
    let choose = move |event: leptos::ev::Event| {
        if let Ok(place) = event_target_value(&event).parse() {
            state.update(|state| (state.record, state.fact, state.layer) = (place, None, None));
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
                <select aria-label="Study whose facts are shown" on:change=act(choose)>{part(option)}</select>
            </label>
        }
        .into_any()
    })
}
