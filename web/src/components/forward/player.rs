//! Plays the layers one after the other.

use leptos::{ev, prelude::*};
use std::time::Duration;
use wasm_bindgen::JsCast;

/// How long a layer stays, in milliseconds: of few layers each is longer in view, so is the one before attention moves the answer.
const STEP: u64 = 420;
const STEP_OF_FEW: u64 = 900;
const BEFORE_MOVE: u64 = 1400;
const FEW: usize = 12;

/// Buttons and slider.
#[component]
pub fn Player(
    /// The layer that is looked at.
    layer: Memo<usize>,
    /// How many there are.
    layers: Memo<usize>,
    /// Where attention moves the answer.
    moved: Signal<Option<usize>>,
    /// Somebody has chosen the layer; otherwise playing begins at the first one.
    chosen: Signal<bool>,
    /// Whether the figure is on the screen: elsewhere nothing plays, and keys are not heard.
    on_screen: Signal<bool>,
    /// Called with another layer.
    on_layer: Callback<usize>,
) -> impl IntoView {
    let playing = RwSignal::new(false);
    let go = move |to: usize| {
        let to = to.clamp(1, layers.get_untracked().max(1));
        if to != layer.get_untracked() {
            on_layer.run(to);
        }
    };
    let step = move |to: usize| {
        playing.set(false);
        go(to);
    };
    let toggle = move || {
        if !playing.get_untracked() && (!chosen.get_untracked() || layer.get_untracked() >= layers.get_untracked()) {
            on_layer.run(1);
        }
        playing.update(|playing| *playing = !*playing);
    };
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let stop = move || {
        if let Some(timer) = timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
    };
    Effect::new(move |_| {
        stop();
        let now = layer.get();
        if !playing.get() {
            return;
        }
        if !on_screen.get() || now >= layers.get() {
            return playing.set(false);
        }
        let step = if layers.get() <= FEW { STEP_OF_FEW } else { STEP };
        let wait = if moved.get() == Some(now + 1) { BEFORE_MOVE } else { step };
        let next = set_timeout_with_handle(move || go(now + 1), Duration::from_millis(wait));
        timer.set_value(next.ok());
    });
    on_cleanup(stop);
    // The buttons have the focus after they were pressed; arrows go on from layer to layer.
    let arrows = move |event: ev::KeyboardEvent| {
        let now = layer.get_untracked();
        match event.key().as_str() {
            "ArrowLeft" => step(now.saturating_sub(1)),
            "ArrowRight" => step(now + 1),
            "Home" => step(1),
            "End" => step(layers.get_untracked()),
            _ => return,
        }
        event.prevent_default();
    };
    let keys = window_event_listener(ev::keydown, move |event| {
        let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let slides = element.as_ref().is_some_and(|element| element.matches("[type=range]").unwrap_or(false));
        let busy = element.is_some_and(|element| {
            element.closest("button, input, select, textarea, a, summary, [role=tab], dialog").ok().flatten().is_some()
        });
        // Wherever the focus is on no control, the arrows step the picture.
        let steps = matches!(event.key().as_str(), "ArrowLeft" | "ArrowRight") && !event.default_prevented();
        let held = event.ctrl_key() || event.meta_key() || event.alt_key() || event.shift_key();
        if steps && !held && on_screen.get_untracked() && !busy {
            return arrows(event);
        }
        if event.key() == " " && on_screen.get_untracked() && (!busy || slides) && moves() {
            event.prevent_default();
            toggle();
        }
    });
    on_cleanup(move || keys.remove());
    view! {
        <div class="play" on:keydown=arrows>
            {moves().then(|| view! {
                <button type="button" class="primary" on:click=move |_| toggle()>
                    {move || if playing.get() { "❚❚ Pause" } else { "▶ Play" }}
                    <kbd>"Space"</kbd>
                </button>
            })}
            <button type="button" aria-label="One layer back" on:click=move |_| step(layer.get_untracked().saturating_sub(1))>
                "◀"
            </button>
            <button type="button" aria-label="One layer on" on:click=move |_| step(layer.get_untracked() + 1)>
                "▶"
            </button>
            <input
                type="range"
                min="1"
                max=layers
                aria-label="Layer"
                prop:value=layer
                on:input:target=move |event| {
                    if let Ok(to) = event.target().value().parse() {
                        step(to);
                    }
                }
            />
            <span class="faint wide">"also ← → and Home, End"</span>
        </div>
    }
}

/// Whether things may move by themselves.
fn moves() -> bool {
    let query = window().match_media("(prefers-reduced-motion: reduce)").ok().flatten();
    !query.is_some_and(|query| query.matches())
}
