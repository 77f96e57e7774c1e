//! How many facts peak at each layer: bars that filter the table when they are pressed, or several when the mouse is drawn over them.

use crate::figures::study::{At, Peaks};
use crate::words;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Height of the highest bar.
const HIGH: f64 = 36.0;
/// Layers beyond which bars are too narrow for numbers above them, and the same on a phone.
const MANY: usize = 40;
const SEVERAL: usize = 16;

/// The bars.
#[component]
pub fn PeakBars(
    /// The counts.
    peaks: Memo<Peaks>,
    /// Which are chosen.
    #[prop(into)]
    at: Signal<Option<At>>,
    /// Hears which one was pressed.
    on_press: Callback<At>,
    /// Hears over which the mouse was drawn.
    on_drag: Callback<At>,
) -> impl IntoView {
    // Where a drag began, and whether it has left its first bar: the click at its end presses nothing then.
    let (from, drawn) = (StoredValue::new(None::<usize>), StoredValue::new(false));
    let down = move |event: ev::PointerEvent| {
        from.set_value(layer_of(event.target()));
        drawn.set_value(false);
    };
    let over = move |event: ev::PointerEvent| {
        let Some(first) = from.get_value().filter(|_| event.buttons() != 0) else { return };
        // A finger's events go to where it began.
        let under = document().element_from_point(event.client_x() as f32, event.client_y() as f32);
        let Some(now) = layer_of(under.map(Into::into)) else { return };
        if now != first || drawn.get_value() {
            drawn.set_value(true);
            on_drag.run(At::Layers(first.min(now), first.max(now)));
        }
    };
    let press = move |chosen: At| {
        let dragged = drawn.get_value();
        drawn.set_value(false);
        from.set_value(None);
        if !dragged {
            on_press.run(chosen);
        }
    };
    let bars = move || {
        let peaks = peaks.get();
        // Layers and “no peak” have one scale.
        let (layers, most) = (peaks.counts.len(), peaks.most().max(peaks.none).max(1));
        let height = move |count: usize| format!("height:{:.1}px", count as f64 / most as f64 * HIGH);
        let many = layers > SEVERAL;
        let mode = peaks.mode();
        let every = if layers <= 12 { 1 } else { layers.div_ceil(30) * 5 };
        let stop = mode.unwrap_or(1);
        let one = |(layer, count): (usize, &usize)| {
            let (count, told) = (*count, words::count(*count, "fact"));
            let silent = layers > MANY && mode != Some(layer);
            let tick = layer == 1 || layer.is_multiple_of(every);
            view! {
                <button
                    type="button"
                    class:most=mode == Some(layer)
                    class:silent=silent
                    data-layer=layer
                    tabindex=if layer == stop { "0" } else { "-1" }
                    aria-pressed=move || at.get().is_some_and(|at| at.has(layer)).to_string()
                    title=format!("Layer {layer}: {told}")
                    on:click=move |_| press(At::Layers(layer, layer))
                >
                    <span class="unseen">{format!("Layer {layer}: {told}")}</span>
                    <b aria-hidden="true">{(count > 0).then_some(count)}</b>
                    <i style=height(count)></i>
                    <em aria-hidden="true">{if tick { layer.to_string() } else { "\u{a0}".into() }}</em>
                </button>
            }
        };
        let none = peaks.none;
        let nowhere = (none > 0).then(|| {
            let told = format!("No peak: {}", words::count(none, "fact"));
            view! {
                <button
                    type="button"
                    class="nowhere"
                    aria-pressed=move || (at.get() == Some(At::Nowhere)).to_string()
                    title="No state where it is put back restores a tenth of the answer"
                    on:click=move |_| press(At::Nowhere)
                >
                    <span class="unseen">{told}</span>
                    <b aria-hidden="true">{none}</b>
                    <i style=height(none)></i>
                    <em aria-hidden="true">"no peak"</em>
                </button>
            }
        });
        view! {
            <div class="bars" class:many=many style=format!("--layers:{layers}")>
                {(1..).zip(&peaks.counts).map(one).collect_view()}
            </div>
            {nowhere}
        }
    };
    view! {
        <div
            class="peaks"
            role="group"
            aria-label="Facts by peak layer"
            on:pointerdown=down
            on:pointermove=over
            on:keydown=move |event| {
                drawn.set_value(false);
                walk(event);
            }
        >
            <p class="name">"Facts by peak layer" <small>"press or drag to filter"</small></p>
            {bars}
        </div>
    }
}

/// The layer of the bar at which something happened.
fn layer_of(target: Option<web_sys::EventTarget>) -> Option<usize> {
    let element = target?.dyn_into::<web_sys::Element>().ok()?;
    element.closest("[data-layer]").ok()??.get_attribute("data-layer")?.parse().ok()
}

/// Arrow keys go from bar to bar; one of them is a stop of the Tab key.
fn walk(event: ev::KeyboardEvent) {
    let bar = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let next = match event.key().as_str() {
        "ArrowRight" => bar.and_then(|bar| bar.next_element_sibling()),
        "ArrowLeft" => bar.and_then(|bar| bar.previous_element_sibling()),
        _ => return,
    };
    event.prevent_default();
    if let Some(next) = next.and_then(|next| next.dyn_into::<web_sys::HtmlElement>().ok()) {
        // Focus fails only on what is no longer on the page.
        let _ = next.focus();
    }
}
