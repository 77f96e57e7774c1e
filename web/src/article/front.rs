//! What comes first: the findings, where things are, and the switches that hold for all figures.

use super::said::told;
use super::{Desk, menu, prediction, retrace, sequence};
use crate::components::Switches;
use crate::figures::article::reproduce::is_extract;
use engram_core::journal;
use engram_core::record::PatchPosition;
use leptos::prelude::*;

/// Sections by their place in addresses.
const CONTENTS: [(&str, &str); 13] = [
    ("localization", "Where the facts are"),
    ("compression", "The models side by side"),
    ("editing", "What can be rewritten"),
    ("retrace", retrace::TITLE),
    ("prediction", prediction::TITLE),
    ("sequence", sequence::TITLE),
    ("tables", "Tables"),
    ("facts", "Fact by fact"),
    ("maps", "Causal trace"),
    ("dropped", "Excluded facts"),
    ("limits", "Limits"),
    ("method", "Method"),
    ("reproduce", "Reproduce"),
];

/// The findings in short, and where things are.
pub(super) fn abstracted(desk: &Desk) -> AnyView {
    let all = desk.told;
    let lines =
        move || all.with(|all| all.said.headline.iter().map(|line| view! { <li>{told(line)}</li> }).collect_view());
    let there = [
        ("retrace", retrace::wanted(desk)),
        ("prediction", prediction::wanted(desk)),
        ("sequence", sequence::wanted(desk)),
    ];
    let contents = CONTENTS.into_iter().filter(|(id, _)| !there.contains(&(id, false)));
    let link = |(id, name): (&'static str, &'static str)| view! { <li><a href=format!("#{id}")>{name}</a></li> };
    view! {
        <div class="abstract">
            <h2>"Findings"</h2>
            <ul>{lines}</ul>
        </div>
        <nav class="contents" aria-label="Contents">
            <ul>{contents.map(link).collect_view()}</ul>
        </nav>
    }
    .into_any()
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
