//! A study as a whole: the finding in sentences, then where facts sit and what their answers need.

use crate::components::{BarChart, HistogramChart, shared_scale};
use crate::figures::{bars, finding, histogram::Histogram};
use crate::words;
use engram_core::metrics::Summary;
use leptos::prelude::*;

/// The study under the view that its summary was made for.
#[component]
pub fn StudyFigures(
    /// Its indices.
    summary: Summary,
) -> impl IntoView {
    let said: Vec<_> = finding::study(&summary).into_iter().map(|line| view! { <p>{line}</p> }).collect();
    let position = summary.view.position;
    let losses = bars::study_losses(&summary);
    let scale = shared_scale(&losses);
    let losses: Vec<_> =
        losses.into_iter().map(|bars| view! { <BarChart bars=bars scale=scale narrow=true /> }).collect();
    let redundancy = bars::study_redundancy(&summary).map(|chart| {
        let r = summary.redundancy.map(|found| format!("R = {:.3}.", found.r.mean));
        view! {
            <h3>"What the other layers can still restore"</h3>
            <p class="faint">
                "The clean state is put back after one layer while the ablated layer stays ablated. "
                "A patch above the ablated layer overwrites what its ablation did. " {r}
            </p>
            <BarChart bars=chart />
        }
    });
    let sufficiency = (!summary.sufficiency.is_empty()).then(|| {
        let histogram = Histogram::of(&summary);
        view! {
            <p class="faint">
                {format!(
                    "Restore at the {}: {} is put back into the corrupted run, after one layer. Error bars are standard errors of the mean.",
                    words::patch_position(position),
                    words::position(position),
                )}
            </p>
            <BarChart bars=bars::study_sufficiency(&summary) />
            <HistogramChart histogram=histogram />
        }
    });
    view! {
        <div class="said">{said}</div>
        <h3>"Where the facts are"</h3>
        {sufficiency}
        <h3>"What their answers need"</h3>
        <p class="faint">"Probability lost on the clean prompt when a layer's contribution is left out, one scale."</p>
        <div class="beside">{losses}</div>
        {redundancy}
    }
}
