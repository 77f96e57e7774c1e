//! Curves of several studies over relative depth, with a cursor that reads all of them at one depth: it follows the mouse and
//! the arrow keys.

use super::super::walk::{STILL, walked};
use super::super::{Numbers, px};
use super::marks::{class, dash, mark};

use crate::figures::compare::Curve;
use crate::scale::Scale;
use crate::words;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Room for the value axis' numbers, at least.
const LEFT: f64 = 52.0;
const TOP: f64 = 12.0;
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 220.0;
const BELOW: f64 = 36.0;
/// A step of the arrow keys, in thousandths of the depth.
const STEP: u32 = 25;

/// The chart.
#[component]
pub fn DepthChart(
    /// The curves, one a study.
    curves: Vec<Curve>,
    /// What is drawn.
    title: String,
    /// Where the cursor is, in thousandths of the depth.
    cursor: RwSignal<u32>,
) -> impl IntoView {
    let values = curves.iter().flat_map(|curve| &curve.points).flat_map(|point| {
        let sem = point.value.sem.unwrap_or(0.0);
        [point.value.mean - sem, point.value.mean + sem]
    });
    let scale = Scale::around_zero(values, HEIGHT);
    let left = scale.margin(LEFT);
    let x = move |depth: f64| left + depth * WIDTH;
    let sentence: Vec<String> = curves.iter().map(Curve::peak).collect();
    let ticks = scale.ticks().into_iter().map(|value| {
        let y = TOP + scale.down(value);
        let class = if value.abs() < scale.step / 1e6 { "grid zero" } else { "grid" };
        view! {
            <line class=class x1=px(left) x2=px(left + WIDTH) y1=px(y) y2=px(y) />
            <text class="tick" x=px(left - 6.0) y=px(y + 4.0) text-anchor="end">
                {scale.label(value)}
            </text>
        }
    });
    let ticks: Vec<_> = ticks.collect();
    let depths: Vec<_> = (0..=5)
        .map(|fifth| {
            let depth = f64::from(fifth) / 5.0;
            view! {
                <text class="tick" x=px(x(depth)) y=px(TOP + HEIGHT + 16.0) text-anchor="middle">
                    {words::fixed(depth, 1)}
                </text>
            }
        })
        .collect();
    let drawn: Vec<_> = curves.iter().enumerate().map(|(series, curve)| one(series, curve, scale)).collect();
    let numbers = numbers(&curves);
    let read = StoredValue::new(curves);
    let cursor_x = move || px(x(depth(cursor.get())));
    let readout = move || {
        let at = depth(cursor.get());
        let line = |curve: &Curve| view! { <dt>{curve.name.clone()}</dt> <dd>{curve.words(at)}</dd> };
        read.with_value(|curves| curves.iter().map(line).collect_view())
    };
    let size = (left + WIDTH + 12.0, TOP + HEIGHT + BELOW);
    let moved = move |event: ev::PointerEvent| {
        let target = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if let Some(place) = target.map(|target| target.get_bounding_client_rect()) {
            // On a narrow screen the figure is drawn smaller.
            let scale = size.0 / place.width().max(1.0);
            let share = ((f64::from(event.client_x()) - place.left()) * scale - left) / WIDTH;
            cursor.set((share.clamp(0.0, 1.0) * 1000.0).round() as u32);
        }
    };
    let stepped = move |event: ev::KeyboardEvent| {
        let now = (cursor.get_untracked() / STEP) as usize;
        if let Some(at) = walked(&event, Some(now), (1000 / STEP) as usize, 4) {
            cursor.set(at as u32 * STEP);
        }
    };
    let alive = |text: &'static str| (!STILL).then_some(text);
    view! {
        <figure class="chart compare">
            <figcaption>{title}</figcaption>
            <div
                class="fit"
                tabindex=alive("0")
                role=alive("slider")
                aria-label=alive("Relative depth")
                aria-valuemin=alive("0")
                aria-valuemax=alive("1000")
                aria-valuenow=move || (!STILL).then(|| cursor.get().to_string())
                aria-valuetext=move || (!STILL).then(|| format!("relative depth {}", words::fixed(depth(cursor.get()), 2)))
                on:keydown=stepped
            >
                <svg
                    role="img"
                    aria-label=format!("{}.", sentence.join("; "))
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                    on:pointermove=moved
                >
                    {ticks}
                    {depths}
                    <text class="tick" x=px(left + WIDTH / 2.0) y=px(size.1 - 4.0) text-anchor="middle">
                        "relative depth (layer over number of layers)"
                    </text>
                    <line class="cursor" x1=cursor_x x2=cursor_x y1=px(TOP) y2=px(TOP + HEIGHT) />
                    {drawn}
                </svg>
            </div>
            <dl class="reads">
                <dt>"relative depth"</dt>
                <dd>{move || words::fixed(depth(cursor.get()), 2)}</dd>
                {readout}
            </dl>
            <Numbers head=numbers.0 rows=numbers.1 />
        </figure>
    }
}

fn depth(cursor: u32) -> f64 {
    f64::from(cursor) / 1000.0
}

fn one(series: usize, curve: &Curve, scale: Scale) -> impl IntoView + use<> {
    let y = |value: f64| TOP + scale.down(value);
    let left = scale.margin(LEFT);
    let x = |depth: f64| left + depth * WIDTH;
    let line: Vec<String> =
        curve.points.iter().map(|point| format!("{},{}", px(x(point.depth)), px(y(point.value.mean)))).collect();
    let errors: Vec<_> = curve
        .points
        .iter()
        .filter_map(|point| {
            let (mean, sem) = (point.value.mean, point.value.sem?);
            let at = px(x(point.depth));
            let class = format!("{} error-bar", class(series));
            Some(view! { <line class=class x1=at.clone() x2=at y1=px(y(mean - sem)) y2=px(y(mean + sem)) /> })
        })
        .collect();
    let marks: Vec<_> = curve
        .points
        .iter()
        .map(|point| {
            // l* is larger, so that it is seen without colours.
            let dominant = curve.l_star == Some(point.layer);
            let title = format!("{}, layer {}: {}", curve.name, point.layer, words::mean(&point.value));
            view! {
                <g>
                    {mark(series, x(point.depth), y(point.value.mean), if dominant { 6.5 } else { 3.2 }, true)}
                    <title>{title}</title>
                </g>
            }
        })
        .collect();
    view! {
        <g>
            {errors}
            <polyline class=format!("{} line", class(series)) points=line.join(" ") stroke-dasharray=dash(series) />
            {marks}
        </g>
    }
}

fn numbers(curves: &[Curve]) -> (Vec<String>, Vec<Vec<String>>) {
    let head = ["study", "layer", "relative depth", "value"].map(str::to_owned).to_vec();
    let row = |curve: &Curve| {
        let name = curve.name.clone();
        let cell = move |point: &crate::figures::compare::Point| {
            vec![name.clone(), point.layer.to_string(), words::fixed(point.depth, 3), words::mean(&point.value)]
        };
        curve.points.iter().map(cell).collect::<Vec<_>>()
    };
    (head, curves.iter().flat_map(row).collect())
}
