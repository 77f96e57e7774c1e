//! Token × layer maps of chosen facts.

use super::Desk;
use super::plate::Plate;
use crate::components::{HeatPictures, Heatmaps};
use crate::figures::facts;
use crate::figures::heatmap::MapSet;
use engram_core::record::{FactRecord, Traced};
use leptos::prelude::*;

/// Facts a study whose maps are shown where nobody can choose others.
const FIRST: usize = 1;

pub(super) const MAPS: Plate = Plate {
    id: "figure-d",
    title: "Figure D. Token × layer maps of chosen facts",
    draw: pictures,
    finding: |desk| desk.told.with(|told| told.maps.clone()),
};

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    let any = desk.records.iter().any(|record| record.validated().any(|(_, traced)| traced.maps.is_some()));
    match any {
        true => MAPS.show(desk),
        false => view! {
            <p>"These studies have no token × layer maps; "<code>"--maps 10"</code>" makes those of the first ten facts."</p>
        }
        .into_any(),
    }
}

fn pictures(desk: &Desk) -> AnyView {
    let studies = desk.records.iter().zip(desk.names.iter());
    let one = |(record, name): (&engram_core::record::Record, &String)| {
        let mapped = record.validated().filter_map(|(fact, traced)| Some((fact, traced, MapSet::of(traced)?)));
        let facts: Vec<_> = mapped
            .take(if desk.live { usize::MAX } else { FIRST })
            .map(|(fact, traced, set)| map(desk, name, fact, traced, set))
            .collect();
        facts
    };
    studies.flat_map(one).collect_view().into_any()
}

fn map(desk: &Desk, name: &str, fact: &FactRecord, _: &Traced, set: MapSet) -> AnyView {
    let [before, subject, after] = facts::parts(fact);
    let answer = crate::words::visible(&fact.target_true);
    let maps = match desk.live {
        true => view! { <Heatmaps set=Signal::stored(set) /> }.into_any(),
        false => view! { <HeatPictures set=set /> }.into_any(),
    };
    view! {
        <article class="mapped">
            <h3>{name.to_owned()} ". " {before} <mark>{subject}</mark> {after} " " <b>{answer}</b></h3>
            {maps}
        </article>
    }
    .into_any()
}
