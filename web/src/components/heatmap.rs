//! Token × layer maps: residual stream, MLP and attention on one scale, neutral where nothing changes.

use super::axes::layer_axis;
use super::{Numbers, px};
use crate::figures::heatmap::{Heat, MapSet};
use crate::scale::Layers;
use crate::words;
use leptos::prelude::*;

/// Height of a row.
const ROW: f64 = 18.0;
/// Longest token that is written whole.
const LONGEST: usize = 20;
/// Steps of the legend.
const STEPS: usize = 24;

/// The three maps of a fact, with the scale that they share.
#[component]
pub fn Heatmaps(
    /// The maps.
    set: MapSet,
) -> impl IntoView {
    let maps: Vec<_> = set.maps.iter().filter(|map| !map.values.is_empty()).map(|map| one(&set, map)).collect();
    view! {
        <div class="maps">
            <p class="faint">
                "Probability of the answer when one clean state is put back into the run with the hidden subject. "
                "Rows are the corrupted prompt's tokens, the subject's with a *; the highest cell has a ring. "
                "The last layer at the last token gives the clean answer back by definition."
            </p>
            {legend(&set)}
            <div class="beside">{maps}</div>
        </div>
    }
}

/// The colour of a cell: its strength as a custom property, its direction as a class; the theme mixes the colour.
fn shade(set: &MapSet, value: f64) -> (&'static str, String) {
    let (share, up) = set.shade(value);
    (if up { "cell up" } else { "cell down" }, format!("--t:{:.1}%", share * 100.0))
}

fn one(set: &MapSet, map: &Heat) -> impl IntoView + use<> {
    let longest = set.tokens.iter().map(|token| token.text.chars().count().min(LONGEST)).max().unwrap_or(1);
    let left = 20.0 + 7.4 * longest as f64;
    let layers = Layers::new(set.layers, left).at_most(14.0);
    let bottom = ROW * set.tokens.len() as f64;
    let size = (layers.right() + 10.0, bottom + 34.0);
    let labels: Vec<_> = set
        .tokens
        .iter()
        .enumerate()
        .map(|(row, token)| {
            let star = if token.subject { "*" } else { "" };
            let class = if token.subject { "token subject" } else { "token" };
            let y = ROW * (row as f64 + 0.5) + 4.0;
            view! {
                <text class=class x=px(left - 6.0) y=px(y) text-anchor="end">
                    {format!("{}{star}", words::short(&token.text, LONGEST))}
                </text>
            }
        })
        .collect();
    let cells: Vec<_> = map
        .values
        .iter()
        .enumerate()
        .flat_map(|(row, line)| (1..).zip(line).map(move |(layer, value)| (row, layer, *value)))
        .map(|(row, layer, value)| {
            let (class, style) = shade(set, value);
            view! {
                <rect
                    class=class
                    style=style
                    x=px(layers.x(layer))
                    y=px(ROW * row as f64)
                    width=px(layers.step - 0.5)
                    height=px(ROW - 0.5)
                >
                    <title>{set.cell(row, layer, value)}</title>
                </rect>
            }
        })
        .collect();
    let ring = map.peak.map(|(row, layer)| {
        let (x, y) = (layers.centre(layer), ROW * (row as f64 + 0.5));
        view! { <circle class="ring" cx=px(x) cy=px(y) r=px((layers.step / 2.0 - 1.5).max(2.5)) /> }
    });
    let mut head = vec!["token".to_owned()];
    head.extend((1..=set.layers).map(|layer| layer.to_string()));
    let rows: Vec<Vec<String>> = set
        .tokens
        .iter()
        .zip(&map.values)
        .map(|(token, line)| {
            let values = line.iter().map(|value| words::number(*value));
            std::iter::once(token.text.clone()).chain(values).collect()
        })
        .collect();
    view! {
        <figure class="chart">
            <figcaption>{map.name.clone()}</figcaption>
            <div class="scroll" tabindex="0">
                <svg
                    role="img"
                    aria-label=map.sentence.clone()
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                >
                    {labels}
                    {cells}
                    {ring}
                    {layer_axis(layers, bottom)}
                </svg>
            </div>
            <p class="said">{map.sentence.clone()}</p>
            <Numbers head=head rows=rows />
        </figure>
    }
}

fn legend(set: &MapSet) -> impl IntoView + use<> {
    let cells = || set.maps.iter().flat_map(|map| map.values.iter().flatten()).copied();
    let low = cells().fold(set.baseline, f64::min);
    let high = cells().fold(set.baseline, f64::max);
    let step = |index: usize| {
        let (class, style) = shade(set, low + (high - low) * index as f64 / (STEPS - 1) as f64);
        view! { <rect class=class style=style x=px(index as f64 * 8.0) y="0" width="8" height="12" /> }
    };
    let ramp: Vec<_> = (0..STEPS).map(step).collect();
    let said = format!(
        "Colours from p {} to {}; neutral is {}, the probability with the subject hidden.",
        words::number(low),
        words::number(high),
        words::number(set.baseline)
    );
    view! {
        <p class="legend">
            <span>{words::number(low)}</span>
            <svg role="img" aria-label=said width="192" height="12" viewBox="0 0 192 12">
                {ramp}
            </svg>
            <span>{words::number(high)}</span>
            <span class="faint">{format!("neutral: {}, with the subject hidden", words::number(set.baseline))}</span>
        </p>
    }
}
