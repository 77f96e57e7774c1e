//! Token × layer maps of chosen facts.

use super::Desk;
use super::plate::Plate;
use crate::components::{HeatPictures, Heatmaps};
use crate::figures::article::Article;
use crate::figures::article::chosen::{Chosen, MOST, chosen};
use crate::figures::facts::{outcome, parts};
use crate::figures::heatmap::MapSet;
use crate::words;
use leptos::prelude::*;

pub(super) const MAPS: Plate =
    Plate { id: "figure-d", title: "Figure D. Token × layer maps of chosen facts", still: true, draw: pictures };

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    let any = desk.records.iter().any(|record| record.validated().any(|(_, traced)| traced.maps.is_some()));
    match any {
        true => MAPS.show(desk),
        false => view! {
            <p>
                "These studies have no token × layer maps; " <code>"engram study --maps 10"</code>
                " makes those of the first ten facts."
            </p>
        }
        .into_any(),
    }
}

/// Maps of up to [`MOST`] facts a study; of one at first where there are several studies, and in print.
fn pictures(desk: &Desk) -> AnyView {
    if !desk.is_live() {
        return facts(desk, 1);
    }
    let (desk, several) = (desk.clone(), desk.records.len() > 1);
    let all = RwSignal::new(!several);
    let more = move || {
        let click = move |_| all.set(true);
        (!all.get()).then(|| view! { <button type="button" on:click=click>"More facts of each study"</button> })
    };
    view! {
        {move || facts(&desk, if all.get() { MOST } else { 1 })}
        {more}
    }
    .into_any()
}

fn facts(desk: &Desk, most: usize) -> AnyView {
    let view = desk.told.with(|told| told.view);
    let article = Article::new(&desk.records, &view);
    let facts = chosen(&article, most);
    let shown = facts.iter().filter_map(|fact| Some(map(desk, fact, MapSet::of(fact.fact)?)));
    shown.collect_view().into_any()
}

fn map(desk: &Desk, fact: &Chosen<'_>, set: MapSet) -> AnyView {
    let [before, subject, after] = parts(&fact.fact.prompt, &fact.fact.subject);
    let answer = words::visible(&fact.fact.target_true);
    let said = words::sentence(&outcome(fact.fact, &desk.told.with(|told| told.view)));
    let name = desk.names.get(fact.study).cloned().unwrap_or_default();
    let maps = match desk.is_live() {
        true => {
            let (desk, place) = (desk.clone(), fact.study);
            let layer = Signal::derive(move || desk.layer(place));
            view! { <Heatmaps set=Signal::stored(set) layer=layer /> }.into_any()
        }
        false => view! { <HeatPictures set=set /> }.into_any(),
    };
    let link =
        desk.is_live().then(|| super::facts::link(desk, fact.study, fact.fact.order, "All about this fact".into()));
    view! {
        <article class="mapped">
            <h3>{name} ". " {before} <mark>{subject}</mark> {after} " " <b>{answer}</b></h3>
            <p class="faint">{said} " " {link}</p>
            {maps}
        </article>
    }
    .into_any()
}
