//! One fact: prompt, what was found, its charts and maps, or why it is excluded.

use super::{BarChart, Heatmaps, shared_scale};
use crate::figures::{bars, facts, finding, heatmap::MapSet};
use crate::words;
use engram_core::metrics::MetricConvention as PatchPosition;
use engram_core::record::{FactRecord, Outcome};
use leptos::prelude::*;

/// One fact under a view.
#[component]
pub fn FactView(
    /// The fact.
    fact: FactRecord,
    /// How its numbers are looked at.
    view: PatchPosition,
) -> impl IntoView {
    let [before, subject, after] = facts::parts(&fact.prompt, &fact.subject);
    let answer = words::visible(&fact.target_true);
    let relation = words::visible(&fact.relation);
    let relation = (!relation.is_empty()).then(|| format!(", relation {relation}"));
    let body = match (&fact.outcome, fact.traced()) {
        (Outcome::Dropped(dropped), _) => {
            let p = |name: &str, p: Option<f32>| p.map(|p| format!("{name} {}", words::probability(p.into())));
            let known: Vec<String> =
                [p("p clean", dropped.p_clean), p("p corrupt", dropped.p_corrupt)].into_iter().flatten().collect();
            let detail = words::visible(&dropped.detail);
            view! {
                <p>"It is excluded: " {words::reason(dropped.reason)} "."</p>
                <p>{detail}</p>
                <p class="faint">{known.join(", ")}</p>
            }
            .into_any()
        }
        (_, Some(traced)) => {
            let said: Vec<_> =
                finding::fact(&fact, traced, &view).into_iter().map(|line| view! { <p>{line}</p> }).collect();
            let sufficiency = bars::fact_sufficiency(&fact, &view).map(|bars| view! { <BarChart bars=bars /> });
            let losses = bars::fact_losses(&fact);
            let scale = shared_scale(&losses);
            let losses: Vec<_> =
                losses.into_iter().map(|bars| view! { <BarChart bars=bars scale=scale narrow=true /> }).collect();
            let maps = MapSet::of(&fact);
            let maps = match maps {
                Some(set) => view! { <Heatmaps set=set /> }.into_any(),
                None => view! {
                    <p class="faint">
                        "No token × layer maps of this fact; " <code>"engram study --maps 10"</code>
                        " makes those of the first ten."
                    </p>
                }
                .into_any(),
            };
            view! {
                <div class="said">{said}</div>
                {sufficiency}
                <h4>"Probability lost"</h4>
                <div class="beside">{losses}</div>
                <h4>"Causal trace"</h4>
                {maps}
            }
            .into_any()
        }
        _ => ().into_any(),
    };
    view! {
        <article class="fact">
            <h3>{before} <mark>{subject}</mark> {after} " " <b>{answer}</b></h3>
            <p class="faint">{format!("Fact {}, id {}", fact.order.saturating_add(1), words::visible(&fact.id))} {relation}</p>
            {body}
        </article>
    }
}
