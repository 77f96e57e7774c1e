//! A row of the map: its token, its cells, and the highest of them.

use super::figure::cell_id;
use crate::figures::trace::{Cursor, Row, Scale, TraceMaps, ramp};
use crate::words;
use engram_core::protocol::MapSite;
use leptos::prelude::*;

/// Longest token that is written whole.
const LONGEST: usize = 16;

/// The row.
#[component]
pub(super) fn MapRow(
    at: usize,
    row: Row,
    /// It is the last one.
    end: bool,
    maps: Memo<Option<TraceMaps>>,
    site: Signal<MapSite>,
    scale: Signal<Scale>,
    cursor: Memo<Option<Cursor>>,
    layers: usize,
) -> impl IntoView {
    let line =
        Memo::new(move |_| maps.with(|maps| maps.as_ref().map(|maps| maps.line(site.get(), at)).unwrap_or_default()));
    let top = Memo::new(move |_| maps.with(|maps| maps.as_ref().map_or(1.0, |maps| maps.top(site.get(), scale.get()))));
    let here = Memo::new(move |_| cursor.get().filter(|cursor| cursor.row == at).map(|cursor| cursor.layer));
    let matched = !row.at.is_empty();
    let cells = move || {
        let (line, top) = (line.get(), top.get());
        let one = |layer: usize| {
            let value = line.get(layer - 1).copied().flatten();
            let style = value.map(|value| format!("background:{}", ramp(value / top, scale.get())));
            let class = if value.is_some() { "cell" } else { "cell waits" };
            // One closure for each cell that may be the cursor's: cheap, and nothing else is drawn again.
            view! {
                <span
                    role="gridcell"
                    class=class
                    class:here=move || here.get() == Some(layer)
                    style=style
                    id=cell_id(Cursor { row: at, layer })
                    data-row=at
                    data-layer=layer
                    aria-label=value.map(|value| words::fixed(value, 2))
                ></span>
            }
        };
        (1..=layers).map(one).collect_view()
    };
    let most = move || {
        let differs = maps.with(|maps| maps.as_ref().is_some_and(TraceMaps::differs));
        // Of differences the widest, with its sign.
        let higher = move |a: f64, b: f64| if differs && b.abs() > a.abs() || !differs && b > a { b } else { a };
        let most = line.with(|line| line.iter().flatten().copied().reduce(higher));
        let peak =
            maps.with(|maps| maps.as_ref().and_then(|maps| maps.peak(site.get()))).filter(|peak| peak.at.row == at);
        match (most, peak) {
            (_, Some(peak)) => {
                view! { <span class="row-most peak">{format!("{} {}", if differs { "most" } else { "peak" }, words::fixed(peak.value, 2))}</span> }
                    .into_any()
            }
            (Some(most), None) => view! { <span class="row-most">{words::fixed(most, 2)}</span> }.into_any(),
            (None, None) if !matched => {
                view! { <span class="row-most" title="the replacement has no token here">"no match"</span> }.into_any()
            }
            (None, None) => ().into_any(),
        }
    };
    let Row { text, instead, role, leads, averaged, .. } = row;
    let shown = if leads && !averaged { role.name() } else { "" };
    let star = if role.is_subject() { "*" } else { "" };
    let label = format!("{text}{star}");
    view! {
        <div role="row" class="map-row" class:subject=role.is_subject() class:end=end class:here=move || here.get().is_some() style=format!("grid-row:{}", at + 1)>
            <span role="rowheader" class="row-head" title=role.full() aria-label=label>
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
