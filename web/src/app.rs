//! The page: tabs of the lab, open records, and what holds for all of them.

use crate::components::hear;
use crate::files;
use crate::lab::{
    Engine, Tab, back, copying, edit, forward, frame, lessons, models, place, status, study, trace, trouble,
};
use crate::page::Page;
use crate::sample;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Mounts the page where index.html wants it.
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        files::show_crash();
    }));
    wasm_bindgen_futures::spawn_local(async {
        // Without it the page says so where it would be, and does all else.
        if let Ok(bytes) = files::beside(sample::FILE, false).await {
            sample::arrived(bytes);
        }
        let place = document().get_element_by_id("app").and_then(|place| place.dyn_into::<web_sys::HtmlElement>().ok());
        match place {
            Some(place) => {
                place.set_text_content(None);
                mount_to(place, App).forget();
            }
            None => mount_to_body(App),
        }
    });
}

/// The whole page.
#[component]
pub fn App() -> impl IntoView {
    place::take_token();
    let page = Page::new();
    let engine = Engine::new();
    let tracing = trace::Tracing::new(page, engine);
    page.read(page.linked.get_untracked(), Vec::new());
    back::keep(page, tracing);
    hear(copying::told);
    let dragging = RwSignal::new(false);
    window_event_listener(ev::dragover, move |event| {
        event.prevent_default();
        dragging.set(true);
    });
    window_event_listener(ev::dragleave, move |event| {
        // Only the leave that leaves the window, not those between its elements.
        if event.related_target().is_none() {
            dragging.set(false);
        }
    });
    window_event_listener(ev::drop, move |event| {
        event.prevent_default();
        dragging.set(false);
        // A model's files and a record's are told apart by their names; see `models::dropped`.
        if let Some(data) = event.data_transfer() {
            models::dropped(page, engine, &data);
        }
    });
    let shown = move |tab: Tab| page.lab.with(|lab| lab.tab == tab);
    view! {
        <div class:dragging=move || dragging.get()>
            <a class="skip" href="#screen">"Skip to the screen"</a>
            <frame::Bar page=page engine=engine tracing=tracing />
            <main class="lab" id="screen" tabindex="-1">
                <trouble::Lost engine=engine />
                <Errors page=page engine=engine />
                // Tabs stay mounted, so that what runs in one goes on while another is looked at.
                <div role="tabpanel" id="panel-trace" aria-labelledby="tab-trace" hidden=move || !shown(Tab::Trace)>
                    <trace::Trace tracing=tracing />
                </div>
                <div role="tabpanel" id="panel-forward" aria-labelledby="tab-forward" hidden=move || !shown(Tab::Forward)>
                    <forward::Forward tracing=tracing />
                </div>
                <div role="tabpanel" id="panel-edit" aria-labelledby="tab-edit" hidden=move || !shown(Tab::Edit)>
                    <edit::Edit page=page engine=engine />
                </div>
                <div role="tabpanel" id="panel-study" aria-labelledby="tab-study" hidden=move || !shown(Tab::Study)>
                    <study::StudyTab page=page engine=engine tracer=tracing.tracer />
                </div>
                <div role="tabpanel" id="panel-models" aria-labelledby="tab-models" hidden=move || !shown(Tab::Models)>
                    <models::Models page=page engine=engine />
                </div>
                <div role="tabpanel" id="panel-lessons" aria-labelledby="tab-lessons" hidden=move || !shown(Tab::Lessons)>
                    <lessons::Lessons tracer=tracing.tracer />
                </div>
            </main>
            <status::StatusLine page=page engine=engine tracing=tracing />
        </div>
    }
}

/// What went wrong, as text, until it is dismissed.
#[component]
fn Errors(page: Page, engine: Engine) -> impl IntoView {
    let one = |message: String, hint: Option<String>, dismiss: Callback<()>| {
        view! {
            <div class="problem">
                <p><b>"error: "</b> {message}</p>
                {hint.map(|hint| view! { <p>"hint: " {hint}</p> })}
                <button on:click=move |_| dismiss.run(())>"Dismiss"</button>
            </div>
        }
    };
    let of_files = move || {
        let errors = page.errors.get().into_iter().enumerate();
        let dismiss = move |index: usize| {
            Callback::new(move |()| {
                page.errors.update(|errors| {
                    errors.remove(index);
                });
            })
        };
        errors.map(|(index, (message, hint))| one(message, hint, dismiss(index))).collect_view()
    };
    let of_engine = move || {
        let problems = engine.problems.get().into_iter().enumerate();
        let dismiss = move |index: usize| {
            Callback::new(move |()| {
                engine.problems.update(|problems| {
                    problems.remove(index);
                });
            })
        };
        problems.map(|(index, problem)| one(problem.message, problem.hint, dismiss(index))).collect_view()
    };
    view! { <div role="alert">{of_files} {of_engine}</div> }
}
