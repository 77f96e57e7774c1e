//! The two axes that charts over layers share.

use super::px;
use crate::scale::{Layers, Scale};
use leptos::prelude::*;

/// Room for the value axis' numbers, at least; see [`left`].
const LEFT: f64 = 46.0;
/// Room below the plot for layer numbers and the axis' name.
pub(super) const BELOW: f64 = 32.0;

/// Where the plot begins: behind the longest number of its value axis.
pub(super) fn left(scale: Scale) -> f64 {
    scale.margin(LEFT)
}

/// Grid lines from `left` to `right`, and their values before them.
pub(super) fn value_axis(scale: Scale, top: f64, (left, right): (f64, f64)) -> impl IntoView {
    let tick = move |value: f64| {
        let y = top + scale.down(value);
        let class = if value.abs() < scale.step / 1e6 { "grid zero" } else { "grid" };
        view! {
            <g>
                <line class=class x1=px(left) x2=px(right) y1=px(y) y2=px(y) />
                <text class="tick" x=px(left - 6.0) y=px(y + 4.0) text-anchor="end">{scale.label(value)}</text>
            </g>
        }
    };
    scale.ticks().into_iter().map(tick).collect_view()
}

/// Layer numbers and the axis' name below the plot.
pub(super) fn layer_axis(layers: Layers, bottom: f64) -> impl IntoView {
    tick_axis(layers, bottom, layers.labelled().into_iter().map(|layer| (layer, layer)).collect(), "layer")
}

/// Numbers below columns of the plot, and the axis' name.
pub(super) fn tick_axis(
    columns: Layers,
    bottom: f64,
    labels: Vec<(usize, usize)>,
    name: &'static str,
) -> impl IntoView {
    let number = move |(column, label): (usize, usize)| {
        view! { <text class="tick" x=px(columns.centre(column)) y=px(bottom + 14.0) text-anchor="middle">{label}</text> }
    };
    let middle = f64::midpoint(columns.left, columns.right());
    view! {
        <g>
            {labels.into_iter().map(number).collect_view()}
            <text class="tick name" x=px(middle) y=px(bottom + 28.0) text-anchor="middle">{name}</text>
        </g>
    }
}

/// A triangle over a layer with a short label beside it, so that a mark is not a matter of colour alone.
pub(super) fn mark(layers: Layers, layer: usize, label: String) -> impl IntoView {
    let x = layers.centre(layer);
    let late = layer * 2 > layers.count;
    let (at, anchor) = if late { (x - 8.0, "end") } else { (x + 8.0, "start") };
    let points = format!("{},6 {},6 {},14", px(x - 5.0), px(x + 5.0), px(x));
    view! {
        <g class="mark">
            <polygon points=points />
            <text x=px(at) y="14" text-anchor=anchor>{label}</text>
        </g>
    }
}
