//! Stage 1: where the facts are, and what ablations cost. Each figure has all studies under shared headers.

use super::plate::Plate;
use super::{Desk, Told};
use crate::components::multiples::{MultiplesView, bar_height};
use crate::figures::bars::{self, Bars};
use crate::figures::histogram::Histogram;
use crate::figures::multiples::{Multiples, of_bars};
use crate::figures::roles;
use crate::figures::study::At;
use crate::words;
use engram_core::metrics::Summary;
use leptos::prelude::*;

pub(super) const ROLES: Plate = Plate {
    id: "figure-1",
    title: "Figure 1. What is put back, by token and layer",
    still: false,
    draw: |desk| {
        let maps = roles::multiples(&desk.pairs());
        maps.map(|figure| view! { <MultiplesView figure=figure /> <div class="ramped">{legend()}</div> }.into_any())
            .unwrap_or_else(|| ().into_any())
    },
};

pub(super) const SUFFICIENCY: Plate = Plate {
    id: "figure-2",
    title: "Figure 2. Mean sufficiency per layer",
    still: false,
    draw: |desk| desk.told.with(|told| sufficiency(desk, &told.summaries)),
};

pub(super) const SECOND: Plate = Plate {
    id: "figure-3",
    title: "Figure 3. The same facts at another patch position",
    still: false,
    draw: |desk| desk.told.with(|told| sufficiency(desk, &told.second)),
};

pub(super) const DOMINANT: Plate =
    Plate { id: "figure-a", title: "Figure A. Facts by their dominant layer", still: false, draw: dominant };

pub(super) const ABLATIONS: Plate =
    Plate { id: "figure-b", title: "Figure B. Ablation effects", still: false, draw: ablations };

/// The figure that a page begins with: maps where a study has them, else what each layer restores.
pub(super) fn lead(desk: &Desk) -> Plate {
    let mapped = desk.records.iter().any(|record| record.validated().any(|(_, traced)| traced.maps.is_some()));
    if mapped { ROLES } else { SUFFICIENCY }
}

/// The section: what the lead figure does not show.
pub(super) fn section(desk: &Desk) -> AnyView {
    let lead = lead(desk).id;
    let rest = [SUFFICIENCY, SECOND, DOMINANT, ABLATIONS].into_iter().filter(|plate| plate.id != lead);
    rest.map(|plate| plate.show(desk)).collect_view().into_any()
}

/// What the colours of the maps are.
fn legend() -> AnyView {
    let steps: Vec<_> = (0..=8).map(|step| view! { <i class=format!("m{step}")></i> }).collect();
    view! { <span>"corrupted 0"</span> <span class="ramp" aria-hidden="true">{steps}</span> <span>"1 clean"</span> }
        .into_any()
}

/// Bars of every study, one thing measured.
fn single(desk: &Desk, site: (&str, &str), panels: Vec<(Bars, String)>, what: &'static str) -> Multiples {
    let height = bar_height(desk.names.len(), 1);
    let panels = panels.into_iter().map(|panel| vec![panel]).collect();
    of_bars(desk.names.to_vec(), vec![(site.0.into(), site.1.into())], panels, height, what)
}

/// Where the most frequent dominant layer is.
fn marked(summary: &Summary) -> String {
    summary.l_star.map(|layer| format!("l* = {layer}")).unwrap_or_default()
}

fn sufficiency(desk: &Desk, summaries: &[Summary]) -> AnyView {
    if summaries.is_empty() {
        return ().into_any();
    }
    let panel = |summary: &Summary| (bars::study_sufficiency(summary), marked(summary));
    let position = summaries[0].view.position;
    let about = format!("by the clean state of the {}", words::patch_position(position));
    let panels = summaries.iter().map(panel).collect();
    view! { <MultiplesView figure=single(desk, ("Probability gained", &about), panels, "gained") /> }.into_any()
}

/// A click on a layer chooses its facts.
fn dominant(desk: &Desk) -> AnyView {
    let panel = |summary: &Summary| {
        let histogram = Histogram::of(summary);
        let none = (histogram.not_localized > 0).then(|| format!("{} not localized", histogram.not_localized));
        let words: Vec<String> =
            [Some(marked(summary)), none].into_iter().flatten().filter(|one| !one.is_empty()).collect();
        let bars = if summary.sufficiency.is_empty() { Bars::default() } else { histogram.bars() };
        (bars, words.join(", "))
    };
    let panels = desk.told.with(|Told { summaries, .. }| summaries.iter().map(panel).collect());
    let figure = single(desk, ("Facts", "by the layer that restores most"), panels, "has");
    if !desk.is_live() {
        return view! { <MultiplesView figure=figure /> }.into_any();
    }
    let (state, filter, looked_at, listed) = (desk.state, desk.filter, desk.clone(), desk.clone());
    let layer = Signal::derive(move || looked_at.layer(looked_at.shown()).map(|layer| (looked_at.shown(), layer)));
    let choose = Callback::new(move |(place, layer): (usize, usize)| {
        let again = listed.shown() == place && listed.listed_layer() == Some(layer);
        let layer = (!again).then_some(layer);
        state.update(|state| (state.record, state.fact) = (place, state.fact.filter(|_| state.record == place)));
        filter.update(|filter| filter.at = layer.map(At::Argmax));
    });
    view! { <MultiplesView figure=figure layer=layer on_layer=choose /> }.into_any()
}

/// Losses without a block, its attention, its MLP.
fn ablations(desk: &Desk) -> AnyView {
    let panels = desk.told.with(|told| {
        let row = |summary: &Summary| bars::study_losses(summary).map(|bars| (bars, String::new())).into();
        told.summaries.iter().map(row).collect()
    });
    let sites = [("Block", "lost without it"), ("Attention", "lost without it"), ("MLP", "lost without it")];
    let sites = sites.map(|(name, about)| (name.to_owned(), about.to_owned())).into();
    let figure = of_bars(desk.names.to_vec(), sites, panels, bar_height(desk.names.len(), 3), "lost");
    view! { <MultiplesView figure=figure /> }.into_any()
}
