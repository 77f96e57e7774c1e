//! The tab of studies: running them, those that are kept, and the records that are open.

mod fields;
mod form;
pub(crate) mod inbox;
mod keeper;
mod kept;
mod live;
mod runner;

use crate::lab::export::ExportPage;
use crate::lab::{Engine, Tab};
use crate::page::Page;
use crate::results::{Everything, Opener};
use form::StudyForm;
use kept::{Kept, Offer};
use leptos::task::spawn_local;
use leptos::{ev, prelude::*};
use live::Running;
use runner::{Runner, show_records};

/// The tab of studies.
#[component]
pub(crate) fn StudyTab(page: Page, engine: Engine) -> impl IntoView {
    let runner = Runner::new(page, engine);
    let open = Memo::new(move |_| page.shelf.with(|shelf| !shelf.records.is_empty()));
    let shown = Memo::new(move |_| page.lab.with(|lab| lab.tab == Tab::Study));
    // The engine is not started for opening the page: only for somebody who comes here, or who has studies kept.
    Effect::new(move |first: Option<()>| {
        let known = runner.note.with_untracked(Option::is_some);
        if shown.get() && (known || first.is_some()) && runner.saved.with_untracked(Option::is_none) {
            spawn_local(runner.refresh());
        }
    });
    window_event_listener(ev::beforeunload, move |event| {
        if runner.busy.get_untracked() {
            event.prevent_default();
            // Older browsers ask only when there is a text, and show one of their own.
            event.set_return_value("A study runs.");
        }
    });
    let said = move || runner.said.get().map(|text| view! { <p class="said">{text}</p> });
    let done = move || {
        let names: Vec<String> =
            runner.done.with(|done| (0..done.records.len()).map(|place| done.name(place)).collect());
        let all = names.join(", ");
        (!names.is_empty()).then(|| {
            view! {
                <aside class="offer" aria-label="A finished study">
                    <p>"Finished " <b>{all}</b></p>
                    <p class="choices">
                        <button type="button" class="primary" on:click=move |_| show_records()>
                            "See the results"
                        </button>
                        <ExportPage
                            page=page
                            records=Callback::new(move |()| Ok(runner.done.with_untracked(|done| done.records.clone())))
                        />
                    </p>
                </aside>
            }
        })
    };
    view! {
        <div role="status">{said} {done}</div>
        <Offer runner=runner />
        <Running runner=runner />
        <section class="first">
            <h2>"New study"</h2>
            <StudyForm runner=runner />
        </section>
        <Kept runner=runner />
        <section id="records">
            <h2>"Records"</h2>
            <Opener page=page open=open />
            {move || match open.get() {
                true => view! { <Everything page=page /> }.into_any(),
                false => view! {
                    <p class="choices">
                        <button type="button" on:click=move |_| stored(page)>
                            "Open the stored study"
                        </button>
                        <span class="faint">"A finished study of a bundled model that comes with this page."</span>
                    </p>
                }
                .into_any(),
            }}
        </section>
    }
}

/// Opens the study that comes with the page.
fn stored(page: Page) {
    match crate::sample::stored() {
        Ok(opened) => {
            let place = page.shelf.try_update(|shelf| shelf.add(opened));
            page.show(place.unwrap_or_default());
        }
        Err(error) => page.complain(&error),
    }
}
