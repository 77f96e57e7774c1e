//! A row of the map: its token, its cells, and the highest of them.

use super::grid::cell_id;
use crate::figures::trace::{Cursor, Row, SAME, Scale, TraceMaps, ramp};
use crate::words;
use engram_core::protocol::MapSite;
use leptos::prelude::*;

/// Longest token that is written whole.
const LONGEST: usize = 16;

/// Why a row has no cells.
const UNMATCHED: &str = "the replacement has no token here, so no state of it can be put back";

/// The row.
#[component]
pub(super) fn MapRow(
    at: usize,
    row: Row,
    /// It is the last one.
    end: bool,
    maps: Memo<Option<TraceMaps>>,
    site: Signal<MapSite>,
    /// Its map is the one that is spoken of; its cells have ids.
    spoken: Memo<bool>,
    scale: Signal<Scale>,
    cursor: Memo<Option<Cursor>>,
    layers: usize,
) -> impl IntoView {
    let line =
        Memo::new(move |_| maps.with(|maps| maps.as_ref().map(|maps| maps.line(site.get(), at)).unwrap_or_default()));
    let top = Memo::new(move |_| maps.with(|maps| maps.as_ref().map_or(1.0, |maps| maps.top(site.get(), scale.get()))));
    let here = Memo::new(move |_| cursor.get().filter(|cursor| cursor.row == at).map(|cursor| cursor.layer));
    // Its own: cells that listened to the map's would stay in its list when they are dropped.
    let spoken = Memo::new(move |_| spoken.get());
    let matched = !row.at.is_empty();
    let shades = Memo::new(move |_| {
        let shade =
            |value: &Option<f64>| value.map(|value| format!("background:{}", ramp(value / top.get(), scale.get())));
        line.with(|line| line.iter().map(shade).collect::<Vec<_>>())
    });
    // Drawn once: a dropped effect stays in the list of what it listened to, so cells that were made anew with each value
    // would be remembered for ever.
    let one = |layer: usize| {
        let value = move || line.with(|line| line.get(layer - 1).copied().flatten());
        view! {
            <span
                role="gridcell"
                class="cell"
                class:waits=move || value().is_none()
                class:here=move || here.get() == Some(layer)
                style=move || shades.with(|shades| shades.get(layer - 1).cloned().flatten())
                id=move || spoken.get().then(|| cell_id(Cursor { row: at, layer }))
                data-row=at
                data-layer=layer
                aria-label=move || value().map(|value| words::fixed(value, 2))
            ></span>
        }
    };
    let cells = (1..=layers).map(one).collect_view();
    let most = move || {
        let differs = maps.with(|maps| maps.as_ref().is_some_and(TraceMaps::differs));
        // Of differences the widest, with its sign.
        let higher = move |a: f64, b: f64| if differs && b.abs() > a.abs() || !differs && b > a { b } else { a };
        let most = line.with(|line| line.iter().flatten().copied().reduce(higher));
        let peak =
            maps.with(|maps| maps.as_ref().and_then(|maps| maps.peak(site.get()))).filter(|peak| peak.at.row == at);
        let name = maps.with(|maps| maps.as_ref().map_or("peak", |maps| maps.peak_name(site.get())));
        match (most, peak) {
            (_, Some(peak)) => {
                let name = if differs { "most" } else { name };
                view! { <span class="row-most peak"><span>{format!("{name}\u{a0}{}", words::fixed(peak.value, 2))}</span></span> }
                    .into_any()
            }
            (Some(most), None) => view! { <span class="row-most">{words::fixed(most, 2)}</span> }.into_any(),
            (None, None) if !matched => view! { <span class="row-most" title=UNMATCHED>"no match"</span> }.into_any(),
            (None, None) => ().into_any(),
        }
    };
    let Row { text, instead, same, role, leads, averaged, .. } = row;
    let shown = if leads && !averaged { role.name() } else { "" };
    let star = if role.is_subject() { "*" } else { "" };
    let label = format!("{text}{star}");
    let head = match matched {
        true if same => format!("{}; {SAME}", role.full()),
        true => role.full().to_owned(),
        false => format!("{}; {UNMATCHED}", role.full()),
    };
    view! {
        <div role="row" class="map-row" class:subject=role.is_subject() class:end=end class:here=move || here.get().is_some() style=format!("grid-row:{}", at + 1)>
            <span role="rowheader" class="row-head" title=head aria-label=label>
                <span class="role">{shown}</span>
                <span class="words">
                    <b>{words::short(&text, LONGEST)}</b>
                    {instead.map(|instead| view! { <small>{words::short(&instead, LONGEST)}</small> })}
                </span>
            </span>
            {cells}
            {most}
        </div>
    }
}
