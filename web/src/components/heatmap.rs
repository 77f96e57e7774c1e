//! Token × layer maps: residual stream, MLP and attention on one scale, neutral where nothing changes. Each is a grid for
//! the keyboard; one cursor runs through all three. Hovering previews a cell, a click or Enter pins it.

use super::heat_grid::HeatGrid;
use super::keys::Keys;
use super::px;

use crate::figures::heatmap::{MapSet, Place, Shade};
use crate::words;
use leptos::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Steps of the legend.
const STEPS: usize = 24;
/// So that the cells of several map sets on a page have different ids.
static SETS: AtomicUsize = AtomicUsize::new(0);

/// The cursor of a set of maps.
#[derive(Clone, Copy)]
pub(super) struct Cursor {
    /// The cell that is looked at.
    pub(super) place: RwSignal<Option<Place>>,
    /// It stays when the mouse moves on.
    pub(super) pinned: RwSignal<bool>,
    /// Called with the layer of a cell that was pinned.
    pub(super) on_layer: Option<Callback<usize>>,
    /// The dialog with the keys is asked for.
    pub(super) keys: RwSignal<bool>,
}

impl Cursor {
    /// Pins a cell, or releases it when it is the pinned one.
    pub(super) fn pin(self, place: Place) {
        let again = self.pinned.get_untracked() && self.place.get_untracked() == Some(place);
        self.place.set(Some(place));
        self.pinned.set(!again);
        if let Some(on_layer) = self.on_layer.filter(|_| !again) {
            on_layer.run(place.layer);
        }
    }
}

/// The three maps of a fact, with the scale that they share.
#[component]
pub fn Heatmaps(
    /// The maps; they may fill in.
    #[prop(into)]
    set: Signal<MapSet>,
    /// The layer that is looked at.
    #[prop(optional, into)]
    layer: Signal<Option<usize>>,
    /// Called with the layer of a cell that was chosen.
    #[prop(optional, into)]
    on_layer: Option<Callback<usize>>,
) -> impl IntoView {
    let number = SETS.fetch_add(1, Ordering::Relaxed);
    let cursor =
        Cursor { place: RwSignal::new(None), pinned: RwSignal::new(false), on_layer, keys: RwSignal::new(false) };
    let frame = Memo::new(move |_| set.with(MapSet::frame));
    let maps = move || {
        let frame = frame.get();
        // Another fact's cells are other cells.
        cursor.place.set(None);
        cursor.pinned.set(false);
        let one = |map: usize| {
            let frame = frame.clone();
            view! { <HeatGrid set=set frame=frame map=map cursor=cursor layer=layer prefix=format!("m{number}") /> }
        };
        let shown =
            |map: &usize| set.with_untracked(|set| set.maps.get(*map).is_some_and(|map| !map.values.is_empty()));
        (0..frame.names.len()).filter(shown).map(one).collect_view()
    };
    let said = move || match cursor.place.get() {
        None => "Point at a cell, or use the arrow keys; click or press Enter to pin it.".to_owned(),
        Some(Place { map, row, layer }) => {
            let pinned = if cursor.pinned.get() { "Pinned. " } else { "" };
            format!("{pinned}{}", set.with(|set| set.cell(map, row, layer)))
        }
    };
    view! {
        <div class=move || if set.with(|set| set.nothing.is_some()) { "maps nothing" } else { "maps" }>
            {move || set.with(|set| set.nothing.clone().map(|why| view! { <p class="why">{why}</p> }))}
            {move || set.with(legend)}
            <p class="cell-said">
                <span role="status">{said}</span>
                <button on:click=move |_| cursor.keys.set(true)>"Keys…"</button>
            </p>
            <div class="beside">{maps}</div>
            <p class="faint">{move || set.with(MapSet::note)}</p>
            <Keys open=cursor.keys />
        </div>
    }
}

/// The colour of a cell: its strength as a custom property, its direction as a class; the theme mixes the colour.
pub(super) fn look(shade: Shade) -> (&'static str, String) {
    match shade {
        Shade::Waiting => ("cell wait", String::new()),
        Shade::Up(share) => ("cell up", format!("--t:{:.1}%", share * 100.0)),
        Shade::Down(share) => ("cell down", format!("--t:{:.1}%", share * 100.0)),
    }
}

fn legend(set: &MapSet) -> impl IntoView + use<> {
    let (low, high) = set.range();
    let step = |index: usize| {
        let (share, up) = set.shade(low + (high - low) * index as f64 / (STEPS - 1) as f64);
        let (class, style) = look(if up { Shade::Up(share) } else { Shade::Down(share) });
        view! { <rect class=class style=style x=px(index as f64 * 8.0) y="0" width="8" height="12" /> }
    };
    let ramp: Vec<_> = (0..STEPS).map(step).collect();
    view! {
        <p class="legend">
            <span>{words::number(low)}</span>
            <svg role="img" aria-label=set.colours() width="192" height="12" viewBox="0 0 192 12">
                {ramp}
            </svg>
            <span>{words::number(high)}</span>
            <span class="faint">{format!("neutral: {}", set.neutral())}</span>
        </p>
    }
}
