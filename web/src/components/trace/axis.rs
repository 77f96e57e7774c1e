//! The layers beneath the map, and the brackets above it.

use crate::figures::trace::{CARRIES, Carries, Cursor, Story, TraceMaps};
use engram_core::protocol::MapSite;
use leptos::prelude::*;

/// Whether a layer has its number written: each of a few, every fifth of many.
fn labelled(layer: usize, layers: usize) -> bool {
    layers <= 12 || layer == 1 || layer.is_multiple_of(5) || layer == layers
}

/// The layers' numbers.
#[component]
pub(super) fn Axis(
    maps: Memo<Option<TraceMaps>>,
    site: Signal<MapSite>,
    cursor: Memo<Option<Cursor>>,
    layers: usize,
    /// Its place among the rows of the map.
    row: usize,
) -> impl IntoView {
    let here = Memo::new(move |_| cursor.get().map(|at| at.layer));
    let peak = Memo::new(move |_| {
        maps.with(|maps| maps.as_ref().and_then(|maps| maps.peak(site.get()))).map(|peak| peak.at.layer)
    });
    let one = |layer: usize| {
        // A number beside the peak's gives way to it.
        let near = move || peak.get().is_some_and(|peak| layers > 12 && peak.abs_diff(layer) == 1);
        let shown = move || peak.get() == Some(layer) || (labelled(layer, layers) && !near());
        view! {
            <span
                role="columnheader"
                data-axis=layer
                data-layer=layer
                class:peak=move || peak.get() == Some(layer)
                class:here=move || here.get() == Some(layer)
                class:shown=shown
            >
                <span>{layer}</span>
            </span>
        }
    };
    view! {
        <div role="row" class="map-row axis" style=format!("grid-row:{row}")>
            <span role="columnheader" class="row-head">"layer"</span>
            {(1..=layers).map(one).collect_view()}
        </div>
    }
}

/// The brackets over the layers through which a token carries the answer.
#[component]
pub(in crate::components) fn Brackets(
    story: Memo<Option<Story>>,
    layers: usize,
    site: Signal<MapSite>,
) -> impl IntoView {
    let bracket = move |letter: char, carries: Carries, token: String, beside: Option<Carries>| {
        // Where both begin at one layer, B's letter stands beside A's.
        let shift = if letter == 'B' && beside.is_some_and(|other| other.from == carries.from) { 20 } else { 0 };
        let style = format!("grid-column:{}/{};padding-left:{shift}px", carries.from + 1, carries.to + 2);
        let apart = beside.is_none_or(|other| other.to < carries.from || carries.to < other.from);
        // What does not fit is said by the letter, and by the sentence above.
        let room = apart && (carries.to - carries.from + 1) as f64 / layers as f64 > 0.2;
        let how = if carries.high >= CARRIES { "carries it" } else { "holds part of it" };
        let range = format!(" {how}, {}–{}", carries.from, carries.to);
        let words = room.then(|| view! { <span class="words"><b>{token}</b> {range}</span> });
        view! {
            <div class="bracket" style=style>
                <span class="letter">{letter.to_string()}</span>
                {words}
            </div>
        }
    };
    let shown = move || {
        let story = story.get().filter(|_| site.get() == MapSite::Residual)?;
        let says = story.moved.filter(|moved| *moved > 9).map(|moved| {
            let style = format!("grid-column:{}/{}", moved - 7, moved + 1);
            view! { <div class="bracket says" style=style><span>{format!("attention moves it at {moved}")}</span></div> }
        });
        let [subject, last] = story.names.clone();
        let subject = story.subject.map(|carries| bracket('A', carries, subject, story.last));
        let last = story.last.map(|carries| bracket('B', carries, last, story.subject));
        Some(view! { {subject} {says} {last} })
    };
    view! { <div class="brackets" aria-hidden="true">{shown}</div> }
}
