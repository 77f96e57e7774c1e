//! The search for v*, step by step. Below the line at zero the new answer is the more probable one.

use super::axes::{left, value_axis};
use super::{Numbers, px};

use crate::figures::loss::LossCurve;
use crate::scale::Scale;
use leptos::prelude::*;

/// Room above the plot.
const TOP: f64 = 10.0;
/// Height of the plot.
const HEIGHT: f64 = 120.0;
/// Width of the plot.
const WIDTH: f64 = 420.0;

/// The curve; it may grow.
#[component]
pub fn LossChart(
    /// The curve.
    #[prop(into)]
    curve: Signal<LossCurve>,
) -> impl IntoView {
    let bottom = TOP + HEIGHT;
    let scale =
        Memo::new(move |_| curve.with(|curve| Scale::around_zero(curve.drawn().iter().map(|point| point.1), HEIGHT)));
    let width = Memo::new(move |_| left(scale.get()) + WIDTH + 12.0);
    let height = bottom + 32.0;
    let drawn = move || {
        curve.with(|curve| {
            let points = curve.drawn();
            let scale = scale.get();
            let left = left(scale);
            let right = left + WIDTH;
            let x = |step: usize| left + WIDTH * step as f64 / curve.of.max(1) as f64;
            let line: Vec<String> =
                points.iter().map(|(step, loss)| format!("{},{}", px(x(*step)), px(TOP + scale.down(*loss)))).collect();
            let end = points.last().map(|(step, loss)| {
                view! { <circle cx=px(x(*step)) cy=px(TOP + scale.down(*loss)) r="3.5" /> }
            });
            view! {
                {value_axis(scale, TOP, (left, right))}
                <g class="answer-line new">
                    <polyline points=line.join(" ") />
                    {end}
                </g>
                <text class="tick" x=px(left) y=px(bottom + 14.0)>"0"</text>
                <text class="tick" x=px(right) y=px(bottom + 14.0) text-anchor="end">{curve.of}</text>
                <text class="tick name" x=px(f64::midpoint(left, right)) y=px(bottom + 28.0) text-anchor="middle">
                    "step"
                </text>
            }
        })
    };
    let sentence = Memo::new(move |_| curve.with(LossCurve::sentence));
    let rows = Signal::derive(move || curve.with(|curve| curve.table().1));
    let head = curve.with_untracked(|curve| curve.table().0);
    view! {
        <figure class="chart">
            <figcaption>{move || curve.with(LossCurve::caption)}</figcaption>
            <div class="scroll" tabindex="0">
                <svg
                    role="img"
                    aria-label=move || sentence.get()
                    width=move || px(width.get())
                    height=px(height)
                    viewBox=move || format!("0 0 {} {}", px(width.get()), px(height))
                >
                    {drawn}
                </svg>
            </div>
            <p class="said">{move || sentence.get()}</p>
            <Numbers head=head rows=rows />
        </figure>
    }
}
