//! The page: tabs of the lab, open records, and what holds for all of them.

use crate::files;
use crate::lab::{Engine, Tab, edit, explore, models, status, study, trouble};
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
        if let Ok(bytes) = files::beside(sample::FILE).await {
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
    let page = Page::new();
    let engine = Engine::new();
    page.read(page.linked.get_untracked(), Vec::new());
    Effect::new(move || {
        let (state, lab, trace) = (page.state.get(), page.lab.get(), page.trace.get());
        page.linked.with(|linked| files::write_address(linked, &state, &lab, trace.as_deref()));
    });
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
            <header>
                <h1>"Engram"</h1>
                <p class="faint">"where a small language model stores a fact"</p>
            </header>
            <Tabs page=page />
            <trouble::Banner engine=engine />
            <main>
                <Errors page=page engine=engine />
                // Tabs stay mounted, so that what runs in one goes on while another is looked at.
                <div role="tabpanel" id="panel-explore" aria-labelledby="tab-explore" hidden=move || !shown(Tab::Explore)>
                    <explore::Explore page=page engine=engine />
                </div>
                <div role="tabpanel" id="panel-edit" aria-labelledby="tab-edit" hidden=move || !shown(Tab::Edit)>
                    <edit::Edit page=page engine=engine />
                </div>
                <div role="tabpanel" id="panel-study" aria-labelledby="tab-study" hidden=move || !shown(Tab::Study)>
                    <study::StudyTab page=page engine=engine />
                </div>
                <div role="tabpanel" id="panel-models" aria-labelledby="tab-models" hidden=move || !shown(Tab::Models)>
                    <models::Models page=page engine=engine />
                </div>
            </main>
            <status::StatusLine engine=engine />
        </div>
    }
}

/// The tabs: arrow keys move between them, as the ARIA pattern wants it.
#[component]
fn Tabs(page: Page) -> impl IntoView {
    let go = move |tab: Tab| page.lab.update(|lab| lab.tab = tab);
    let key = move |event: ev::KeyboardEvent| {
        let now = page.lab.with_untracked(|lab| lab.tab);
        let at = Tab::ALL.iter().position(|&tab| tab == now).unwrap_or(0);
        let next = match event.key().as_str() {
            "ArrowRight" => (at + 1) % Tab::ALL.len(),
            "ArrowLeft" => (at + Tab::ALL.len() - 1) % Tab::ALL.len(),
            "Home" => 0,
            "End" => Tab::ALL.len() - 1,
            _ => return,
        };
        event.prevent_default();
        go(Tab::ALL[next]);
        let button = document().get_element_by_id(&format!("tab-{}", Tab::ALL[next].name()));
        if let Some(button) = button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = button.focus();
        }
    };
    let one = move |tab: Tab| {
        let chosen = move || page.lab.with(|lab| lab.tab == tab);
        let label = match tab {
            Tab::Explore => "Explore",
            Tab::Edit => "Edit",
            Tab::Study => "Study",
            Tab::Models => "Models",
        };
        view! {
            <button
                role="tab"
                aria-controls=format!("panel-{}", tab.name())
                id=format!("tab-{}", tab.name())
                aria-selected=move || chosen().to_string()
                tabindex=move || if chosen() { "0" } else { "-1" }
                on:click=move |_| go(tab)
            >
                {label}
            </button>
        }
    };
    view! {
        <nav aria-label="Parts of the lab">
            <div class="tabs" role="tablist" aria-label="Parts of the lab" on:keydown=key>
                {Tab::ALL.into_iter().map(one).collect_view()}
            </div>
        </nav>
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
