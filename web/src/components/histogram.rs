//! How many facts have each layer as their dominant one; those that have none stand apart.

use super::axes::{BELOW, layer_axis, left, mark, value_axis};
use super::{Numbers, px};

use crate::figures::histogram::Histogram;
use crate::scale::{Layers, Scale};
use crate::words;
use leptos::prelude::*;

const TOP: f64 = 22.0;
const HEIGHT: f64 = 96.0;
/// Between the last layer and the facts that are not localized.
const APART: f64 = 22.0;

/// A chart of counts per layer.
#[component]
pub fn HistogramChart(
    /// The counts.
    histogram: Histogram,
    /// What it is called, beside others.
    #[prop(optional, into)]
    title: Option<String>,
    /// The highest bar of all that stand beside it, for one scale.
    #[prop(optional)]
    most: Option<usize>,
    /// The layer that is looked at.
    #[prop(optional, into)]
    layer: Signal<Option<usize>>,
    /// Called with the layer whose column was clicked.
    #[prop(optional, into)]
    on_layer: Option<Callback<usize>>,
) -> impl IntoView {
    let mut scale = Scale::around_zero([most.unwrap_or_else(|| histogram.most()) as f64], HEIGHT);
    // Facts are whole.
    scale.step = scale.step.max(1.0);
    scale.high = scale.high.max(1.0);
    let layers = Layers::new(histogram.counts.len(), left(scale)).at_most(if title.is_some() { 18.0 } else { 36.0 });
    let (right, bottom) = (layers.right(), TOP + HEIGHT);
    let l_star = histogram.l_star;
    let bar = move |x: f64, count: usize, class: &'static str, title: String, at: Option<usize>| {
        let y = TOP + scale.down(count as f64);
        let width = layers.step - if layers.step > 12.0 { 2.0 } else { 1.0 };
        let choose = move |_| {
            if let Some((on_layer, at)) = on_layer.zip(at) {
                on_layer.run(at);
            }
        };
        view! {
            <g class="column" class:chosen=move || at.is_some() && layer.get() == at on:click=choose>
                <rect class="hover" x=px(x) y=px(TOP) width=px(layers.step) height=px(HEIGHT) />
                <rect class=class x=px(x + 0.5) y=px(y) width=px(width) height=px(bottom - y) />
                <title>{title}</title>
            </g>
        }
    };
    let drawn: Vec<_> = (1..)
        .zip(&histogram.counts)
        .map(|(layer, count)| {
            let class = if l_star == Some(layer) { "bar marked" } else { "bar" };
            bar(layers.x(layer), *count, class, format!("Layer {layer}: {}", words::count(*count, "fact")), Some(layer))
        })
        .collect();
    let none = histogram.not_localized;
    let apart = (none > 0).then(|| {
        let title = format!("Not localized: {}", words::count(none, "fact"));
        view! {
            <g>
                {bar(right + APART, none, "bar none", title, None)}
                <text class="tick" x=px(right + APART + layers.step / 2.0) y=px(bottom + 14.0) text-anchor="middle">
                    "none"
                </text>
            </g>
        }
    });
    let mut rows: Vec<Vec<String>> = (1..)
        .zip(&histogram.counts)
        .map(|(layer, count): (usize, _)| vec![layer.to_string(), count.to_string()])
        .collect();
    rows.push(vec!["not localized".into(), none.to_string()]);
    let size = (right + APART + layers.step + 18.0, bottom + BELOW);
    view! {
        <figure class="chart" class:choosable=on_layer.is_some()>
            <figcaption>{title.unwrap_or_else(|| "Facts by their dominant layer".into())}</figcaption>
            <div class="scroll" tabindex="0">
                <svg
                    role="img"
                    aria-label=histogram.sentence
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                >
                    {value_axis(scale, TOP, (left(scale), right))}
                    {drawn}
                    {apart}
                    {l_star.map(|layer| mark(layers, layer, format!("l* = {layer}")))}
                    {layer_axis(layers, bottom)}
                </svg>
            </div>
            <Numbers head=vec!["layer".into(), "facts".into()] rows=rows />
        </figure>
    }
}
