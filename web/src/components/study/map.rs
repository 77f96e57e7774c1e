//! The small map of one fact: a strip for each row, on the axis of the layers.

use crate::figures::study::{SmallMap, SmallRow, bands};
use crate::words;
use leptos::prelude::*;

/// Longest token that is written whole.
const LONGEST: usize = 20;

/// The map.
#[component]
pub(super) fn FactMap(map: SmallMap) -> impl IntoView {
    let SmallMap { rows, layers, peak, whole } = map;
    let most = |row: &SmallRow| row.values.iter().flatten().copied().reduce(f64::max);
    let told = |row: &SmallRow| {
        most(row).map(|most| format!("{} {}", row.name.trim_start_matches('·'), words::fixed(most, 2)))
    };
    let told: Vec<String> = rows.iter().filter_map(told).collect();
    let what = if whole { "token" } else { "position" };
    let label = format!("Recovery by {what} and layer; the highest of each row: {}", told.join(", "));
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
    let ring = peak.map(|(row, layer)| {
        view! { <i class="ring" style=format!("grid-area:{}/{}", row + 1, layer + 1)></i> }
    });
    let labelled = |layer: &usize| {
        let tick = layers <= 12 || *layer == 1 || layer.is_multiple_of(layers.div_ceil(30) * 5);
        let near = peak.is_some_and(|(_, peak)| layers > 12 && peak.abs_diff(*layer) == 1);
        peak.is_some_and(|(_, peak)| peak == *layer) || (tick && !near)
    };
    let axis = (1..=layers).filter(labelled).map(|layer| {
        let style = format!("grid-area:{}/{}", count + 1, layer + 1);
        let here = peak.is_some_and(|(_, peak)| peak == layer);
        view! { <span class="tick" class:here=here style=style><span>{layer}</span></span> }
    });
    view! {
        <div class="fact-map" class:positions=!whole role="img" aria-label=label style=format!("--layers:{layers}")>
            {rows.into_iter().enumerate().map(row).collect_view()}
            {ring}
            <span class="name tick" style=format!("grid-row:{}", count + 1)>"layer"</span>
            {axis.collect_view()}
        </div>
    }
}
