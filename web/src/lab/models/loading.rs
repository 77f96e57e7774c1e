//! Loading while it lasts: how far, how fast, how long still, and a way out. It appears after half a second, so that
//! what is quick does not flash.

use crate::components::progress::Progress;
use crate::components::shown;
use crate::figures::bytes::Speed;
use crate::figures::progress::{Bar, loading};
use crate::lab::Engine;
use crate::lab::engine::now;
use crate::words;
use engram_core::protocol::Phase;
use leptos::prelude::*;
use std::time::Duration;

/// The bar of what is being loaded.
#[component]
pub(crate) fn Loading(engine: Engine) -> impl IntoView {
    let speed = RwSignal::new(Speed::default());
    let late = RwSignal::new(false);
    let what = Memo::new(move |_| {
        engine.loading.with(|loading| loading.as_ref().map(|(model, _)| words::visible(model.name())))
    });
    Effect::new(move || {
        late.set(false);
        speed.set(Speed::default());
        let begun = what.get();
        if begun.is_some() {
            set_timeout(move || late.set(what.try_get_untracked() == Some(begun)), Duration::from_millis(500));
        }
    });
    Effect::new(move || {
        let amount = engine.loading.with(|loading| match loading {
            Some((_, Some(Phase::Weights { bytes, .. } | Phase::Hashing { bytes, .. }))) => Some(*bytes),
            _ => None,
        });
        if let Some(amount) = amount {
            speed.update(|speed| speed.measure(amount as f64, now() / 1e3));
        }
    });
    let bar = Signal::derive(move || -> Bar {
        let phase = engine.loading.with(|loading| loading.as_ref().and_then(|(_, phase)| phase.clone()));
        speed.with(|speed| loading(phase.as_ref(), speed))
    });
    view! {
        {shown(move || late.get() && what.with(Option::is_some), move || view! {
            <div class="loading">
                <p>"Loading " <b>{move || what.get()}</b></p>
                <Progress bar=bar />
                <button type="button" on:click=move |_| stop(engine)>
                    "Cancel"
                </button>
            </div>
        })}
    }
}

/// Stops whatever is being loaded. What has arrived stays in the browser.
pub(crate) fn stop(engine: Engine) {
    engine.cancel_loading();
}
