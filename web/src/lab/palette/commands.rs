//! The commands, in the order in which they are listed.

use crate::figures::trace::Scale;
use crate::lab::trace::Tracing;
use crate::lab::{Engine, Tab, frame};
use crate::page::Page;
use crate::state::{BUNDLED, POSITIONS};
use crate::words;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// Something that can be done.
#[derive(Clone)]
pub(super) struct Action {
    /// Where it is listed.
    pub(super) group: &'static str,
    /// What it does.
    pub(super) name: String,
    /// The key that does it without the list.
    pub(super) key: Option<&'static str>,
    /// Does it.
    pub(super) run: Callback<()>,
}

/// What can be done now.
pub(super) fn actions(page: Page, engine: Engine, tracing: Tracing) -> Vec<Action> {
    let mut all = Vec::new();
    let mut add = |group, name: String, key, run: Callback<()>| all.push(Action { group, name, key, run });
    of_trace(page, tracing, &mut add);
    for (tab, key) in Tab::ALL.into_iter().zip(["1", "2", "3", "4", "5"]) {
        let go = Callback::new(move |()| page.lab.update(|lab| lab.tab = tab));
        add("Go to", frame::label(tab).to_owned(), Some(key), go);
    }
    settings(page, tracing, &mut add);
    let loaded = engine.model.with(|model| model.as_ref().map(|model| model.info.name.clone()));
    for name in BUNDLED.into_iter().filter(|name| loaded.as_deref() != Some(*name)) {
        let ask = Callback::new(move |()| page.lab.update(|lab| lab.model = name.to_owned()));
        add("Models", format!("Ask {name}"), None, ask);
    }
    let facts: Vec<(usize, String)> = tracing.tracer.stored.with_value(|record| {
        let facts = record.iter().flat_map(|record| &record.facts);
        facts.map(|fact| (fact.order, format!("{} {}", fact.prompt, fact.target_true.trim()))).collect()
    });
    for (order, name) in facts {
        let show = Callback::new(move |()| {
            tracing.tracer.show(order);
            page.lab.update(|lab| lab.tab = Tab::Trace);
        });
        add("Facts of the example study", words::short(&words::visible(&name), 70), None, show);
    }
    all
}

/// Adds a command: group, name, key, and what it does.
type Add<'a> = dyn FnMut(&'static str, String, Option<&'static str>, Callback<()>) + 'a;

fn of_trace(page: Page, tracing: Tracing, add: &mut Add<'_>) {
    const GROUP: &str = "This trace";
    let Tracing { tracer, maps } = tracing;
    let tab = page.lab.with(|lab| lab.tab);
    let layer = maps.cursor.get().map(|at| at.layer);
    if tracer.fact.with(Option::is_some) {
        let name = layer.map_or("Edit this fact…".to_owned(), |layer| format!("Edit this fact at layer {layer}…"));
        add(GROUP, name, Some("E"), Callback::new(move |()| tracer.edit(layer)));
        add(GROUP, "Pin as reference".into(), Some("P"), Callback::new(move |()| maps.pins.toggle()));
        let compare = Callback::new(move |()| {
            maps.pins.compare();
            page.lab.update(|lab| lab.tab = Tab::Trace);
        });
        add(GROUP, "Compare with the pinned trace".into(), Some("C"), compare);
    }
    if tab != Tab::Forward {
        let play = Callback::new(move |()| page.lab.update(|lab| lab.tab = Tab::Forward));
        add(GROUP, "Follow the forward pass".into(), Some("F"), play);
    }
    add(GROUP, "Show the numbers as a table".into(), Some("N"), Callback::new(|()| open_numbers()));
    add(GROUP, "Run the trace".into(), None, Callback::new(move |()| tracer.run()));
}

fn settings(page: Page, tracing: Tracing, add: &mut Add<'_>) {
    const GROUP: &str = "Settings";
    let lab = page.lab;
    let (noise, map) = lab.with(|lab| (lab.noise, lab.map));
    let draft = tracing.tracer.draft;
    let name = if noise { "Corruption: replace subject" } else { "Corruption: add noise" };
    add(GROUP, name.into(), None, Callback::new(move |()| draft.change(|asked| asked.noise = !noise)));
    let name = if map.roles { "Rows: tokens" } else { "Rows: roles, averaged" };
    add(GROUP, name.into(), None, Callback::new(move |()| lab.update(|lab| lab.map.roles = !map.roles)));
    for (scale, name) in Scale::ALL.into_iter().filter(|(scale, _)| *scale != map.scale) {
        let set = Callback::new(move |()| lab.update(|lab| lab.map.scale = scale));
        add(GROUP, format!("Scale: {name}"), None, set);
    }
    for position in POSITIONS {
        if page.state.with(|state| state.position) != position {
            let set = Callback::new(move |()| page.state.update(|state| state.position = position));
            add(GROUP, format!("Restore at: {}", words::patch_position(position)), None, set);
        }
    }
    add(GROUP, "Theme: light or dark".into(), Some("T"), Callback::new(|()| frame::toggle_theme()));
}

/// Unfolds the first table of the screen, and goes there.
fn open_numbers() {
    let found = document().query_selector("[role=tabpanel]:not([hidden]) details.numbers").ok().flatten();
    if let Some(table) = found.and_then(|found| found.dyn_into::<web_sys::HtmlDetailsElement>().ok()) {
        table.set_open(!table.open());
        table.scroll_into_view();
    }
}
