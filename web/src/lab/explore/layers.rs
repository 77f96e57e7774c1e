//! Layer by layer: sufficiency, the lens, losses, and one layer in full.

use super::run::Explorer;
use crate::components::shown;
use crate::components::{BarChart, LayerPanel, LensView, shared_scale};
use crate::figures::lens::LensChart;
use crate::figures::{bars, layer};
use leptos::prelude::*;

/// The charts over layers.
#[component]
pub(super) fn Layers(explorer: Explorer) -> impl IntoView {
    let (fact, view) = (explorer.fact, explorer.view);
    let chosen: Signal<Option<usize>> = explorer.layer.into();
    let choose = Callback::new(move |layer| explorer.choose_layer(layer));
    let has = Memo::new(move |_| fact.with(|fact| fact.as_ref().is_some_and(|fact| fact.traced().is_some())));
    let sufficiency = Memo::new(move |_| fact.with(|fact| bars::fact_sufficiency(fact.as_ref()?, &view.get())));
    let losses = Memo::new(move |_| fact.with(|fact| Some(bars::fact_losses(fact.as_ref()?))));
    let lens = Memo::new(move |_| fact.with(|fact| LensChart::of(fact.as_ref()?)));
    let redundancy = Memo::new(move |_| fact.with(|fact| layer::redundancy(fact.as_ref()?, &view.get())));
    let panel = Memo::new(move |_| {
        let chosen = chosen.get()?;
        fact.with(|fact| layer::Layer::of(fact.as_ref()?, &view.get(), chosen))
    });
    let of_sufficiency = move || {
        let bars = sufficiency.get()?;
        Some(view! { <BarChart bars=bars layer=chosen on_layer=choose /> })
    };
    let of_lens = move || match lens.get() {
        Some(chart) => view! { <LensView chart=chart layer=chosen on_layer=choose /> }.into_any(),
        None if explorer.running.get().is_some() => ().into_any(),
        None => view! {
            <p class="faint">"This result has no logit lens; running it here makes one."</p>
        }
        .into_any(),
    };
    let of_losses = move || {
        let losses = losses.get()?;
        let scale = shared_scale(&losses);
        let one = |bars| view! { <BarChart bars=bars scale=scale narrow=true layer=chosen on_layer=choose /> };
        Some(losses.map(one).into_iter().collect_view())
    };
    view! {
        {shown(move || has.get(), move || view! {
            <section>
                <h2>"Layer by layer"</h2>
                <div class="layers">
                    <div>{of_sufficiency} {of_lens}</div>
                    <LayerPanel layer=panel on_layer=choose />
                </div>
                <h3>"What the answer needs: probability lost on the clean prompt"</h3>
                <div class="beside">{of_losses}</div>
                {move || redundancy.get().map(|said| view! { <p class="faint">{said}</p> })}
            </section>
        })}
    }
}
