//! Many dots, coloured by depth, and the key of their shades.

use super::px;
use crate::figures::scatter::Scatter;
use leptos::prelude::*;

/// Dots of one shade are one path, lines of no length with round ends. A [`super::compare::dots::Cloud`].
pub fn shaded(scatter: &Scatter, places: &[(f64, f64)], key: (f64, f64)) -> AnyView {
    let mut paths = vec![String::new(); scatter.shades.len()];
    for (dot, (x, y)) in scatter.dots.iter().zip(places) {
        if let Some(path) = paths.get_mut(dot.series) {
            path.push_str(&format!("M{} {}h0", px(*x), px(*y)));
        }
    }
    let one = |((depth, colour), path): (&(f64, String), String)| {
        view! { <path class="shade" style=strength(*depth) stroke=colour.clone() d=path /> }
    };
    let drawn: Vec<_> = scatter.shades.iter().zip(paths).filter(|(_, path)| !path.is_empty()).map(one).collect();
    view! { {drawn} {shades(&scatter.shades, key)} }.into_any()
}

/// A shade as the style sheet takes it; pictures have the colour of the light theme instead.
fn strength(depth: f64) -> String {
    format!("--t:{}%", px(100.0 * depth))
}

/// The shades from the first layer to the last.
fn shades(shades: &[(f64, String)], (left, y): (f64, f64)) -> AnyView {
    let (from, step) = (left + 52.0, 120.0 / shades.len() as f64);
    let one = |(at, (depth, colour)): (usize, &(f64, String))| {
        let x = from + step * at as f64;
        view! { <path class="shade flat" style=strength(*depth) stroke=colour.clone() d=format!("M{} {}h{}", px(x), px(y - 4.0), px(step)) /> }
    };
    view! {
        <text class="tick" x=px(from - 8.0) y=px(y) text-anchor="end">"layer 1"</text>
        {shades.iter().enumerate().map(one).collect_view()}
        <text class="tick" x=px(from + 128.0) y=px(y)>{shades.len()}</text>
    }
    .into_any()
}
