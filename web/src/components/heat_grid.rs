//! One token × layer map as a grid: rows and columns with headers, one stop of the Tab key, arrow keys inside.

use super::heatmap::{Cursor, look};
use super::{Numbers, px};

use crate::figures::heatmap::{Frame, MapSet, Place};
use crate::scale::Layers;
use crate::words;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Height of a row.
const ROW: f64 = 18.0;
/// Longest token that is written whole.
const LONGEST: usize = 14;
/// Widest column.
const WIDEST: f64 = 14.0;
/// Width that the columns of a map take together, where there are many.
const WIDTH: f64 = 240.0;

/// One map.
#[component]
pub(super) fn HeatGrid(
    set: Signal<MapSet>,
    frame: Frame,
    map: usize,
    cursor: Cursor,
    layer: Signal<Option<usize>>,
    prefix: String,
) -> impl IntoView {
    let (rows, layers) = (frame.tokens.len(), frame.layers);
    let longest = frame.tokens.iter().map(|token| token.text.chars().count().min(LONGEST)).max().unwrap_or(1);
    let left = 16.0 + 7.3 * longest as f64;
    let column = (WIDTH / layers.max(1) as f64).floor().clamp(8.0, WIDEST);
    let name = frame.names.get(map).cloned().unwrap_or_default();
    let id = move |prefix: &str, place: Place| format!("{prefix}-{}-{}-{}", place.map, place.row, place.layer);
    let active = {
        let prefix = prefix.clone();
        move || cursor.place.get().filter(|place| place.map == map).map(|place| id(&prefix, place))
    };
    let sentence = move || set.with(|set| set.maps.get(map).map(|map| map.sentence.clone()).unwrap_or_default());
    let peak = move || set.with(|set| set.maps.get(map).and_then(|map| map.peak));

    let row = |(row, token): (usize, crate::figures::heatmap::Token)| {
        let shades = Memo::new(move |_| set.with(|set| set.shades(map, row)));
        let prefix = prefix.clone();
        let cells = move || {
            let cell = |(layer, shade)| {
                let (class, style) = look(shade);
                let id = id(&prefix, Place { map, row, layer });
                view! { <span role="gridcell" class=class style=style id=id data-row=row data-layer=layer></span> }
            };
            (1..).zip(shades.get()).map(cell).collect_view()
        };
        let star = if token.subject { "*" } else { "" };
        let class = if token.subject { "token subject" } else { "token" };
        let here = move || cursor.place.get().is_some_and(|place| place.row == row);
        view! {
            <div role="row">
                <span role="rowheader" class=class class:here=here>
                    {words::short(&token.text, LONGEST)}
                    {star}
                </span>
                {cells}
            </div>
        }
    };
    let body: Vec<_> = frame.tokens.iter().cloned().enumerate().map(row).collect();
    let labelled = Layers { count: layers, left, step: column }.labelled();
    let heads: Vec<_> = (1..=layers)
        .map(|at| {
            let class = if labelled.contains(&at) { "" } else { "unseen" };
            let here = move || {
                let looked_at = layer.get() == Some(at);
                looked_at || cursor.place.get().is_some_and(|place| place.layer == at)
            };
            view! { <span role="columnheader" class:here=here><span class=class>{at}</span></span> }
        })
        .collect();

    let find = move |event: &web_sys::Event| -> Option<Place> {
        let cell = event.target()?.dyn_into::<web_sys::Element>().ok()?;
        let number = |name: &str| cell.get_attribute(name)?.parse::<usize>().ok();
        Some(Place { map, row: number("data-row")?, layer: number("data-layer")? })
    };
    let over = move |event: ev::PointerEvent| {
        if !cursor.pinned.get_untracked() {
            cursor.place.set(find(&event));
        }
    };
    let leave = move || {
        if !cursor.pinned.get_untracked() {
            cursor.place.set(None);
        }
    };
    let click = move |event: ev::MouseEvent| {
        if let Some(place) = find(&event) {
            cursor.pin(place);
        }
    };
    let focus = move |_| {
        let now = cursor.place.get_untracked();
        if now.is_none_or(|place| place.map != map) {
            let (row, layer) = now.map(|place| (place.row, place.layer)).or_else(peak).unwrap_or((0, 1));
            cursor.place.set(Some(Place { map, row, layer }));
        }
    };
    let key = move |event: ev::KeyboardEvent| {
        let Some(place) = cursor.place.get_untracked().filter(|place| place.map == map) else { return };
        match event.key().as_str() {
            "Enter" | " " => cursor.pin(place),
            "Escape" => cursor.pinned.set(false),
            "?" => cursor.keys.set(true),
            key => match place.moved(key, event.ctrl_key(), rows, layers) {
                Some(moved) => cursor.place.set(Some(moved)),
                None => return,
            },
        }
        event.prevent_default();
    };

    // Where a cell lies, for what is laid over it.
    let at = move |row: usize, layer: usize| {
        format!("left:{}px;top:{}px", px(left + column * (layer as f64 - 1.0)), px(ROW * row as f64))
    };
    let ring = move || peak().map(|(row, layer)| view! { <span class="peak" style=at(row, layer)></span> });
    let marker = move || {
        cursor.place.get().map(|place| {
            let pinned = cursor.pinned.get();
            let class = match place.map == map {
                true if pinned => "cursor pinned",
                true => "cursor",
                false => "cursor twin",
            };
            view! { <span class=class style=at(place.row, place.layer)></span> }
        })
    };
    let sizes = format!(
        "--left:{}px;--column:{}px;--row:{}px;width:{}px",
        px(left),
        px(column),
        px(ROW),
        px(left + column * layers as f64 + 4.0)
    );
    let mut head = vec!["token".to_owned()];
    head.extend((1..=layers).map(|layer| layer.to_string()));
    let table = Signal::derive(move || set.with(|set| set.table(map)));
    view! {
        <figure class="chart">
            <figcaption>{name.clone()}</figcaption>
            <div class="scroll">
                <div class="heat" style=sizes>
                    <div
                        role="grid"
                        tabindex="0"
                        aria-readonly="true"
                        aria-label=name
                        aria-activedescendant=active
                        on:pointerover=over
                        on:pointerleave=move |_| leave()
                        on:click=click
                        on:focus=focus
                        on:blur=move |_| leave()
                        on:keydown=key
                    >
                        {body}
                        <div role="row" class="axis">
                            <span role="columnheader" class="corner">
                                "layer"
                            </span>
                            {heads}
                        </div>
                    </div>
                    <div aria-hidden="true">{ring} {marker}</div>
                </div>
            </div>
            <p class="said">{sentence}</p>
            <Numbers head=head rows=table />
        </figure>
    }
}
