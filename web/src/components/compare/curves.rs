//! Curves over relative depth, with the choice of what they show.

use super::depth::DepthChart;

use crate::figures::compare::{Quantity, curves};
use engram_core::metrics::MetricConvention;
use engram_core::record::Record;
use leptos::prelude::*;

/// The choice and the chart.
#[component]
pub fn Curves(
    /// Names and records.
    studies: Vec<(String, Record)>,
    /// The convention of their numbers.
    view: MetricConvention,
    /// Which quantity the curves show; outside, so that it survives when a record is opened.
    quantity: RwSignal<Quantity>,
    /// Where the cursor of the curves is.
    cursor: RwSignal<u32>,
) -> impl IntoView {
    let kept = StoredValue::new(studies);
    let chart = move || {
        let which = quantity.get();
        let curves = kept.with_value(|studies| {
            let pairs: Vec<(String, &Record)> = studies.iter().map(|(name, record)| (name.clone(), record)).collect();
            curves(&pairs, &view, which)
        });
        view! { <DepthChart curves=curves title=which.about().to_owned() cursor=cursor /> }
    };
    let choice = move |one: Quantity| {
        view! {
            <button
                type="button"
                aria-pressed=move || (quantity.get() == one).to_string()
                on:click=move |_| quantity.set(one)
            >
                {one.name()}
            </button>
        }
    };
    view! {
        <div class="choices" role="group" aria-label="Quantity">
            {Quantity::ALL.map(choice).into_iter().collect_view()}
        </div>
        {chart}
    }
}
