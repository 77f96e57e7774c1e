//! The line at the bottom: the device, the model, edits in force, and what runs, with a way to stop it.

use crate::figures::bytes::{Speed, clock};
use crate::figures::choice;
use crate::figures::precision;
use crate::figures::progress::loading;
use crate::lab::copying::Copy;
use crate::lab::engine::{Job, now};
use crate::lab::models::device::diagnosed;
use crate::lab::place::Place;
use crate::lab::trace::Tracing;
use crate::lab::trouble::short;
use crate::lab::{Engine, Tab};
use crate::page::Page;
use crate::words;
use leptos::prelude::*;
use std::time::Duration;

/// Shorter work is not shown, so that the line does not flicker.
const SHORTEST: f64 = 0.5;

/// What is to be said beside a result that nothing was loaded for.
const WAITS: &str = "stored result; the model loads when you press Trace";

/// Where the page computes, and whether the line there stands.
fn told(engine: Engine, name: &str) -> String {
    match (engine.place.get(), engine.cut.get()) {
        (Place::Tab, _) => "in this tab".into(),
        (Place::Computer, false) => format!("on {}", words::visible(name)),
        (Place::Computer, true) => format!("on {}: the line is cut, calling again…", words::visible(name)),
    }
}

/// The status line.
#[component]
pub(crate) fn StatusLine(page: Page, engine: Engine, tracing: Tracing) -> impl IntoView {
    let tick = RwSignal::new(now());
    let running = Memo::new(move |_| engine.jobs.with(|jobs| !jobs.is_empty()));
    // The clock goes only while something runs.
    Effect::new(move |clock: Option<Option<IntervalHandle>>| {
        if let Some(Some(clock)) = clock {
            clock.clear();
        }
        tick.set(now());
        running
            .get()
            .then(|| set_interval_with_handle(move || tick.set(now()), Duration::from_millis(500)).ok())
            .flatten()
    });
    let device = Memo::new(move |_| {
        let model = engine.model.get();
        engine.device.with(|report| report.as_ref().map(|report| precision::in_force(report, model.as_ref())))
    });
    let model = Memo::new(move |_| {
        engine.model.with(|model| {
            let loaded = model.as_ref().map(|model| (&model.model, model.info.name.as_str()));
            let wanted = page.lab.with(|lab| choice::wanted(&lab.model, loaded.map(|loaded| loaded.0)));
            choice::told(&wanted, loaded)
        })
    });
    let edits = Memo::new(move |_| engine.edits.with(Vec::len));
    // Nothing is loaded, and there is a result all the same.
    let stored = Memo::new(move |_| {
        let trace = page.lab.with(|lab| matches!(lab.tab, Tab::Trace | Tab::Forward));
        let none = engine.device.with(Option::is_none) && engine.model.with(Option::is_none);
        trace && none && tracing.tracer.is_stored()
    });
    let lasting = Memo::new(move |_| {
        let now = tick.get();
        engine
            .jobs
            .with(|jobs| jobs.iter().filter(|job| now - job.since >= SHORTEST * 1e3).cloned().collect::<Vec<_>>())
    });
    let how_far = move || {
        engine.loading.with(|now| {
            let (_, phase) = now.as_ref()?;
            let bar = loading(phase.as_ref(), &Speed::default());
            bar.share.map(|share| format!("{:.0} %", share * 100.0))
        })
    };
    let job = move |job: Job| {
        let Job { id, what, loads, since } = job;
        let what = words::visible(&what);
        let passed = move || clock((tick.get() - since) / 1e3);
        view! {
            <span class="job">
                {what.clone()} " "
                {loads.then_some(how_far)} " "
                <span class="faint">{passed}</span>
                <button type="button" aria-label=format!("Stop {what}") on:click=move |_| engine.cancel(id)>
                    "Stop"
                </button>
            </span>
        }
    };
    let jobs = move || lasting.get().into_iter().map(job).collect_view();
    view! {
        <footer class="status" aria-label="Status">
            <span role="status" class="facts-now">
                <span>{move || device.get().unwrap_or_else(|| if stored.get() { WAITS } else { "no device open" }.into())}</span>
                {move || engine.offer.get().map(|offer| view! { <span class="place">{told(engine, &offer.name)}</span> })}
                {move || (!stored.get()).then(|| view! { <span class="model">{model.get()}</span> })}
                {move || (edits.get() > 0).then(|| view! { <span>{words::count(edits.get(), "edit")} " in force"</span> })}
            </span>
            {move || short(engine).map(|said| view! {
                <span class="no-gpu">{said}</span>
                <button type="button" on:click=move |_| page.lab.update(|lab| lab.tab = Tab::Models)>"What helps"</button>
            })}
            <span class="jobs">{jobs}</span>
            <Copy label="Copy diagnostics" text=Callback::new(move |()| diagnosed(engine)) />
        </footer>
    }
}
