//! The streams of the prompt's tokens from the first layer to the last, drawn up to the layer that is looked at.

use super::depths::Depths;
use crate::components::Numbers;
use crate::components::trace::Brackets;
use crate::figures::forward::{Link, ROW, Stream, link, streams};
use crate::figures::trace::{Row, Story, TraceMaps, Tracks};
use crate::words;
use engram_core::protocol::MapSite;
use leptos::{ev, html, prelude::*};

/// Layers of a model that are so few that they may be wide.
const FEW: usize = 12;
/// Longest token that is written whole.
const LONGEST: usize = 16;

/// The figure.
#[component]
pub fn Streams(
    /// The maps.
    maps: Memo<Option<TraceMaps>>,
    /// The tracks.
    tracks: Memo<Option<Tracks>>,
    /// What the whole trace says.
    story: Memo<Option<Story>>,
    /// The layer that is looked at.
    layer: Memo<usize>,
    /// What happens there, in words.
    said: Signal<String>,
    /// Called with another layer.
    on_layer: Callback<usize>,
    /// What plays the layers.
    children: Children,
) -> impl IntoView {
    let plot = NodeRef::<html::Div>::new();
    let layers = Memo::new(move |_| maps.with(|maps| maps.as_ref().map_or(1, |maps| maps.layers)));
    let go = move |to: usize| {
        let to = to.clamp(1, layers.get_untracked().max(1));
        if to != layer.get_untracked() {
            on_layer.run(to);
        }
    };
    let point = move |event: &ev::PointerEvent| {
        let Some(plot) = plot.get_untracked() else { return };
        let area = plot.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - area.left()) / area.width().max(1.0);
        go((share * layers.get_untracked() as f64).floor().max(0.0) as usize + 1);
    };
    let drag = move |event: ev::PointerEvent| {
        if event.buttons() > 0 {
            point(&event);
        }
    };
    let key = move |event: ev::KeyboardEvent| {
        let now = layer.get_untracked();
        let to = match event.key().as_str() {
            "ArrowLeft" | "ArrowDown" => now.saturating_sub(1),
            "ArrowRight" | "ArrowUp" => now + 1,
            "Home" => 1,
            "End" => layers.get_untracked(),
            _ => return,
        };
        event.prevent_default();
        go(to);
    };
    let rows = Memo::new(move |_| maps.with(|maps| maps.as_ref().map(|maps| maps.rows.clone()).unwrap_or_default()));
    let head = move |(at, row): (usize, Row)| {
        let Row { text, role, leads, averaged, .. } = row;
        let shown = if leads && !averaged { role.name() } else { "" };
        let end = at + 1 == rows.with_untracked(Vec::len);
        view! {
            <div class="map-row" class:subject=role.is_subject() class:end=end style=format!("grid-row:{}", at + 1)>
                <span class="row-head">
                    <span class="role">{shown}</span>
                    <span class="words"><b>{words::short(&text, LONGEST)}</b></span>
                </span>
                <span class="stream"></span>
            </div>
        }
    };
    let count = move || rows.with(Vec::len);
    let axis = move || {
        let layers = layers.get();
        let one = move |at: usize| {
            let labelled = layers <= FEW || at == 1 || at.is_multiple_of(5) || at == layers;
            let near = move || layers > FEW && layer.get().abs_diff(at) == 1;
            view! {
                <span data-axis=at class:here=move || layer.get() == at class:shown=move || layer.get() == at || (labelled && !near())>
                    <span>{at}</span>
                </span>
            }
        };
        view! {
            <div class="map-row axis" style=format!("grid-row:{}", count() + 1)>
                <span class="row-head">"layer"</span>
                {(1..=layers).map(one).collect_view()}
            </div>
        }
    };
    let table = Signal::derive(move || {
        maps.with(|maps| maps.as_ref().map(|maps| maps.table(MapSite::Residual).1).unwrap_or_default())
    });
    let numbers = move || {
        let head = maps.with(|maps| maps.as_ref().map(|maps| maps.table(MapSite::Residual).0))?;
        Some(view! { <Numbers head=head rows=table name="Numbers of the streams" /> })
    };
    view! {
        <div class="trace-figure forward" class:few=move || layers.get() <= FEW style=move || format!("--layers:{};--rows:{}", layers.get(), count().max(1))>
            {move || view! { <Brackets story=story layers=layers.get() site=Signal::stored(MapSite::Residual) /> }}
            <div
                class="map streams"
                id="streams"
                role="slider"
                tabindex="0"
                aria-label="Layer"
                aria-valuemin="1"
                aria-valuemax=layers
                aria-valuenow=layer
                aria-valuetext=said
                on:keydown=key
                on:pointerdown=move |event| point(&event)
                on:pointermove=drag
            >
                {move || rows.get().into_iter().enumerate().map(head).collect_view()}
                <div class="flow" node_ref=plot style=move || format!("grid-row:1/{}", count() + 1)>
                    <Flow maps=maps story=story layer=layer />
                </div>
                <div class="depth" style=move || format!("grid-row:1/{};grid-column:{}", count() + 1, layer.get() + 1)></div>
                {axis}
            </div>
            <Depths maps=maps tracks=tracks layer=layer />
        </div>
        {children()}
        {numbers}
    }
}

/// The streams themselves: faint as a whole, and in full up to the layer that is looked at.
#[component]
fn Flow(maps: Memo<Option<TraceMaps>>, story: Memo<Option<Story>>, layer: Memo<usize>) -> impl IntoView {
    let colours = |stream: &Stream, layers: usize| {
        let stop = |(at, colour): &(f64, String)| {
            view! { <stop offset=format!("{:.4}", at / layers as f64) style=format!("stop-color:{colour}")></stop> }
        };
        view! {
            <linearGradient id=format!("stream-{}", stream.row) gradientUnits="userSpaceOnUse" x1="0" y1="0" y2="0" x2=layers>
                {stream.stops.iter().map(stop).collect_view()}
            </linearGradient>
        }
    };
    let shapes = |streams: &[Stream], link: Option<&Link>| {
        let stream = |stream: &Stream| {
            view! { <path d=stream.path.clone() fill=format!("url(#stream-{})", stream.row)></path> }
        };
        let link = link.map(|link| view! { <path class="link" data-link=link.layer d=link.path.clone()></path> });
        view! { {streams.iter().map(stream).collect_view()} {link} }
    };
    move || {
        maps.with(|maps| {
            let maps = maps.as_ref()?;
            let (all, link) = (streams(maps), story.with(|story| story.as_ref().and_then(link)));
            let (layers, high) = (maps.layers, maps.rows.len() as f64 * ROW);
            Some(view! {
                <svg viewBox=format!("0 0 {layers} {high}") preserveAspectRatio="none" aria-hidden="true">
                    <defs>
                        {all.iter().map(|stream| colours(stream, layers)).collect_view()}
                        <clipPath id="past"><rect x="0" y="-5" height=high + 10.0 width=layer></rect></clipPath>
                    </defs>
                    <g class="later">{shapes(&all, link.as_ref())}</g>
                    <g clip-path="url(#past)">{shapes(&all, link.as_ref())}</g>
                </svg>
            })
        })
    }
}
