//! The line above a study: its name, the open records, and what can be done with them.

use super::desk::{Desk, Source};
use crate::components::shown;
use crate::figures::study::title;
use crate::files;
use crate::lab::export::ExportPage;
use crate::take;
use crate::words;
use engram_core::journal;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// The line.
#[component]
pub(super) fn Top(
    desk: Desk,
    /// The form of a new study is unfolded.
    #[prop(into)]
    unfolded: Signal<bool>,
    /// Hears that it shall be, or not.
    on_form: Callback<bool>,
) -> impl IntoView {
    let name = Memo::new(move |_| desk.record(title));
    let named = move || {
        let (name, about) = name.get().unwrap_or_else(|| ("Study".into(), "No record is open.".into()));
        let name = if desk.source.get() == Source::Stored { "Example study".to_owned() } else { name };
        view! { <b>{name}</b> " " <span class="about">{about}</span> }
    };
    let whole = move || matches!(desk.source.get(), Source::Open(_) | Source::Stored);
    view! {
        <section class="study-top" aria-label="Study">
            <p class="named">{named}</p>
            <Records desk=desk on_form=on_form />
            <div class="acts">
                {shown(whole, move || view! {
                    <ExportPage
                        page=desk.page
                        records=Callback::new(move |()| Ok(untrack(|| desk.records(<[_]>::to_vec))))
                    />
                    <button type="button" on:click=move |_| save(desk)>"Save record"</button>
                })}
                <button
                    type="button"
                    class:primary=move || !unfolded.get()
                    aria-expanded=move || unfolded.get().to_string()
                    aria-controls="new-study"
                    on:click=move |_| on_form.run(!unfolded.get_untracked())
                >
                    {move || if unfolded.get() { "Close the form" } else { "New study…" }}
                </button>
            </div>
        </section>
    }
}

/// The study that runs and the open records: one is shown, each record can be closed.
#[component]
fn Records(desk: Desk, on_form: Callback<bool>) -> impl IntoView {
    let page = desk.page;
    let shelf = page.shelf;
    let one = move |place: usize| {
        let name = shelf.with(|shelf| shelf.name(place));
        let note = shelf.with(|shelf| shelf.labels.get(place).and_then(|label| label.1.clone()));
        let pressed = move || (desk.source.get() == Source::Open(place)).to_string();
        let label = format!("Close {name}");
        let show = move |_| {
            desk.watching.set(false);
            page.show(place);
        };
        view! {
            <span class="record">
                <button type="button" aria-pressed=pressed title=note.map(|note| words::visible(&note)) on:click=show>
                    {words::short(&name, 48)}
                </button>
                <button type="button" class="close" aria-label=label on:click=move |_| page.close(place)>
                    "×"
                </button>
            </span>
        }
    };
    let live = Memo::new(move |_| {
        let runs = desk.runner.busy.get() || desk.source.get() == Source::Running;
        desk.runner.live.with(|live| live.as_ref().map(|live| words::visible(&live.record.model.name))).filter(|_| runs)
    });
    let running = move || {
        let name = live.get()?;
        let pressed = move || (desk.source.get() == Source::Running).to_string();
        Some(view! {
            <button type="button" aria-pressed=pressed on:click=move |_| desk.watching.set(true)>
                {name} ", running"
            </button>
        })
    };
    let stored = Memo::new(move |_| {
        let here = desk.source.get() == Source::Stored;
        here.then(|| desk.record(|record| words::visible(&record.model.name))).flatten()
    });
    let stored = move || {
        stored.get().map(|name| {
            view! {
                <button type="button" aria-pressed="true" title="A finished study of a bundled model that comes with this page">
                    {name} ", stored"
                </button>
            }
        })
    };
    let chosen = move |event: ev::Event| {
        let Some(input) = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlInputElement>().ok()) else { return };
        desk.watching.set(false);
        page.read(Vec::new(), files::listed(input.files()));
        // The same file may be chosen again.
        input.set_value("");
    };
    let count = Memo::new(move |_| shelf.with(|shelf| shelf.records.len()));
    let names = move || {
        // Names depend on each other: two models of one name are told apart by their files.
        shelf.track();
        (0..count.get()).map(one).collect_view()
    };
    view! {
        <nav class="segments" aria-label="Open records">
            {running} {names} {stored}
            <button type="button" on:click=move |_| on_form.run(true)>"Add a model…"</button>
            <label class="open-record" title=".engram.json, .engram.json.gz, or a result page; it can be dropped anywhere, too">
                <input
                    type="file"
                    multiple
                    accept=".json,.gz,.jsonl,.journal,.html,.htm,application/json,application/gzip,text/html"
                    on:change=chosen
                />
                <span>"Open a record…"</span>
            </label>
            <span class="faint" role="status">
                {move || (page.reading.get() > 0).then(|| format!("reading {}…", words::count(page.reading.get(), "file")))}
            </span>
        </nav>
    }
}

/// Saves the shown record as a file.
fn save(desk: Desk) {
    let packed = untrack(|| {
        desk.record(|record| {
            let name = record.model.name.rsplit('/').next().unwrap_or_default().to_owned();
            journal::to_json_gz(record).map(|bytes| (name, bytes))
        })
    });
    match packed {
        Some(Ok((name, bytes))) => {
            take::save(&format!("{name}.engram.json.gz"), "application/gzip", &bytes);
        }
        Some(Err(error)) => desk.page.complain(&error),
        None => {}
    }
}
