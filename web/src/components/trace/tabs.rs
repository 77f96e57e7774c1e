//! The three maps as tabs, each with a thumbnail, one square a cell; and the legend of their colours.

use crate::figures::trace::{Cursor, SITES, Scale, TraceMaps, ramp};
use crate::words;
use engram_core::protocol::MapSite;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Cells that restore less need no square of their own.
const SEEN: f64 = 0.04;

fn name(site: MapSite) -> &'static str {
    match site {
        MapSite::Residual => "State",
        MapSite::Mlp => "MLP",
        MapSite::Attention => "Attention",
    }
}

fn id(site: MapSite) -> &'static str {
    match site {
        MapSite::Residual => "map-tab-state",
        MapSite::Mlp => "map-tab-mlp",
        MapSite::Attention => "map-tab-attention",
    }
}

/// The tabs.
#[component]
pub fn MapTabs(
    /// The maps.
    maps: Memo<Option<TraceMaps>>,
    /// Which is shown.
    site: Signal<MapSite>,
    /// Hears which shall be.
    on_site: Callback<MapSite>,
) -> impl IntoView {
    let key = move |event: ev::KeyboardEvent| {
        let at = SITES.iter().position(|one| *one == site.get_untracked()).unwrap_or(0);
        let next = match event.key().as_str() {
            "ArrowRight" => (at + 1) % SITES.len(),
            "ArrowLeft" => (at + SITES.len() - 1) % SITES.len(),
            _ => return,
        };
        event.prevent_default();
        on_site.run(SITES[next]);
        let button = document().get_element_by_id(id(SITES[next]));
        if let Some(button) = button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = button.focus();
        }
    };
    let one = move |of: MapSite| {
        let chosen = move || site.get() == of;
        let window = move || maps.with(|maps| maps.as_ref().map_or(0, |maps| maps.window));
        let what = move || match of {
            MapSite::Residual => "after one layer".to_owned(),
            _ => format!("outputs of {}", words::count(window(), "layer")),
        };
        view! {
            <button
                type="button"
                role="tab"
                id=id(of)
                aria-selected=move || chosen().to_string()
                aria-controls="map"
                tabindex=move || if chosen() { "0" } else { "-1" }
                on:click=move |_| on_site.run(of)
            >
                <Thumb maps=maps site=of />
                <span><b>{name(of)}</b><small>{what}</small></span>
            </button>
        }
    };
    view! {
        <div class="map-tabs" role="tablist" aria-label="What is put back" on:keydown=key>
            {SITES.into_iter().map(one).collect_view()}
        </div>
    }
}

/// A map in the size of a stamp.
#[component]
fn Thumb(maps: Memo<Option<TraceMaps>>, site: MapSite) -> impl IntoView {
    let cells = Memo::new(move |_| {
        maps.with(|maps| {
            let Some(maps) = maps else { return (1, 1, Vec::new()) };
            let all = (0..maps.rows.len()).flat_map(|row| (1..=maps.layers).map(move |layer| Cursor { row, layer }));
            let seen = all.filter_map(|at| Some((at, maps.value(site, at).filter(|value| value.abs() > SEEN)?)));
            let seen: Vec<(Cursor, String)> = seen.map(|(at, value)| (at, ramp(value, Scale::Linear))).collect();
            (maps.layers.max(1), maps.rows.len().max(1), seen)
        })
    });
    move || {
        let (layers, rows, seen) = cells.get();
        let cell = |(at, colour): (Cursor, String)| {
            view! { <rect x={at.layer - 1} y=at.row width="1.02" height="1.02" style=format!("fill:{colour}")></rect> }
        };
        view! {
            <svg viewBox=format!("0 0 {layers} {rows}") preserveAspectRatio="none" aria-hidden="true">
                {seen.into_iter().map(cell).collect_view()}
            </svg>
        }
    }
}

/// What a colour means.
#[component]
pub fn Legend(
    /// The answer.
    answer: Signal<String>,
    /// Cells are differences from a pinned trace.
    differs: Signal<bool>,
    /// The value of the darkest colour.
    top: Signal<f64>,
    /// A cell is worse than the corrupted run.
    worse: Signal<bool>,
) -> impl IntoView {
    let name = move || match differs.get() {
        true => "This minus pinned".to_owned(),
        false => format!("Recovery of {}", answer.get()),
    };
    let high = move || match (top.get(), differs.get()) {
        (1.0, true) => "+1".to_owned(),
        (1.0, false) => "1 clean".to_owned(),
        (top, true) => format!("+{}", words::fixed(top, 2)),
        (top, false) => words::fixed(top, 2),
    };
    let low = move || match (top.get(), differs.get()) {
        (_, false) => "corrupted 0".to_owned(),
        (1.0, true) => "−1".to_owned(),
        (top, true) => words::fixed(-top, 2),
    };
    view! {
        <div class="map-legend" class:differs=move || differs.get() aria-hidden="true">
            <b>{name}</b>
            <span>{move || worse.get().then(|| view! { <i class="worse"></i> " worse · " })} {low}</span>
            <i></i>
            <span>{high}</span>
        </div>
    }
}
