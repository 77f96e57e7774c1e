//! Marks that tell studies apart by shape, dash and name, and only then by colour.

use super::super::px;
use leptos::prelude::*;

/// Shapes before they repeat.
const SHAPES: usize = 5;
/// Dashes of a curve, one a shape, so that two curves that cross can be followed.
const DASHES: [&str; SHAPES] = ["none", "7 3", "2 3", "9 3 2 3", "4 4"];

/// The class that colours a study.
pub(in super::super) fn class(series: usize) -> String {
    format!("series s{}", series % SHAPES)
}

/// The dash of a study's curve.
pub(in super::super) fn dash(series: usize) -> &'static str {
    DASHES[series % SHAPES]
}

/// A study's mark around a place. Hollow ones stand for what did not succeed.
pub(super) fn mark(series: usize, x: f64, y: f64, size: f64, full: bool) -> impl IntoView {
    let class = format!("{}{}", class(series), if full { " full" } else { " hollow" });
    let r = size;
    let points = |corners: &[(f64, f64)]| {
        let all: Vec<String> =
            corners.iter().map(|(dx, dy)| format!("{},{}", px(x + dx * r), px(y + dy * r))).collect();
        all.join(" ")
    };
    match series % SHAPES {
        0 => view! { <circle class=class cx=px(x) cy=px(y) r=px(r) /> }.into_any(),
        1 => {
            let corners = points(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]);
            view! { <polygon class=class points=corners /> }.into_any()
        }
        2 => view! { <polygon class=class points=points(&[(0.0, -1.15), (1.1, 0.9), (-1.1, 0.9)]) /> }.into_any(),
        3 => {
            let corners = points(&[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]);
            view! { <polygon class=class points=corners /> }.into_any()
        }
        _ => view! { <polygon class=class points=points(&[(0.0, 1.15), (1.1, -0.9), (-1.1, -0.9)]) /> }.into_any(),
    }
}

/// The studies' names with their marks.
#[component]
pub fn Key(
    /// Names, in the order of the series.
    names: Vec<String>,
) -> impl IntoView {
    let one = |(series, name): (usize, String)| {
        view! {
            <li>
                <svg aria-hidden="true" width="34" height="14" viewBox="0 0 34 14">
                    <line class=format!("{} line", class(series)) x1="0" x2="34" y1="7" y2="7" stroke-dasharray=dash(series) />
                    {mark(series, 17.0, 7.0, 4.0, true)}
                </svg>
                {name}
            </li>
        }
    };
    view! { <ul class="key">{names.into_iter().enumerate().map(one).collect_view()}</ul> }
}
