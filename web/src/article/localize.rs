//! Stage 1: where the facts are, and what ablations cost.

use super::plate::Plate;
use super::{Desk, Told};
use crate::components::{BarChart, HistogramChart, shared_scale};
use crate::figures::bars::{self, Bars};
use crate::figures::histogram::Histogram;
use engram_core::metrics::Summary;
use leptos::prelude::*;

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

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    let plates: Vec<AnyView> = [SUFFICIENCY, SECOND, DOMINANT, ABLATIONS].map(|plate| plate.show(desk)).into();
    plates.into_any()
}

/// A chart a study on one scale, the dominant layer marked; the paper's form.
fn sufficiency(desk: &Desk, summaries: &[Summary]) -> AnyView {
    let all: Vec<Bars> = summaries
        .iter()
        .zip(desk.names.iter())
        .filter(|(summary, _)| !summary.sufficiency.is_empty())
        .map(|(summary, name)| Bars { title: name.clone(), ..bars::study_sufficiency(summary) })
        .collect();
    let scale = shared_scale(&all);
    let charts: Vec<_> = all.into_iter().map(|bars| view! { <BarChart bars=bars scale=scale narrow=true /> }).collect();
    view! { <div class="beside">{charts}</div> }.into_any()
}

/// A histogram a study; a click on a layer chooses its facts.
fn dominant(desk: &Desk) -> AnyView {
    let most = desk.told.with(|told| told.summaries.iter().map(|summary| Histogram::of(summary).most()).max());
    let most = most.unwrap_or_default();
    let one = |(place, summary): (usize, &Summary)| {
        let (state, filter) = (desk.state, desk.filter);
        let (looked_at, listed) = (desk.clone(), desk.clone());
        let layer = Signal::derive(move || looked_at.layer(place));
        let choose = Callback::new(move |layer: usize| {
            let again = listed.shown() == place && listed.listed_layer() == Some(layer);
            let layer = (!again).then_some(layer);
            state.update(|state| (state.record, state.fact) = (place, state.fact.filter(|_| state.record == place)));
            filter.update(|filter| (filter.from, filter.to) = (layer, layer));
        });
        let (histogram, title) = (Histogram::of(summary), desk.names[place].clone());
        match desk.live {
            true => view! { <HistogramChart histogram=histogram title=title most=most layer=layer on_layer=choose /> }
                .into_any(),
            false => view! { <HistogramChart histogram=histogram title=title most=most /> }.into_any(),
        }
    };
    let charts: Vec<_> = desk.told.with(|Told { summaries, .. }| {
        let traced = summaries.iter().enumerate().filter(|(_, summary)| !summary.sufficiency.is_empty());
        traced.map(one).collect()
    });
    view! { <div class="beside">{charts}</div> }.into_any()
}

/// Losses without a block, its attention, its MLP: a row of charts a study, all on one scale.
fn ablations(desk: &Desk) -> AnyView {
    let all: Vec<(String, Vec<Bars>)> = desk.told.with(|told| {
        let named = told.summaries.iter().zip(desk.names.iter());
        named.map(|(summary, name)| (name.clone(), bars::study_losses(summary).into())).collect()
    });
    let scale = shared_scale(all.iter().flat_map(|(_, charts)| charts));
    let several = all.len() > 1;
    let row = |(name, charts): (String, Vec<Bars>)| {
        let one = |bars: Bars| {
            let title = if several { format!("{name}, {}", lower(&bars.title)) } else { bars.title.clone() };
            view! { <BarChart bars=Bars { title, ..bars } scale=scale narrow=true /> }
        };
        let charts: Vec<_> = charts.into_iter().map(one).collect();
        view! { <div class="beside">{charts}</div> }
    };
    all.into_iter().map(row).collect_view().into_any()
}

/// A title within another one; an abbreviation at its beginning stays as it is.
fn lower(title: &str) -> String {
    if title.chars().nth(1).is_some_and(char::is_uppercase) {
        return title.to_owned();
    }
    let mut letters = title.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}
