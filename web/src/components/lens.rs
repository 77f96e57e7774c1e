//! The logit lens: both answers' probability by layer, told apart by dash, mark and label as well as by colour.

use super::axes::{BELOW, layer_axis, left, value_axis};
use super::{Numbers, px};

use crate::figures::lens::LensChart;
use crate::scale::{Layers, Scale};
use crate::words;
use leptos::prelude::*;

/// Room above the plot.
const TOP: f64 = 10.0;
/// Height of the plot.
const HEIGHT: f64 = 132.0;
/// Room for the lines' names.
const NAMES: f64 = 96.0;

/// The lens of a fact.
#[component]
pub fn LensView(
    /// What is drawn.
    chart: LensChart,
    /// The layer that is looked at.
    #[prop(into)]
    layer: Signal<Option<usize>>,
    /// Called with the layer that was clicked.
    on_layer: Callback<usize>,
) -> impl IntoView {
    let scale = Scale::around_zero([1.0].into_iter().chain(chart.old.p.iter().chain(&chart.new.p).copied()), HEIGHT);
    let layers = Layers::new(chart.layers(), left(scale)).at_most(18.0);
    let (right, bottom) = (layers.right(), TOP + HEIGHT);
    let hovered = RwSignal::new(None);
    let height = move |value: f64| TOP + scale.down(value);
    let line = |p: &[f64]| {
        let points = (1..).zip(p).map(|(layer, p)| format!("{},{}", px(layers.centre(layer)), px(height(*p))));
        points.collect::<Vec<_>>().join(" ")
    };
    let dots = |p: &[f64], square: bool| {
        let dot = |(layer, p): (usize, &f64)| {
            let (x, y) = (layers.centre(layer), height(*p));
            if square {
                view! { <rect x=px(x - 3.0) y=px(y - 3.0) width="6" height="6" /> }.into_any()
            } else {
                view! { <circle cx=px(x) cy=px(y) r="3.5" /> }.into_any()
            }
        };
        (1..).zip(p).map(dot).collect_view()
    };
    // Two names at the lines' ends keep a line's height apart.
    let ends = [&chart.old, &chart.new].map(|line| line.p.last().map_or(bottom, |p| height(*p)));
    let apart = (14.0 - (ends[0] - ends[1]).abs()).max(0.0) / 2.0;
    let sign = if ends[0] <= ends[1] { -1.0 } else { 1.0 };
    let name = |text: &str, y: f64| {
        view! { <text x=px(right + 8.0) y=px((y + 4.0).clamp(12.0, bottom))>{words::short(text, 13)}</text> }
    };
    let columns: Vec<_> = (1..=chart.layers())
        .map(|at| {
            let chosen = move || layer.get() == Some(at);
            view! {
                <g
                    class="column"
                    class:chosen=chosen
                    on:pointerenter=move |_| hovered.set(Some(at))
                    on:click=move |_| on_layer.run(at)
                >
                    <rect class="hover" x=px(layers.x(at)) y=px(TOP) width=px(layers.step) height=px(HEIGHT) />
                </g>
            }
        })
        .collect();
    let (head, rows) = chart.table();
    let (old, new) = (line(&chart.old.p), line(&chart.new.p));
    let drawn = view! {
        <g class="answer-line old">
            <polyline points=old />
            {dots(&chart.old.p, false)}
            {name(&chart.old.name, ends[0] + sign * apart)}
        </g>
        <g class="answer-line new">
            <polyline points=new />
            {dots(&chart.new.p, true)}
            {name(&chart.new.name, ends[1] - sign * apart)}
        </g>
    };
    let size = (right + NAMES, bottom + BELOW);
    let sentence = chart.sentence.clone();
    let last = chart.layers();
    let said = move || chart.at(hovered.get().or(layer.get()).unwrap_or(last).min(last));
    view! {
        <figure class="chart choosable">
            <figcaption>"Logit lens: what the model would answer after each layer"</figcaption>
            <div class="scroll" tabindex="0">
                <svg
                    role="img"
                    aria-label=sentence.clone()
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                    on:pointerleave=move |_| hovered.set(None)
                >
                    {value_axis(scale, TOP, right)}
                    {columns}
                    {drawn}
                    {layer_axis(layers, bottom)}
                </svg>
            </div>
            <p class="said">{sentence}</p>
            <p class="said" role="status">{said}</p>
            <Numbers head=head rows=rows />
        </figure>
    }
}
