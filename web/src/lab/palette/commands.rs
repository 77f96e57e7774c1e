//! The commands, in the order in which they are listed.

use crate::figures::trace::Scale;
use crate::lab::trace::Tracing;
use crate::lab::{Engine, Tab, browser, frame};
use crate::page::Page;
use crate::state::{BUNDLED, POSITIONS};
use crate::words;
use leptos::prelude::*;
use std::sync::Arc;
use wasm_bindgen::JsCast;

/// Something that can be done.
#[derive(Clone)]
pub(super) struct Action {
    /// Where it is listed.
    pub(super) group: &'static str,
    /// What it does.
    pub(super) name: String,
    /// By which it is found: its name, and what else people call it.
    pub(super) words: String,
    /// The key that does it without the list.
    pub(super) key: Option<&'static str>,
    /// Does it. No callback of the framework: those would stay in memory with each list that is made.
    pub(super) run: Run,
}

/// What a command does.
pub(super) type Run = Arc<dyn Fn() + Send + Sync>;

/// Keys that do something without the list, and those of them that are of the trace that is on the screen.
pub(super) const KEYS: &str = "123456FNT?EPC";
pub(super) const OF_TRACE: &str = "EPC";

/// What else people call what a command does.
const ALSO: [(&str, &str); 8] = [
    ("Forward pass", "heads attention"),
    ("Edit", "undo change"),
    ("Models", "download load"),
    ("Lessons", "learn tutorial"),
    (SAVE, "download export json"),
    (PAGE, "download export save report html"),
    (LINK, "share address url"),
    ("Run the trace", "start"),
];

/// Buttons of the trace screen that are commands, too.
const SAVE: &str = "Save record";
const PAGE: &str = "Download page";
const LINK: &str = "Copy link";

/// What can be done now.
pub(super) fn actions(page: Page, engine: Engine, tracing: Tracing) -> Vec<Action> {
    let mut all = Vec::new();
    let mut add = |group, name: String, key, run: Run| {
        let also = ALSO.iter().find(|one| one.0 == name).map_or("", |one| one.1);
        all.push(Action { group, words: format!("{name} {also}"), name, key, run });
    };
    of_trace(page, tracing, &mut add);
    for (tab, key) in Tab::ALL.into_iter().zip(["1", "2", "3", "4", "5", "6"]) {
        let go = Arc::new(move || page.lab.update(|lab| lab.tab = tab));
        add("Go to", frame::label(tab).to_owned(), Some(key), go);
    }
    settings(page, tracing, &mut add);
    let loaded = engine.model.with(|model| model.as_ref().map(|model| model.info.name.clone()));
    for name in BUNDLED.into_iter().filter(|name| loaded.as_deref() != Some(*name)) {
        let ask = Arc::new(move || page.lab.update(|lab| lab.model = name.to_owned()));
        add("Models", format!("Ask {name}"), None, ask);
    }
    let facts: Vec<(usize, String)> = tracing.tracer.stored.with_value(|record| {
        let facts = record.iter().flat_map(|record| &record.facts);
        facts.map(|fact| (fact.order, format!("{} {}", fact.prompt, fact.target_true.trim()))).collect()
    });
    for (order, name) in facts {
        let show = Arc::new(move || {
            tracing.tracer.show(order);
            page.lab.update(|lab| lab.tab = Tab::Trace);
        });
        add("Facts of the example study", words::short(&words::visible(&name), 70), None, show);
    }
    all
}

/// Adds a command: group, name, key, and what it does.
type Add<'a> = dyn FnMut(&'static str, String, Option<&'static str>, Run) + 'a;

fn of_trace(page: Page, tracing: Tracing, add: &mut Add<'_>) {
    const GROUP: &str = "This trace";
    let Tracing { tracer, maps } = tracing;
    let tab = page.lab.with(|lab| lab.tab);
    let layer = maps.layer();
    if tracer.fact.with(Option::is_some) {
        let name = layer.map_or("Edit this fact…".to_owned(), |layer| format!("Edit at layer {layer}…"));
        add(GROUP, name, Some("E"), Arc::new(move || tracer.edit(layer)));
        let pin = if maps.pins.is_shown() { "Unpin" } else { "Pin" };
        add(GROUP, pin.into(), Some("P"), Arc::new(move || maps.pins.toggle()));
        if maps.pins.any() {
            let compare = Arc::new(move || {
                maps.pins.compare();
                page.lab.update(|lab| lab.tab = Tab::Trace);
            });
            add(GROUP, "Compare".into(), Some("C"), compare);
        }
        for name in [SAVE, PAGE, LINK] {
            let press = move || {
                page.lab.update(|lab| lab.tab = Tab::Trace);
                press(name);
            };
            add(GROUP, name.into(), None, Arc::new(press));
        }
    }
    if tab != Tab::Forward {
        let play = Arc::new(move || page.lab.update(|lab| lab.tab = Tab::Forward));
        add(GROUP, "Follow the forward pass".into(), Some("F"), play);
    }
    add(GROUP, "Show the numbers as a table".into(), Some("N"), Arc::new(open_numbers));
    add(GROUP, "Run the trace".into(), None, Arc::new(move || tracer.run()));
}

fn settings(page: Page, tracing: Tracing, add: &mut Add<'_>) {
    const GROUP: &str = "Settings";
    let lab = page.lab;
    let (noise, map) = lab.with(|lab| (lab.noise, lab.map));
    let draft = tracing.tracer.draft;
    let name = if noise { "Corruption: replace subject" } else { "Corruption: add noise" };
    add(GROUP, name.into(), None, Arc::new(move || draft.change(|asked| asked.noise = !noise)));
    let name = if map.roles { "Rows: tokens" } else { "Rows: roles, averaged" };
    add(GROUP, name.into(), None, Arc::new(move || lab.update(|lab| lab.map.roles = !map.roles)));
    for (scale, name) in Scale::ALL.into_iter().filter(|(scale, _)| *scale != map.scale) {
        let set = Arc::new(move || lab.update(|lab| lab.map.scale = scale));
        add(GROUP, format!("Scale: {name}"), None, set);
    }
    for position in POSITIONS {
        if page.state.with(|state| state.position) != position {
            let set = Arc::new(move || page.state.update(|state| state.position = position));
            add(GROUP, format!("Restore at: {}", words::patch_position(position)), None, set);
        }
    }
    let (name, keys) = if super::single_keys() { ("Single keys: off", Some("off")) } else { ("Single keys: on", None) };
    add(GROUP, name.into(), None, Arc::new(move || browser::store(super::SINGLE_KEYS, keys)));
    add(GROUP, "Theme: light or dark".into(), Some("T"), Arc::new(frame::toggle_theme));
}

/// Presses a button of the trace screen, which says what came of it.
fn press(name: &str) {
    let Ok(all) = document().query_selector_all("#panel-trace .acts button") else { return };
    let buttons = (0..all.length()).filter_map(|at| all.get(at)?.dyn_into::<web_sys::HtmlElement>().ok());
    let named = |button: &web_sys::HtmlElement| button.text_content().is_some_and(|text| text.trim() == name);
    buttons.into_iter().find(named).iter().for_each(|button| button.click());
}

/// Unfolds the first table of the screen, and goes there.
fn open_numbers() {
    let found = document().query_selector("[role=tabpanel]:not([hidden]) details.numbers").ok().flatten();
    if let Some(table) = found.and_then(|found| found.dyn_into::<web_sys::HtmlDetailsElement>().ok()) {
        table.set_open(!table.open());
        table.scroll_into_view();
    }
}
