//! What a panel's picture has in it.

use super::super::axes::value_axis;
use super::super::px;
use super::Sizes;
use crate::figures::bars::{Bar, Bars};
use crate::figures::multiples::{Cells, step};
use crate::scale::{Layers, Scale};
use leptos::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A map: neighbours of one colour are one rectangle, rectangles of one colour one path, so that a page stays small.
pub(super) fn map(cells: &Cells, names: &[(String, bool)], columns: Layers, sizes: Sizes) -> AnyView {
    let mut paths: BTreeMap<&'static str, String> = BTreeMap::new();
    for (row, values) in cells.iter().enumerate() {
        let colours: Vec<Option<&'static str>> =
            values.iter().map(|value| value.map(|value| step(value.mean))).collect();
        let mut at = 0;
        for run in colours.chunk_by(|a, b| a == b) {
            if let Some(class) = run[0] {
                let (x, y) = (columns.x(at + 1), sizes.row * row as f64);
                let (width, height) = (columns.step * run.len() as f64, sizes.row - 1.0);
                let path = paths.entry(class).or_default();
                let _ = write!(path, "M{} {}h{}v{}h-{}z", px(x), px(y), px(width), px(height), px(width));
            }
            at += run.len();
        }
    }
    let cells: Vec<_> = paths.into_iter().map(|(class, path)| view! { <path class=class d=path /> }).collect();
    let lines: String =
        (2..=columns.count).map(|layer| format!("M{} 0V{}", px(columns.x(layer)), px(sizes.height))).collect();
    let name = |(row, (name, subject)): (usize, &(String, bool))| {
        let y = sizes.row * (row as f64 + 0.5) + 4.0;
        let class = if *subject { "token subject" } else { "tick" };
        view! { <text class=class x=px(sizes.left - 6.0) y=px(y) text-anchor="end">{name.clone()}</text> }
    };
    view! {
        {cells}
        <path class="apart" d=lines />
        {names.iter().enumerate().map(name).collect_view()}
    }
    .into_any()
}

/// A bar a layer, with its error; a click chooses the layer.
pub(super) fn bars(
    bars: &Bars,
    scale: Option<Scale>,
    columns: Layers,
    chosen: impl Fn(usize) -> bool + Copy + Send + Sync + 'static,
    choose: impl Fn(usize) + Copy + Send + Sync + 'static,
) -> AnyView {
    let scale = scale.unwrap_or_else(|| Scale::around_zero(bars.values(), 104.0));
    let zero = scale.down(0.0);
    let column = |(layer, bar): (usize, &Bar)| {
        let drawn = bar.value.map(|value| {
            let y = scale.down(value);
            let class = match (bars.mark.as_ref().is_some_and(|mark| mark.0 == layer), value < 0.0) {
                (true, _) => "bar marked",
                (false, true) => "bar below",
                (false, false) => "bar",
            };
            let (x, width) = (columns.x(layer) + columns.step * 0.08, columns.step * 0.84);
            view! { <rect class=class x=px(x) y=px(y.min(zero)) width=px(width) height=px((y - zero).abs()) /> }
        });
        let error = bar.reach().map(|(low, high)| {
            let x = px(columns.centre(layer));
            view! { <line class="error" x1=x.clone() x2=x y1=px(scale.down(low)) y2=px(scale.down(high)) /> }
        });
        view! {
            <g class="column" class:chosen=move || chosen(layer) on:click=move |_| choose(layer)>
                <rect class="hover" x=px(columns.x(layer)) y="0" width=px(columns.step) height=px(scale.pixels) />
                {drawn}
                {error}
                <title>{format!("Layer {layer}: {}", bar.words())}</title>
            </g>
        }
    };
    let all: Vec<_> = (1..).zip(&bars.bars).map(column).collect();
    view! { {value_axis(scale, 0.0, (columns.left, columns.right()))} {all} }.into_any()
}
