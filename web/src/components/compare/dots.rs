//! Dots over two axes, with a cursor that follows the mouse, and walks them from left to right by the arrow keys.

use super::super::walk::{STILL, walked};
use super::super::{Numbers, px};
use super::marks::mark;

use crate::figures::scatter::{Dot, Scatter};
use crate::scale::margin;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Room for the numbers of the upright axis and its name, at least.
const LEFT: f64 = 52.0;
/// Of it, for the name.
const NAME: f64 = 16.0;
const TOP: f64 = 12.0;
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 220.0;
const BELOW: f64 = 38.0;
/// Dots that Page up and Page down pass over.
const FAR: usize = 10;
/// More of it, for what the shades mean.
const KEY: f64 = 20.0;

/// Draws dots at their places, and a key at another one.
pub type Cloud = fn(&Scatter, &[(f64, f64)], (f64, f64)) -> AnyView;

/// The figure; a line of text where it has no dots.
#[component]
pub fn Dots(
    /// What is drawn.
    scatter: Scatter,
    /// What is said where there is nothing to draw.
    nothing: &'static str,
    /// How many dots are drawn together, where there are many: from the figure, their places, and where the plot's key
    /// begins.
    #[prop(optional)]
    cloud: Option<Cloud>,
) -> impl IntoView {
    if scatter.dots.is_empty() {
        return view! {
            <figure class="chart compare">
                <figcaption>{scatter.title}</figcaption>
                <p class="faint">{nothing}</p>
            </figure>
        }
        .into_any();
    }
    let left = margin(scatter.y.ticks.iter().map(|tick| tick.1.clone()), LEFT - NAME) + NAME;
    let key = if cloud.is_some() { KEY } else { 0.0 };
    let size = (left + WIDTH + 14.0, TOP + HEIGHT + BELOW + key);
    let sentence = scatter.sentence();
    let (x_name, y_name, title) = (scatter.x.name, scatter.y.name, scatter.title.clone());
    let bottom = TOP + HEIGHT;
    let grid_x: Vec<_> = scatter
        .x
        .ticks
        .iter()
        .map(|(value, words)| {
            let at = left + scatter.x.place(*value) * WIDTH;
            view! {
                <line class="grid" x1=px(at) x2=px(at) y1=px(TOP) y2=px(bottom) />
                <text class="tick" x=px(at) y=px(bottom + 16.0) text-anchor="middle">
                    {words.clone()}
                </text>
            }
        })
        .collect();
    let grid_y: Vec<_> = scatter
        .y
        .ticks
        .iter()
        .map(|(value, words)| {
            let at = bottom - scatter.y.place(*value) * HEIGHT;
            let class = if value.abs() < 1e-9 { "grid zero" } else { "grid" };
            view! {
                <line class=class x1=px(left) x2=px(left + WIDTH) y1=px(at) y2=px(at) />
                <text class="tick" x=px(left - 6.0) y=px(at + 4.0) text-anchor="end">
                    {words.clone()}
                </text>
            }
        })
        .collect();
    let diagonal = scatter.diagonal.then(|| {
        view! { <line class="grid zero" x1=px(left) y1=px(bottom) x2=px(left + WIDTH) y2=px(TOP) stroke-dasharray="4 3" /> }
    });
    let places: Vec<(f64, f64)> = scatter
        .dots
        .iter()
        .map(|dot| (left + scatter.x.place(dot.x) * WIDTH, bottom - scatter.y.place(dot.y) * HEIGHT))
        .collect();
    let drawn = match cloud {
        Some(cloud) => cloud(&scatter, &places, (left, size.1 - 8.0)),
        None => marks(&scatter, &places),
    };
    let rows: Vec<Vec<String>> = scatter.dots.iter().map(|dot| vec![dot.words.clone()]).collect();
    let last = scatter.dots.len() - 1;
    let cursor = RwSignal::new(None::<usize>);
    let ring = move || {
        let (x, y) = *places.get(cursor.get()?)?;
        Some(view! { <circle class="ring" cx=px(x) cy=px(y) r="9" /> })
    };
    let read = StoredValue::new(scatter);
    let said = move || match cursor.get() {
        Some(at) => read.with_value(|scatter| scatter.dots.get(at).map(|dot| dot.words.clone())).unwrap_or_default(),
        None => "Point at a dot, or step through them with the arrow keys.".into(),
    };
    let moved = move |event: ev::PointerEvent| {
        let target = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        if let Some(place) = target.map(|target| target.get_bounding_client_rect()) {
            // On a narrow screen the figure is drawn smaller.
            let scale = size.0 / place.width().max(1.0);
            let x = ((f64::from(event.client_x()) - place.left()) * scale - left) / WIDTH;
            let y = (bottom - (f64::from(event.client_y()) - place.top()) * scale) / HEIGHT;
            cursor.set(read.with_value(|scatter| scatter.nearest(x, y)));
        }
    };
    let stepped = move |event: ev::KeyboardEvent| {
        if let Some(at) = walked(&event, cursor.get_untracked(), last, FAR) {
            cursor.set(Some(at));
        }
    };
    // Where nothing answers to keys nothing says that it does.
    let alive = |text: &'static str| (!STILL).then_some(text);
    let name = title.clone();
    view! {
        <figure class="chart compare">
            <figcaption>{title}</figcaption>
            <div
                class="fit"
                tabindex=alive("0")
                role=alive("slider")
                aria-label=(!STILL).then(|| format!("Dots: {name}"))
                aria-valuemin=alive("0")
                aria-valuemax=(!STILL).then(|| last.to_string())
                aria-valuenow=move || (!STILL).then(|| cursor.get().unwrap_or(0).to_string())
                aria-valuetext=move || (!STILL).then(said)
                on:keydown=stepped
            >
                <svg
                    role="img"
                    aria-label=sentence
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                    on:pointermove=moved
                >
                    {grid_x}
                    {grid_y}
                    {diagonal}
                    <text class="tick" x=px(left + WIDTH / 2.0) y=px(bottom + 34.0) text-anchor="middle">
                        {x_name}
                    </text>
                    <text
                        class="tick"
                        text-anchor="middle"
                        transform=format!("translate(12 {}) rotate(-90)", px(TOP + HEIGHT / 2.0))
                    >
                        {y_name}
                    </text>
                    {drawn}
                    {ring}
                </svg>
            </div>
            <p class="reads">{said}</p>
            <Numbers head=vec!["dots".into()] rows=rows />
        </figure>
    }
    .into_any()
}

/// A mark for each dot.
fn marks(scatter: &Scatter, places: &[(f64, f64)]) -> AnyView {
    let one = |(dot, (x, y)): (&Dot, &(f64, f64))| {
        view! { <g>{mark(dot.series, *x, *y, 4.5, dot.full)} <title>{dot.words.clone()}</title></g> }
    };
    scatter.dots.iter().zip(places).map(one).collect_view().into_any()
}
