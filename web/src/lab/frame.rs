//! The bar above all screens: the screens themselves, the model, light or dark.

use super::browser::focus_soon;
use super::chooser::ModelSelect;
use super::draft::Draft;
use super::palette::Palette;
use super::trace::Tracing;
use super::{Engine, Tab, browser};
use crate::figures::question::Asked;
use crate::page::Page;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// The bar.
#[component]
pub(crate) fn Bar(page: Page, engine: Engine, tracing: Tracing) -> impl IntoView {
    let draft = Draft::new(page, engine, Asked::default());
    view! {
        <header class="top-bar">
            <h1><Mark /> "Engram"</h1>
            <Tabs page=page />
            <span class="fill"></span>
            <div class="model-choice"><ModelSelect page=page engine=engine draft=draft form="lab" /></div>
            <Palette page=page engine=engine tracing=tracing />
            <Theme />
        </header>
    }
}

/// Early and late cells of a map: the mark of the lab.
#[component]
fn Mark() -> impl IntoView {
    let cell = |at: usize| {
        let (x, y) = (at % 3, at / 3);
        // The lower left of the three rows is dark.
        let faint = [true, true, true, false, false, true, false, false, false][at];
        view! { <rect x={x as f64 * 6.5} y={y as f64 * 6.5} width="5" height="5" rx="1" opacity=if faint { "0.22" } else { "1" }></rect> }
    };
    view! { <svg viewBox="0 0 18 18" aria-hidden="true">{(0..9).map(cell).collect_view()}</svg> }
}

/// Where the page keeps its theme.
const THEME: &str = "engram-theme";

/// What a screen is called.
pub(crate) fn label(tab: Tab) -> &'static str {
    match tab {
        Tab::Trace => "Trace",
        Tab::Forward => "Forward pass",
        Tab::Edit => "Edit",
        Tab::Study => "Study",
        Tab::Models => "Models",
        Tab::Lessons => "Lessons",
    }
}

/// Light or dark: the system's, until somebody presses the button.
#[component]
fn Theme() -> impl IntoView {
    if let Some(kept) = browser::stored(THEME).filter(|kept| ["light", "dark"].contains(&kept.as_str())) {
        set_theme(&kept);
    }
    view! {
        <button type="button" class="quiet" aria-label="Light or dark" title="Light or dark" on:click=move |_| toggle_theme()>
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
                <circle cx="8" cy="8" r="3"></circle>
                <path d="M8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1"></path>
            </svg>
        </button>
    }
}

fn set_theme(name: &str) {
    if let Some(root) = document().document_element() {
        let _ = root.set_attribute("data-theme", name);
    }
}

/// Light where it was dark, and the other way round; kept for the next visit.
pub(crate) fn toggle_theme() {
    let own = document().document_element().and_then(|root| root.get_attribute("data-theme"));
    let query = || window().match_media("(prefers-color-scheme: dark)").ok().flatten();
    let dark = own.map_or_else(|| query().is_some_and(|query| query.matches()), |own| own == "dark");
    let next = if dark { "light" } else { "dark" };
    set_theme(next);
    browser::store(THEME, Some(next));
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
        view! {
            <button
                role="tab"
                aria-controls=format!("panel-{}", tab.name())
                id=format!("tab-{}", tab.name())
                data-name=label(tab)
                aria-selected=move || chosen().to_string()
                tabindex=move || if chosen() { "0" } else { "-1" }
                on:click=move |event: ev::MouseEvent| {
                    go(tab);
                    // After a click the arrow keys step the picture; with the keyboard they go on from tab to tab.
                    if tab == Tab::Forward && event.detail() > 0 {
                        focus_soon("#panel-forward .play input");
                    }
                }
            >
                {label(tab)}
            </button>
        }
    };
    view! {
        <nav aria-label="Screens">
            <div class="tabs" role="tablist" aria-label="Parts of the lab" on:keydown=key>
                {Tab::ALL.into_iter().map(one).collect_view()}
            </div>
        </nav>
    }
}
