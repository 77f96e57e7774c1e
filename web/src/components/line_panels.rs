//! Lines in two panels, one above the other, over a model's layers or the number of edits.

use super::axes::{BELOW, layer_axis, left, tick_axis, value_axis};
use super::compare::marks::{class, dash};
use super::{Numbers, px};

use crate::figures::lines::{Along, Line, Lines, Panel};
use crate::scale::{Layers, Scale};
use leptos::prelude::*;

/// Height of a panel's plot.
const HEIGHT: f64 = 120.0;
/// Width that the layers take together, about.
const WIDTH: f64 = 360.0;
/// Height of a line of a panel's key.
const LINE: f64 = 17.0;
/// Entries in a line of the key.
const ENTRIES: usize = 2;
/// Between the panels.
const GAP: f64 = 16.0;

/// Where things of a panel are.
#[derive(Clone, Copy)]
struct Place {
    layers: Layers,
    scale: Scale,
    /// The plot's upper end.
    top: f64,
}

impl Place {
    fn bottom(self) -> f64 {
        self.top + HEIGHT
    }

    fn at(self, layer: usize, value: f64) -> String {
        format!("{},{}", px(self.layers.centre(layer)), px(self.top + self.scale.down(value)))
    }
}

/// The figure.
#[component]
pub fn LinePanels(
    /// What is drawn.
    figure: Lines,
) -> impl IntoView {
    let scales = figure.panels.each_ref().map(|panel| Scale::around_zero(panel.values(), HEIGHT));
    let room = left(scales[0]).max(left(scales[1]));
    let widest = if matches!(figure.along, Along::Edits(_)) { 80.0 } else { 40.0 };
    let step = (WIDTH / figure.along.count().max(1) as f64).clamp(3.0, widest);
    let layers = Layers { count: figure.along.count(), left: room, step };
    let mut top = 0.0;
    let places = [0, 1].map(|at| {
        top += LINE * (1 + figure.panels[at].lines.len().div_ceil(ENTRIES)) as f64;
        let place = Place { layers, scale: scales[at], top };
        top += HEIGHT + GAP;
        place
    });
    let bottom = places[1].bottom();
    let size = (layers.right().max(room + WIDTH) + 8.0, bottom + BELOW);
    let own = figure.along.columns();
    let drawn: Vec<_> =
        figure.panels.iter().zip(places).map(|(one, place)| panel(one, &own, place, size.0 - 8.0)).collect();
    let columns: Vec<_> = own
        .iter()
        .enumerate()
        .map(|(at, layer)| {
            let x = px(layers.x(*layer));
            let hover = places.map(|place| {
                view! { <rect class="hover" x=x.clone() y=px(place.top) width=px(step) height=px(HEIGHT) /> }
            });
            view! { <g class="column">{hover.into_iter().collect_view()} <title>{figure.column(at)}</title></g> }
        })
        .collect();
    let axis = match &figure.along {
        Along::Layers { .. } => layer_axis(layers, bottom).into_any(),
        Along::Edits(edits) => {
            let labels = edits.iter().enumerate().map(|(at, edits)| (at + 1, *edits)).collect();
            tick_axis(layers, bottom, labels, figure.along.name()).into_any()
        }
    };
    let (head, rows) = figure.numbers();
    view! {
        <figure class="chart">
            <figcaption>{figure.title.clone()}</figcaption>
            <div class="fit">
                <svg
                    role="img"
                    aria-label=figure.sentence()
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                >
                    {columns}
                    {drawn}
                    {axis}
                </svg>
            </div>
            <Numbers head=head rows=rows />
        </figure>
    }
}

/// A panel: its name and key, its axis, its lines.
fn panel(panel: &Panel, layers: &[usize], place: Place, right: f64) -> AnyView {
    let Place { scale, top, .. } = place;
    let from = place.layers.left;
    let rows = panel.lines.len().div_ceil(ENTRIES) as f64;
    let head = top - LINE * rows - 6.0;
    let entry = |(series, line): (usize, &Line)| {
        let x = from + (right - from) / ENTRIES as f64 * (series % ENTRIES) as f64;
        let y = head + LINE * (series / ENTRIES + 1) as f64;
        view! {
            <line class=format!("{} line", class(series)) x1=px(x) x2=px(x + 20.0) y1=px(y - 4.0) y2=px(y - 4.0) stroke-dasharray=dash(series) />
            <text class="tick" x=px(x + 25.0) y=px(y)>{line.name.clone()}</text>
        }
    };
    view! {
        <text x=px(from) y=px(head)>{panel.name}</text>
        {panel.lines.iter().enumerate().map(entry).collect_view()}
        {value_axis(scale, top, (from, place.layers.right()))}
        {panel.lines.first().map(|line| band(line, layers, place))}
        {panel.lines.iter().enumerate().map(|(series, line)| one(series, line, layers, place)).collect_view()}
    }
    .into_any()
}

/// One standard error to either side of the means.
fn band(line: &Line, layers: &[usize], place: Place) -> AnyView {
    let ends = |sign: f64| {
        let one = move |(layer, mean): (&usize, &Option<engram_core::metrics::Mean>)| {
            let mean = (*mean)?;
            Some(place.at(*layer, mean.mean + sign * mean.sem.unwrap_or(0.0)))
        };
        layers.iter().zip(&line.values).filter_map(one).collect::<Vec<_>>()
    };
    let points: Vec<String> = ends(1.0).into_iter().chain(ends(-1.0).into_iter().rev()).collect();
    view! { <polygon class=format!("{} band", class(0)) points=points.join(" ") /> }.into_any()
}

fn one(series: usize, line: &Line, layers: &[usize], place: Place) -> AnyView {
    let points = layers.iter().zip(&line.values).filter_map(|(layer, mean)| Some(place.at(*layer, (*mean)?.mean)));
    let points: Vec<String> = points.collect();
    let class = format!("{} line", class(series));
    view! { <polyline class=class points=points.join(" ") stroke-dasharray=dash(series) /> }.into_any()
}
