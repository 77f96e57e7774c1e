//! Token × layer maps as pictures: what is printed, saved, and shown where nothing can be clicked. Cells of one colour are
//! one path, so that a page stays small.

use super::px;
use crate::figures::heatmap::{MapSet, Shade};
use crate::figures::sheet;
use crate::scale::Layers;
use crate::words;
use leptos::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Height of a row.
const ROW: f64 = 16.0;
/// Longest token that is written whole.
const LONGEST: usize = 14;
/// Width that the columns take together, where there are many.
const WIDTH: f64 = 240.0;
/// Colours to either side of neutral.
const STEPS: f64 = 20.0;

/// The maps of a fact beside each other.
#[component]
pub fn HeatPictures(
    /// The maps.
    set: MapSet,
) -> impl IntoView {
    let maps: Vec<_> = (0..set.maps.len()).map(|map| picture(&set, map)).collect();
    view! {
        <div class="beside">{maps}</div>
        <p class="faint">{set.colours()}</p>
    }
}

fn picture(set: &MapSet, map: usize) -> impl IntoView + use<> {
    let heat = &set.maps[map];
    let longest = set.tokens.iter().map(|token| token.text.chars().count().min(LONGEST)).max().unwrap_or(1);
    let left = 14.0 + 7.3 * longest as f64;
    let step = (WIDTH / set.layers.max(1) as f64).floor().clamp(3.0, 16.0);
    let layers = Layers { count: set.layers, left, step };
    let bottom = ROW * set.tokens.len() as f64;
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    for row in 0..set.tokens.len() {
        let colours: Vec<String> = set.shades(map, row).into_iter().map(colour).collect();
        let mut at = 0;
        // Neighbours of one colour are one rectangle.
        for run in colours.chunk_by(|a, b| a == b) {
            let (x, y, width) = (left + step * at as f64, ROW * row as f64, step * run.len() as f64);
            let path = paths.entry(run[0].clone()).or_default();
            let _ = write!(path, "M{} {}h{}v{}h-{}z", px(x), px(y), px(width), px(ROW), px(width));
            at += run.len();
        }
    }
    let cells: Vec<_> = paths.into_iter().map(|(fill, path)| view! { <path fill=fill d=path /> }).collect();
    let names: Vec<_> = set
        .tokens
        .iter()
        .enumerate()
        .map(|(row, token)| {
            let class = if token.subject { "token subject" } else { "token" };
            let text = format!("{}{}", words::short(&token.text, LONGEST), if token.subject { "*" } else { "" });
            view! { <text class=class x=px(left - 5.0) y=px(ROW * row as f64 + 12.0) text-anchor="end">{text}</text> }
        })
        .collect();
    let ticks: Vec<_> = layers
        .labelled()
        .into_iter()
        .map(|layer| {
            view! { <text class="tick" x=px(layers.centre(layer)) y=px(bottom + 14.0) text-anchor="middle">{layer}</text> }
        })
        .collect();
    let ring = heat.peak.map(|(row, layer)| {
        let (x, y) = (layers.centre(layer), ROW * (row as f64 + 0.5));
        view! { <circle class="ring" cx=px(x) cy=px(y) r="6" /> }
    });
    let size = (layers.right() + 8.0, bottom + 34.0);
    view! {
        <figure class="chart">
            <figcaption>{heat.name.clone()}</figcaption>
            <div class="scroll" tabindex="0">
                <svg
                    role="img"
                    aria-label=heat.sentence.clone()
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                >
                    {cells}
                    {names}
                    {ticks}
                    <text class="tick" x=px(left + step * set.layers as f64 / 2.0) y=px(bottom + 29.0) text-anchor="middle">
                        "layer"
                    </text>
                    {ring}
                </svg>
            </div>
        </figure>
    }
}

/// A cell's colour in the light theme.
fn colour(shade: Shade) -> String {
    let stepped = |share: f64| (share * STEPS).round() / STEPS;
    match shade {
        Shade::Waiting => "none".into(),
        Shade::Up(share) => sheet::mixed("--neutral", "--up", stepped(share)),
        Shade::Down(share) => sheet::mixed("--neutral", "--down", stepped(share)),
    }
}
