//! One layer of one fact, with a slider to choose it: the keyboard's way to what a click on a column does.

use super::px;

use crate::figures::layer::Layer;
use crate::words;
use leptos::prelude::*;

/// Length of the longest bar to either side of zero.
const REACH: f64 = 70.0;
/// Height of a bar's row.
const ROW: f64 = 22.0;
/// Room for the names.
const NAMES: f64 = 166.0;

/// The panel of a layer.
#[component]
pub fn LayerPanel(
    /// What is told.
    #[prop(into)]
    layer: Signal<Option<Layer>>,
    /// Called with the layer that was chosen.
    on_layer: Callback<usize>,
) -> impl IntoView {
    let place = Memo::new(move |_| layer.with(|layer| layer.as_ref().map(|layer| (layer.layer, layer.of))));
    let of = move || place.get().map_or(1, |place| place.1);
    let at = move || place.get().map_or(1, |place| place.0);
    let slide = move |event: leptos::ev::Event| {
        if let Ok(layer) = event_target_value(&event).parse() {
            on_layer.run(layer);
        }
    };
    let title = move || {
        layer.with(|layer| {
            let layer = layer.as_ref()?;
            let role = if layer.dominant { ", the fact's dominant layer" } else { "" };
            Some(format!("Layer {} of {}{role}", layer.layer, layer.of))
        })
    };
    view! {
        <div class="layer-panel">
            <h3>{title}</h3>
            <label class="slider">
                <span class="faint">"Layer"</span>
                <input
                    type="range"
                    min="1"
                    max=of
                    step="1"
                    prop:value=move || at().to_string()
                    aria-valuetext=move || format!("layer {} of {}", at(), of())
                    on:input=slide
                />
            </label>
            <p class="faint">"Or click a column or a cell."</p>
            {move || layer.with(|layer| layer.as_ref().map(body))}
        </div>
    }
}

fn body(layer: &Layer) -> impl IntoView + use<> {
    let span = layer.span();
    let zero = NAMES + REACH;
    let rows: Vec<_> = layer
        .values
        .iter()
        .enumerate()
        .map(|(row, (name, value))| {
            let y = ROW * row as f64;
            let length = value.map_or(0.0, |value| if span > 0.0 { value / span * REACH } else { 0.0 });
            let class = match (row, length < 0.0) {
                (_, true) => "bar below",
                (0, false) => "bar marked",
                _ => "bar",
            };
            view! {
                <text x=px(NAMES - 8.0) y=px(y + 15.0) text-anchor="end">{*name}</text>
                <rect class=class x=px(zero + length.min(0.0)) y=px(y + 4.0) width=px(length.abs()) height="14" />
                <text x=px(zero + REACH + 8.0) y=px(y + 15.0)>{Layer::words(*value)}</text>
            }
        })
        .collect();
    let height = ROW * layer.values.len() as f64;
    let width = zero + REACH + 64.0;
    let said = layer.values.iter().map(|(name, value)| format!("{name} {}", Layer::words(*value)));
    let said = format!("Layer {}: {}.", layer.layer, said.collect::<Vec<_>>().join(", "));
    let split = layer.mlp_share.map(|share| {
        view! {
            <svg role="img" aria-label=layer.split.clone() width="300" height="30" viewBox="0 0 300 30">
                <rect class="bar" x="0" y="0" width=px(300.0 * share) height="12" />
                <rect class="bar below" x=px(300.0 * share) y="0" width=px(300.0 * (1.0 - share)) height="12" />
                <text class="tick" x="0" y="27">{format!("MLP {} %", words::fixed(share * 100.0, 0))}</text>
                <text class="tick" x="300" y="27" text-anchor="end">
                    {format!("attention {} %", words::fixed((1.0 - share) * 100.0, 0))}
                </text>
            </svg>
        }
    });
    view! {
        <div class="scroll" tabindex="0">
            <svg
                role="img"
                aria-label=said
                width=px(width)
                height=px(height)
                viewBox=format!("0 0 {} {}", px(width), px(height))
            >
                <line class="grid zero" x1=px(zero) x2=px(zero) y1="0" y2=px(height) />
                {rows}
            </svg>
        </div>
        <p>{layer.split.clone()}</p>
        {split}
        {layer.lens.clone().map(|lens| view! { <p class="faint">{format!("Logit lens. {lens}.")}</p> })}
    }
}
