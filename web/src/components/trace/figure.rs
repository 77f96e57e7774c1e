//! Map and tracks in one grid: a layer has one place in all of them.

use super::axis::Brackets;
use super::grid::MapGrid;
use super::lanes::Lanes;
use super::pointer::{Pointer, cell_of};
use crate::components::Numbers;
use crate::figures::trace::{Cursor, Row, SITES, Scale, Story, TraceMaps, Tracks};
use engram_core::protocol::MapSite;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Layers of a model that are so few that their cells may be wide.
const FEW: usize = 12;

/// What stays while values come in.
#[derive(Clone, PartialEq)]
pub(super) struct Frame {
    /// The rows of the maps; none where there are tracks alone.
    pub(super) rows: Vec<Row>,
    /// Their columns.
    pub(super) layers: usize,
}

/// What all maps of the figure draw from. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(super) struct Drawn {
    pub(super) maps: Memo<Option<TraceMaps>>,
    pub(super) frame: Memo<Option<Frame>>,
    pub(super) story: Memo<Option<Story>>,
    pub(super) scale: Signal<Scale>,
    pub(super) pointer: Pointer,
    pub(super) cursor: Memo<Option<Cursor>>,
    /// The map that is spoken of: where three stand side by side, the one that was chosen last.
    pub(super) site: Signal<MapSite>,
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
    /// The three maps stand side by side.
    beside: Memo<bool>,
    /// Hears which of them is chosen.
    on_site: Callback<MapSite>,
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
    // A look goes no further than the map that is spoken of: on the way to the inspector the mouse crosses the others.
    let over = move |event: ev::PointerEvent| {
        // A finger's events go to where it began.
        let under = document().element_from_point(event.client_x() as f32, event.client_y() as f32);
        let target = if event.pointer_type() == "touch" { under.map(Into::into) } else { event.target() };
        let of = site_of(target.as_ref()).filter(|of| *of != site.get_untracked());
        let Some(at) = cell_of(target.clone(), cursor.get_untracked()) else { return };
        pointer.over(of.is_none().then_some(at));
        let said = of.and_then(|of| maps.with_untracked(|maps| maps.as_ref()?.tip(of, at)));
        if let Some(cell) = target.as_ref().and_then(|target| target.dyn_ref::<web_sys::Element>()) {
            // A tooltip of an earlier trace must not stay.
            let _ = said.map_or_else(|| cell.remove_attribute("title"), |said| cell.set_attribute("title", &said));
        }
    };
    let click = move |event: ev::MouseEvent| {
        let of = site_of(event.target().as_ref()).filter(|of| *of != site.get_untracked());
        if let Some(at) = cell_of(event.target(), cursor.get_untracked()) {
            match of {
                // The same cell of another map is another one.
                Some(of) => {
                    on_site.run(of);
                    pointer.hold(at);
                }
                None => pointer.press(at),
            }
        }
    };
    let drawn = Drawn { maps, frame, story, scale, pointer, cursor, site };
    let first = Signal::derive(move || if beside.get() { MapSite::Residual } else { site.get() });
    let layers = Memo::new(move |_| frame.with(|frame| frame.as_ref().map_or(1, |frame| frame.layers)));
    let body = move || {
        frame.with(Option::is_some).then(|| {
            view! {
                <Brackets story=story layers=layers.get() site=first />
                <MapGrid drawn=drawn of=first />
                <Band cursor=cursor />
                <Lanes maps=maps tracks=tracks cursor=cursor />
            }
        })
    };
    let companion = move |of: MapSite| {
        view! {
            <div class="trace-figure companion" data-site=place(of)>
                <div class="brackets"></div>
                <MapGrid drawn=drawn of=Signal::stored(of) />
                <Band cursor=cursor />
            </div>
        }
    };
    let companions = move || beside.get().then(|| SITES.into_iter().skip(1).map(companion).collect_view());
    let table = Signal::derive(move || {
        maps.with(|maps| maps.as_ref().map(|maps| maps.table(site.get()).1).unwrap_or_default())
    });
    let numbers = move || {
        let head = maps.with_untracked(|maps| maps.as_ref().map(|maps| maps.table(MapSite::Residual).0))?;
        (!bare.get()).then(|| view! { <Numbers head=head rows=table name="Numbers of the map" /> })
    };
    view! {
        <div
            class="trace-figures"
            style=move || format!("--layers:{}", layers.get())
            on:pointermove=over
            on:pointerdown=over
            on:pointerleave=move |_| pointer.over(None)
            on:click=click
        >
            <div class="trace-figure" class:few=move || layers.get() <= FEW data-site=move || place(first.get())>
                {body}
            </div>
            {companions}
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

/// A map's place among the three.
fn place(of: MapSite) -> Option<String> {
    SITES.iter().position(|site| *site == of).map(|place| place.to_string())
}

/// The map that an element belongs to.
fn site_of(target: Option<&web_sys::EventTarget>) -> Option<MapSite> {
    let element = target?.dyn_ref::<web_sys::Element>()?.closest("[data-site]").ok()??;
    let place: usize = element.get_attribute("data-site")?.parse().ok()?;
    SITES.get(place).copied()
}
