//! The map of states in small: a strip for each row, on the axis of the layers.

use crate::figures::small_map::{SmallMap, SmallRow, bands};
use crate::words;
use leptos::prelude::*;

/// Longest token that is written whole.
const LONGEST: usize = 20;

/// The map.
#[component]
pub fn SmallMapView(
    /// The map.
    map: SmallMap,
) -> impl IntoView {
    let SmallMap { rows, layers, ring: marked, whole, label } = map;
    let count = rows.len();
    let row = |(at, row): (usize, SmallRow)| {
        let unmatched = row.values.iter().all(Option::is_none);
        let style = format!("background:{};grid-row:{}", bands(row.values.into_iter()), at + 1);
        view! {
            <span class="name" class:subject=row.subject style=format!("grid-row:{}", at + 1)>
                {words::short(&row.name, LONGEST)}
            </span>
            <i class="band" class:unmatched=unmatched style=style></i>
        }
    };
    let ring = marked.map(|(row, layer)| {
        view! { <i class="ring" style=format!("grid-area:{}/{}", row + 1, layer + 1)></i> }
    });
    let labelled = |layer: &usize| {
        let tick = layers <= 12 || *layer == 1 || layer.is_multiple_of(layers.div_ceil(30) * 5);
        let near = marked.is_some_and(|(_, peak)| layers > 12 && peak.abs_diff(*layer) == 1);
        marked.is_some_and(|(_, peak)| peak == *layer) || (tick && !near)
    };
    let axis = (1..=layers).filter(labelled).map(|layer| {
        let style = format!("grid-area:{}/{}", count + 1, layer + 1);
        let here = marked.is_some_and(|(_, peak)| peak == layer);
        view! { <span class="tick" class:here=here style=style><span>{layer}</span></span> }
    });
    view! {
        <div class="small-map" class:positions=!whole role="img" aria-label=label style=format!("--layers:{layers}")>
            {rows.into_iter().enumerate().map(row).collect_view()}
            {ring}
            <span class="name tick" style=format!("grid-row:{}", count + 1)>"layer"</span>
            {axis.collect_view()}
        </div>
    }
}
