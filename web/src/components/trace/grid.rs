//! One map: its rows, the layers beneath them, and the keys that move the cursor in it.

use super::axis::Axis;
use super::figure::{Drawn, Frame};
use super::rows::MapRow;
use crate::figures::trace::{Cursor, Row, Story};
use engram_core::protocol::MapSite;
use leptos::{ev, prelude::*};

/// The id of a cell.
pub(super) fn cell_id(at: Cursor) -> String {
    format!("cell-{}-{}", at.row, at.layer)
}

/// The map.
#[component]
pub(super) fn MapGrid(
    drawn: Drawn,
    /// Which one.
    of: Signal<MapSite>,
) -> impl IntoView {
    let Drawn { maps, frame, story, scale, pointer, cursor, site } = drawn;
    // One of three has the focus, and the ids.
    let spoken = Memo::new(move |_| of.get() == site.get());
    let bare = Memo::new(move |_| frame.with(|frame| frame.as_ref().is_none_or(|frame| frame.rows.is_empty())));
    let active = move || cursor.get().filter(|_| !bare.get() && spoken.get()).map(cell_id);
    let key = move |event: ev::KeyboardEvent| {
        let (Some(now), Some(frame)) = (cursor.get_untracked(), frame.get_untracked()) else { return };
        let Cursor { row, layer } = now;
        let next = match event.key().as_str() {
            "ArrowLeft" => Cursor { layer: layer.saturating_sub(1).max(1), ..now },
            "ArrowRight" => Cursor { layer: (layer + 1).min(frame.layers), ..now },
            "ArrowUp" | "ArrowDown" if frame.rows.is_empty() => return,
            "ArrowUp" => Cursor { row: row.saturating_sub(1), ..now },
            "ArrowDown" => Cursor { row: (row + 1).min(frame.rows.len().saturating_sub(1)), ..now },
            "Home" => Cursor { layer: 1, ..now },
            "End" => Cursor { layer: frame.layers, ..now },
            "Enter" | " " => now,
            "Escape" => {
                pointer.release();
                return event.prevent_default();
            }
            _ => return,
        };
        event.prevent_default();
        pointer.hold(next);
    };
    let label = move || match (bare.get(), spoken.get(), of.get()) {
        (true, ..) => "Layers",
        (false, true, _) => "Recovery by token and layer",
        (false, false, MapSite::Residual) => "State map",
        (false, false, MapSite::Mlp) => "MLP map",
        (false, false, MapSite::Attention) => "Attention map",
    };
    let body = move || {
        let Frame { rows, layers } = frame.get()?;
        let count = rows.len();
        let row = |(at, row): (usize, Row)| {
            let end = at + 1 == count;
            view! { <MapRow at=at row=row end=end maps=maps site=of spoken=spoken scale=scale cursor=cursor layers=layers /> }
        };
        let rows = rows.into_iter().enumerate().map(row).collect_view();
        Some(view! {
            {rows}
            <Axis maps=maps site=of cursor=cursor layers=layers row={count + 1} />
            <Arrow story=story site=of />
        })
    };
    view! {
        <div
            role="grid"
            class="map"
            id=move || spoken.get().then_some("map")
            tabindex=move || if spoken.get() { "0" } else { "-1" }
            aria-readonly="true"
            aria-label=label
            aria-describedby=move || spoken.get().then_some("map-says")
            aria-activedescendant=active
            on:keydown=key
        >
            {body}
        </div>
    }
}

/// Where attention moves the answer from the subject's row to the last one: between two columns, over no cell.
#[component]
fn Arrow(story: Memo<Option<Story>>, site: Signal<MapSite>) -> impl IntoView {
    move || {
        let story = story.get().filter(|_| site.get() == MapSite::Residual)?;
        let (from, to, layer) = (story.subject?, story.last?, story.moved?);
        if to.row < from.row + 2 {
            return None;
        }
        let style = format!("grid-column:{};grid-row:{}/{}", layer + 1, from.row + 2, to.row + 1);
        Some(view! { <div class="arrow" aria-hidden="true" style=style></div> })
    }
}
