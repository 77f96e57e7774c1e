//! The open records: opening them, and everything that can be seen of them.

use crate::components::shown;
use crate::components::{About, Compare, Edits, FactList, FactView, Study, Switches, Tables};
use crate::figures::compare::Quantity;
use crate::figures::{about, edits, facts};
use crate::files;
use crate::lab::export::ExportPage;
use crate::page::Page;
use crate::state::ViewState;
use crate::take;
use crate::words;
use engram_core::journal;
use engram_core::metrics::{Summary, summarize};
use engram_core::record::{PatchPosition, Record};
use engram_core::tables;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// The drop zone, which is a file input too; small once a record is open.
#[component]
pub(crate) fn Opener(page: Page, open: Memo<bool>) -> impl IntoView {
    let chosen = move |event: ev::Event| {
        let Some(input) = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlInputElement>().ok()) else { return };
        page.read(Vec::new(), files::listed(input.files()));
        // The same file may be chosen again.
        input.set_value("");
    };
    view! {
        <label class="drop" class:small=move || open.get()>
            <input type="file" multiple accept=".json,.gz,.jsonl,.journal,.html,.htm,application/json,application/gzip,text/html" on:change=chosen />
            <span>
                {move || if open.get() { "Open another record…" } else { "Drop a record here, or choose a file…" }}
            </span>
            <span class="faint">".engram.json, .engram.json.gz, or a result page"</span>
            <span role="status">
                {move || (page.reading.get() > 0).then(|| format!("reading {}…", words::count(page.reading.get(), "file")))}
            </span>
        </label>
    }
}

/// Everything about the open records.
#[component]
pub(crate) fn Everything(page: Page) -> impl IntoView {
    // The mean of one fact would only repeat the fact.
    let several =
        |record: &Record, state: ViewState| (record.facts.len() > 1).then(|| summarize(record, &state.view()));
    let summary: Memo<Option<Summary>> = Memo::new(move |_| page.with_record(several).flatten());
    let positions = Signal::derive(move || -> Vec<PatchPosition> {
        page.with_record(|record, _| record.settings.positions.clone()).unwrap_or_default()
    });
    let rows = Memo::new(move |_| page.with_record(|record, s| facts::rows(record, &s.view())).unwrap_or_default());
    let selected = Memo::new(move |_| page.fact().map(|fact| fact.order));
    let fact = Memo::new(move |_| page.fact().map(|fact| (fact, page.state.get().view())));
    let edits = Memo::new(move |_| page.with_record(|record, _| edits::all(record)).flatten());
    let choose = Callback::new(move |order| page.state.update(|state| state.fact = Some(order)));
    let choose_and_go = Callback::new(move |order: usize| {
        choose.run(order);
        if let Some(section) = document().get_element_by_id("facts") {
            section.scroll_into_view();
        }
    });
    let all_tables = move || {
        let state = page.state.get();
        page.shelf.with(|shelf| {
            let baseline = state.baseline.and_then(|place| shelf.records.get(place));
            let tables = tables::all(&shelf.records, &state.view(), baseline.map(|record| record.model.name.as_str()));
            view! { <Tables tables=tables /> }
        })
    };
    // Outside of what is drawn anew with every record.
    let (quantity, cursor) = (RwSignal::new(Quantity::default()), RwSignal::new(500));
    // Not for every fact that is chosen.
    let position = Memo::new(move |_| page.state.with(ViewState::view));
    let comparison = move || {
        let view = position.get();
        let studies: Vec<(String, Record)> = page.shelf.with(|shelf| {
            (0..shelf.records.len()).map(|place| (shelf.name(place), shelf.records[place].clone())).collect()
        });
        (studies.len() > 1).then(|| {
            view! {
                <section id="compare">
                    <h2>"The studies side by side"</h2>
                    <Compare studies=studies view=view quantity=quantity cursor=cursor />
                </section>
            }
        })
    };
    view! {
        <Records page=page />
        <Switches positions=positions state=page.state />
        {move || {
            summary
                .get()
                .map(|summary| {
                    view! {
                        <section>
                            <h2>"The study"</h2>
                            <Study summary=summary />
                        </section>
                    }
                })
        }}
        <section id="facts">
            <h2>"The facts"</h2>
            <div class="split">
                <FactList rows=rows.into() selected=selected on_choose=choose />
                {move || fact.get().map(|(fact, view)| view! { <FactView fact=fact view=view /> })}
            </div>
        </section>
        {move || {
            edits
                .get()
                .map(|edits| {
                    view! {
                        <section>
                            <h2>"The edits"</h2>
                            <Edits edits=edits on_choose=choose_and_go />
                        </section>
                    }
                })
        }}
        {comparison}
        <section>
            <h2>"Tables"</h2>
            <Baseline page=page />
            {all_tables}
        </section>
        <section>
            <h2>"About this record"</h2>
            <p class="choices">
                <button type="button" on:click=move |_| save(page)>
                    "Save the record…"
                </button>
                <span class="faint">"One file with every raw number; this page and "<code>"engram compare"</code>" open it."</span>
            </p>
            <p class="choices">
                <ExportPage
                    page=page
                    records=Callback::new(move |()| Ok(page.shelf.with_untracked(|shelf| shelf.records.clone())))
                />
                <span class="faint">"One web page to read and to pass on, with all open records in it; it needs no server."</span>
            </p>
            {move || page.with_record(|record, _| view! { <About lines=about::lines(record) /> })}
        </section>
    }
}

/// Saves the shown record as a file.
fn save(page: Page) {
    let packed = page.with_record(|record, _| {
        let name = record.model.name.rsplit('/').next().unwrap_or_default().to_owned();
        journal::to_json_gz(record).map(|bytes| (name, bytes))
    });
    match packed {
        Some(Ok((name, bytes))) => {
            take::save(&format!("{name}.engram.json.gz"), "application/gzip", &bytes);
        }
        Some(Err(error)) => page.complain(&error),
        None => {}
    }
}

/// The open records: one is shown, each can be closed.
#[component]
fn Records(page: Page) -> impl IntoView {
    let one = move |place: usize| {
        let name = page.shelf.with(|shelf| shelf.name(place));
        let note = page.shelf.with(|shelf| shelf.labels.get(place).and_then(|label| label.1.clone()));
        let shown = move || (page.shown() == place).to_string();
        let label = format!("Close {name}");
        view! {
            <span class="tab">
                <button aria-pressed=shown on:click=move |_| page.show(place)>
                    {name}
                </button>
                <button class="close" aria-label=label on:click=move |_| page.close(place)>
                    "×"
                </button>
                {note.map(|note| view! { <span class="faint">{words::visible(&note)}</span> })}
            </span>
        }
    };
    let count = move || page.shelf.with(|shelf| shelf.records.len());
    view! {
        <nav class="choices" aria-label="Open records">
            {move || (0..count()).map(one).collect_view()}
        </nav>
    }
}

/// The record that Table 3's ratios are against, where there are several.
#[component]
fn Baseline(page: Page) -> impl IntoView {
    let choose = move |event: ev::Event| {
        let place = event_target_value(&event).parse().ok();
        page.state.update(|state| state.baseline = place);
    };
    let options = move || {
        let names: Vec<String> = page.shelf.with(|shelf| (0..shelf.records.len()).map(|p| shelf.name(p)).collect());
        let one = |(place, name): (usize, String)| {
            let chosen = page.state.with(|state| state.baseline) == Some(place);
            view! { <option value=place.to_string() selected=chosen>{name}</option> }
        };
        names.into_iter().enumerate().map(one).collect_view()
    };
    let several = move || page.shelf.with(|shelf| shelf.records.len() > 1);
    view! {
        {shown(several, move || view! {
            <label>
                "Ratios to "
                <select on:change=choose>
                    <option value="">"no baseline"</option>
                    {options}
                </select>
            </label>
        })}
    }
}
