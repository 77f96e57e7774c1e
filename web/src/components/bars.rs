//! A bar per layer, upwards or downwards from zero, with error bars and one layer marked. A click on a column chooses its
//! layer, where the page has a use for that.

use super::axes::{BELOW, layer_axis, left, mark, value_axis};
use super::{Numbers, px};

use crate::figures::bars::{Bar, Bars};
use crate::scale::{Layers, Scale};
use leptos::prelude::*;

/// Room above the plot for the mark.
const TOP: f64 = 22.0;
/// Height of the plot.
const HEIGHT: f64 = 132.0;

/// One value axis for several charts, so that their bars can be compared.
pub fn shared_scale<'a>(charts: impl IntoIterator<Item = &'a Bars>) -> Scale {
    Scale::around_zero(charts.into_iter().flat_map(Bars::values), HEIGHT)
}

/// A chart of values per layer.
#[component]
pub fn BarChart(
    /// What is drawn.
    bars: Bars,
    /// Its value axis; its own one when it is not shared.
    #[prop(optional)]
    scale: Option<Scale>,
    /// Drawn narrow, beside others.
    #[prop(optional)]
    narrow: bool,
    /// The layer that is looked at.
    #[prop(optional, into)]
    layer: Signal<Option<usize>>,
    /// Called with the layer whose column was clicked.
    #[prop(optional, into)]
    on_layer: Option<Callback<usize>>,
) -> impl IntoView {
    let scale = scale.unwrap_or_else(|| shared_scale([&bars]));
    let layers = Layers::new(bars.bars.len(), left(scale)).at_most(if narrow { 10.0 } else { 24.0 });
    let (right, bottom) = (layers.right(), TOP + scale.pixels);
    let marked = bars.mark.as_ref().map(|mark| mark.0);
    let label = |(layer, why): &(usize, String)| {
        let name = if why.starts_with("l*") { "l* = " } else { "layer " };
        mark(layers, *layer, format!("{name}{layer}"))
    };
    let drawn: Vec<_> = (1..)
        .zip(&bars.bars)
        .map(|(at, bar)| {
            let choose = move |_| {
                if let Some(on_layer) = on_layer {
                    on_layer.run(at);
                }
            };
            let column = column(layers, scale, at, bar, marked == Some(at));
            view! {
                <g class="column" class:chosen=move || layer.get() == Some(at) on:click=choose>
                    {column}
                </g>
            }
        })
        .collect();
    let rows: Vec<Vec<String>> =
        (1..).zip(&bars.bars).map(|(layer, bar): (usize, &Bar)| vec![layer.to_string(), bar.words()]).collect();
    let size = (right + 8.0, bottom + BELOW);
    view! {
        <figure class="chart" class:choosable=on_layer.is_some()>
            <figcaption>{bars.title.clone()}</figcaption>
            <div class="scroll" tabindex="0">
                <svg
                    role="img"
                    aria-label=bars.sentence
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                >
                    {value_axis(scale, TOP, (left(scale), right))}
                    {drawn}
                    {bars.mark.as_ref().map(label)}
                    {layer_axis(layers, bottom)}
                </svg>
            </div>
            <Numbers head=vec!["layer".into(), "value".into()] rows=rows />
        </figure>
    }
}

fn column(layers: Layers, scale: Scale, layer: usize, bar: &Bar, marked: bool) -> impl IntoView + use<> {
    let zero = TOP + scale.down(0.0);
    let gap = if layers.step > 12.0 { 2.0 } else { 1.0 };
    let words = format!("Layer {layer}: {}", bar.words());
    let drawn = bar.value.map(|value| {
        let y = TOP + scale.down(value);
        let class = match (marked, value < 0.0) {
            (true, _) => "bar marked",
            (false, true) => "bar below",
            (false, false) => "bar",
        };
        view! {
            <rect
                class=class
                x=px(layers.x(layer) + gap / 2.0)
                y=px(y.min(zero))
                width=px(layers.step - gap)
                height=px((y - zero).abs())
            />
        }
    });
    let error = bar.reach().filter(|_| layers.step >= 6.0).map(|(low, high)| {
        let (x, low, high) = (px(layers.centre(layer)), TOP + scale.down(low), TOP + scale.down(high));
        view! { <line class="error" x1=x.clone() x2=x y1=px(low) y2=px(high) /> }
    });
    view! {
        <rect class="hover" x=px(layers.x(layer)) y=px(TOP) width=px(layers.step) height=px(scale.pixels) />
        {drawn}
        {error}
        <title>{words}</title>
    }
}
