//! The study screen: the facts of a study and what was found, the study that runs, the form of a new one, those that are kept.

mod beneath;
mod desk;
mod facts;
mod fields;
mod form;
mod in_force;
pub(crate) mod inbox;
mod keeper;
mod kept;
mod live;
mod runner;
mod top;

use crate::components::shown;
use crate::lab::export::ExportPage;
use crate::lab::trace::Tracer;
use crate::lab::{Engine, Tab};
use crate::page::Page;
use beneath::Beneath;
use desk::{Desk, Source};
use facts::Facts;
use form::StudyForm;
use kept::{Kept, Offer};
use leptos::task::spawn_local;
use leptos::{ev, prelude::*};
use live::Running;
use runner::Runner;
use std::time::Duration;
use top::Top;

/// The screen.
#[component]
pub(crate) fn StudyTab(page: Page, engine: Engine, tracer: Tracer) -> impl IntoView {
    let runner = Runner::new(page, engine);
    let desk = Desk::new(page, runner, tracer);
    let seen = Memo::new(move |_| page.lab.with(|lab| lab.tab == Tab::Study));
    // The engine is not started for opening the page: only for somebody who comes here, or who has studies kept.
    Effect::new(move |first: Option<()>| {
        let known = runner.note.with_untracked(Option::is_some);
        if seen.get() && (known || first.is_some()) && runner.saved.with_untracked(Option::is_none) {
            spawn_local(runner.refresh());
        }
    });
    Effect::new(move || {
        // A record that the address names comes a moment later.
        let none = page.reading.get() == 0 && page.shelf.with(|shelf| shelf.records.is_empty());
        if seen.get() && none {
            desk.read_stored();
        }
    });
    // Until somebody says otherwise, the form is there as long as nothing else is.
    let wish = RwSignal::new(None::<bool>);
    let alone = Memo::new(move |_| matches!(desk.source.get(), Source::Stored | Source::Nothing) && !runner.busy.get());
    let unfolded = Memo::new(move |_| wish.get().unwrap_or_else(|| alone.get()));
    Effect::new(move || {
        if runner.busy.get() {
            wish.set(None);
            desk.watching.set(true);
        }
    });
    let unfold = Callback::new(move |open| {
        wish.set(Some(open));
        if open {
            // The line above the form has the button that closes it.
            set_timeout(|| runner::scroll_to(".study-top"), Duration::from_millis(20));
        }
    });
    window_event_listener(ev::beforeunload, move |event| {
        if runner.busy.get_untracked() {
            event.prevent_default();
            // Older browsers ask only when there is a text, and show one of their own.
            event.set_return_value("A study runs.");
        }
    });
    let any = move || desk.source.get() != Source::Nothing;
    view! {
        <Top desk=desk unfolded=unfolded on_form=unfold />
        <Said runner=runner />
        <Offer runner=runner />
        <Running runner=runner />
        <section class="new-study" id="new-study" hidden=move || !unfolded.get()>
            <h2>"New study"</h2>
            <StudyForm runner=runner />
        </section>
        <Kept runner=runner />
        <section class="results" id="records" aria-label="Results">
            {shown(any, move || view! {
                <Facts desk=desk />
                <Beneath desk=desk />
            })}
        </section>
    }
}

/// What happened on the way, and which studies are finished.
#[component]
fn Said(runner: Runner) -> impl IntoView {
    let said = move || runner.said.get().map(|text| view! { <p class="said">{text}</p> });
    let done = move || {
        let names: Vec<String> =
            runner.done.with(|done| (0..done.records.len()).map(|place| done.name(place)).collect());
        let all = names.join(", ");
        let records = Callback::new(move |()| Ok(runner.done.with_untracked(|done| done.records.clone())));
        // A page of one is made above.
        let page = (names.len() > 1).then(|| {
            view! {
                <button type="button" on:click=move |_| runner::unfold("#compare")>"Compare the models"</button>
                <ExportPage page=runner.page label="Download one page of them" records=records />
            }
        });
        (!names.is_empty()).then(|| {
            view! {
                <aside class="offer" aria-label="A finished study">
                    <p>"Finished " <b>{all}</b></p>
                    {page.map(|page| view! { <p class="choices">{page}</p> })}
                </aside>
            }
        })
    };
    view! { <div role="status">{said} {done}</div> }
}
