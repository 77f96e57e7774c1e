//! Map and tracks in one grid: a layer has one place in all of them.

use super::axis::{Axis, Brackets};
use super::lanes::Lanes;
use super::pointer::{Pointer, cell_of};
use super::rows::MapRow;
use crate::components::Numbers;
use crate::figures::trace::{Cursor, Row, Scale, Story, TraceMaps, Tracks};
use engram_core::protocol::MapSite;
use leptos::{ev, prelude::*};

/// Layers of a model that are so few that their cells may be wide.
const FEW: usize = 12;

/// What stays while values come in.
#[derive(Clone, PartialEq)]
struct Frame {
    rows: Vec<Row>,
    layers: usize,
}

/// The id of a cell.
pub(super) fn cell_id(at: Cursor) -> String {
    format!("cell-{}-{}", at.row, at.layer)
}

/// The figure.
#[component]
pub fn TraceFigure(
    /// The maps.
    maps: Memo<Option<TraceMaps>>,
    /// The tracks.
    tracks: Memo<Option<Tracks>>,
    /// What they say.
    story: Memo<Option<Story>>,
    /// The map that is shown.
    site: Signal<MapSite>,
    /// How its cells are coloured.
    scale: Signal<Scale>,
    /// The cell that is looked at.
    pointer: Pointer,
    /// The same, or the peak where none is.
    cursor: Memo<Option<Cursor>>,
) -> impl IntoView {
    let frame = Memo::new(move |_| {
        maps.with(|maps| {
            let maps = maps.as_ref()?;
            // Without a map the tracks stand alone.
            Some(Frame { rows: if maps.any() { maps.rows.clone() } else { Vec::new() }, layers: maps.layers })
        })
    });
    let sentence = move || maps.with(|maps| maps.as_ref().map(|maps| maps.sentence(site.get())).unwrap_or_default());
    let bare = Memo::new(move |_| frame.with(|frame| frame.as_ref().is_none_or(|frame| frame.rows.is_empty())));
    let active = move || cursor.get().filter(|_| !bare.get()).map(cell_id);
    let over = move |event: ev::PointerEvent| {
        // A finger's events go to where it began.
        let under = document().element_from_point(event.client_x() as f32, event.client_y() as f32);
        let target = if event.pointer_type() == "touch" { under.map(Into::into) } else { event.target() };
        if let Some(at) = cell_of(target, cursor.get_untracked()) {
            pointer.over(Some(at));
        }
    };
    let click = move |event: ev::MouseEvent| {
        if let Some(at) = cell_of(event.target(), cursor.get_untracked()) {
            pointer.press(at);
        }
    };
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
    let body = move || {
        let Frame { rows, layers } = frame.get()?;
        let count = rows.len();
        let row = |(at, row): (usize, Row)| {
            view! { <MapRow at=at row=row end={at + 1 == count} maps=maps site=site scale=scale cursor=cursor layers=layers /> }
        };
        let rows = rows.into_iter().enumerate().map(row).collect_view();
        Some(view! {
            <Brackets story=story layers=layers site=site />
            <div
                role="grid"
                class="map"
                id="map"
                tabindex="0"
                aria-readonly="true"
                aria-label=if count == 0 { "Layers" } else { "Recovery by token and layer" }
                aria-describedby="map-says"
                aria-activedescendant=active
                on:keydown=key
            >
                {rows}
                <Axis maps=maps site=site cursor=cursor layers=layers row={count + 1} />
                <Arrow story=story site=site />
            </div>
            <Band cursor=cursor />
            <Lanes maps=maps tracks=tracks cursor=cursor />
        })
    };
    let table = Signal::derive(move || {
        maps.with(|maps| maps.as_ref().map(|maps| maps.table(site.get()).1).unwrap_or_default())
    });
    let layers = move || frame.with(|frame| frame.as_ref().map_or(1, |frame| frame.layers));
    let numbers = move || {
        let head = maps.with_untracked(|maps| maps.as_ref().map(|maps| maps.table(MapSite::Residual).0))?;
        (!bare.get()).then(|| view! { <Numbers head=head rows=table name="Numbers of the map" /> })
    };
    view! {
        <div
            class="trace-figure"
            class:few=move || layers() <= FEW
            style=move || format!("--layers:{}", layers())
            on:pointermove=over
            on:pointerdown=over
            on:pointerleave=move |_| pointer.over(None)
            on:click=click
        >
            {body}
        </div>
        <p class="unseen" id="map-says">{sentence}</p>
        {numbers}
    }
}

/// The column of the cursor through all tracks.
#[component]
fn Band(cursor: Memo<Option<Cursor>>) -> impl IntoView {
    move || {
        cursor.get().map(
            |at| view! { <div class="band" aria-hidden="true" style=format!("grid-column:{}", at.layer + 1)></div> },
        )
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
