//! The facts of one study: the lab's table, filtered and sorted, and the fact that is looked at.

use super::Desk;
use crate::components::FactView;
use crate::components::study::{FactTable, Tools};
use crate::figures::study::{Filter, Line, apply, lines};
use crate::state::ViewState;
use crate::words;
use engram_core::metrics::MetricConvention;
use engram_core::record::Record;
use leptos::prelude::*;

/// Rows of a study that are printed.
const PRINTED: usize = 8;

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    if !desk.is_live() {
        let studies = desk.records.iter().zip(desk.names.iter());
        return studies.map(|(record, name)| printed(record, name)).collect_view().into_any();
    }
    let (state, filter) = (desk.state, desk.filter);
    let shown = {
        let desk = desk.clone();
        Memo::new(move |_| lines(&desk.records[desk.shown()], &state.with(ViewState::view)))
    };
    let found = Memo::new(move |_| shown.with(|lines| filter.with(|filter| apply(lines, filter))));
    let (one, order) = (desk.clone(), desk.clone());
    let layers = {
        let desk = desk.clone();
        Signal::derive(move || desk.records[desk.shown()].model.layers)
    };
    let order = Signal::derive(move || order.fact());
    let choose = Callback::new(move |order| state.update(|state| state.fact = Some(order)));
    let fact = move || {
        let record = &one.records[one.shown()];
        let fact = one.fact().and_then(|order| record.facts.iter().find(|fact| fact.order == order))?.clone();
        Some(view! { <FactView fact=fact view=state.with(ViewState::view) /> })
    };
    view! {
        <Tools lines=shown filter=filter listed=Signal::derive(move || found.with(Vec::len)) />
        <FactTable lines=shown found=found layers=layers filter=filter chosen=order on_choose=choose />
        <div id="fact">{fact}</div>
    }
    .into_any()
}

/// Goes to a place of the section.
pub(super) fn go() {
    // Another study's table may be shorter: only once it is drawn is the fact where it stays.
    request_animation_frame(|| {
        if let Some(place) = document().get_element_by_id("fact").or_else(|| document().get_element_by_id("facts")) {
            super::fold::unfolded(&place);
            place.scroll_into_view();
        }
    });
}

/// A button that shows a fact.
pub(super) fn link(desk: &Desk, place: usize, order: usize, words: String) -> AnyView {
    let state = desk.state;
    let click = move |_| {
        state.update(|state| (state.record, state.fact) = (place, Some(order)));
        go();
    };
    view! { <button type="button" class="link" on:click=click>{words}</button> }.into_any()
}

/// The first rows of a study, for readers without scripting.
fn printed(record: &Record, name: &str) -> AnyView {
    let first: Vec<Line> = lines(record, &MetricConvention::default()).into_iter().take(PRINTED).collect();
    let (count, all) = (first.len(), record.facts.len());
    let more = (all > PRINTED).then(|| {
        let said = format!("The first {PRINTED} of {}; with scripting this page lists all.", words::count(all, "fact"));
        view! { <p class="faint">{said}</p> }
    });
    let (first, found) = (Memo::new(move |_| first.clone()), Memo::new(move |_| (0..count).collect()));
    let (filter, nobody) = (RwSignal::new(Filter::default()), Callback::new(|_| ()));
    view! {
        <h3>{name.to_owned()}</h3>
        <FactTable lines=first found=found layers=record.model.layers filter=filter chosen=None on_choose=nobody />
        {more}
    }
    .into_any()
}
