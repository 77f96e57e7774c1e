//! The facts of one study: a list, and the one that is chosen.

use super::Desk;
use crate::components::{FactList, FactView, act, part};
use crate::figures::facts;
use crate::state::ViewState;
use engram_core::record::Record;
use leptos::prelude::*;

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    if !desk.live {
        return ().into_any();
    }
    let (state, records) = (desk.state, desk.records.clone());
    let rows = {
        let desk = desk.clone();
        Memo::new(move |_| {
            let view = state.with(ViewState::view);
            facts::rows(&desk.records[desk.shown()], &view)
        })
    };
    let chosen = {
        let desk = desk.clone();
        move || {
            let record: &Record = &desk.records[desk.shown()];
            let wanted = state.with(|state| state.fact);
            let fact =
                wanted.and_then(|order| record.facts.iter().find(|fact| fact.order == order)).or(record.facts.first());
            let view = state.with(ViewState::view);
            fact.map(|fact| view! { <FactView fact=fact.clone() view=view /> })
        }
    };
    let _ = records;
    let selected = Signal::derive(move || state.with(|state| state.fact));
    let choose = Callback::new(move |order| state.update(|state| state.fact = Some(order)));
    view! {
        <div class="split">
            <FactList rows=rows.into() selected=selected on_choose=choose />
            {part(chosen)}
        </div>
    }
    .into_any()
}

/// Goes to the section.
pub(super) fn go() {
    if let Some(section) = document().get_element_by_id("facts") {
        section.scroll_into_view();
    }
}

/// A button that shows a fact.
pub(super) fn link(desk: &Desk, place: usize, order: usize, words: String) -> AnyView {
    let state = desk.state;
    let click = move |_| {
        state.update(|state| (state.record, state.fact) = (place, Some(order)));
        go();
    };
    view! { <button type="button" class="link" on:click=act(click)>{words}</button> }.into_any()
}
