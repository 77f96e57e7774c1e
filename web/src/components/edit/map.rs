//! A map in a hand's width: rows and layers without tracks, the edited cell ringed.

use crate::figures::edit::{SmallMap, SmallRow};
use crate::figures::trace::{Cursor, Scale, ramp};
use crate::words;
use leptos::prelude::*;

/// Longest token that is written whole.
const LONGEST: usize = 8;

/// The map.
#[component]
pub fn EditMap(
    /// The map.
    map: SmallMap,
) -> impl IntoView {
    let sentence = map.sentence();
    let SmallMap { rows, layers, edited, .. } = map;
    let end = rows.len();
    let row = |(at, row): (usize, SmallRow)| {
        let cell = |(layer, value): (usize, Option<f64>)| {
            let style = value.map(|value| format!("background:{}", ramp(value, Scale::Linear)));
            let here = edited == Some(Cursor { row: at, layer: layer + 1 });
            let class = if value.is_some() { "cell" } else { "cell waits" };
            view! { <span class=class class:here=here style=style></span> }
        };
        let class = if row.subject { "name subject" } else { "name" };
        view! {
            <span class=class class:end={at + 1 == end}>{words::short(&row.text, LONGEST)}</span>
            {row.cells.into_iter().enumerate().map(cell).collect_view()}
        }
    };
    let number = |layer: usize| {
        let shown = layer == 1 || layer == layers || if layers <= 12 { true } else { layer.is_multiple_of(10) };
        view! { <span class="number">{shown.then_some(layer)}</span> }
    };
    view! {
        <div class="edit-map" role="img" aria-label=sentence style=format!("--layers:{layers}")>
            {rows.into_iter().enumerate().map(row).collect_view()}
            <span class="name layer">"layer"</span>
            {(1..=layers).map(number).collect_view()}
        </div>
    }
}
