//! What can be done with a result: link to it, keep it, edit the fact.

use super::run::Explorer;
use crate::components::{act, shown};
use crate::lab::export::ExportPage;
use crate::lab::share::{CopyLink, CopyResult};
use crate::state::{LabState, ViewState};
use crate::{files, link, names, take};
use engram_core::{Error, Result, journal};
use leptos::prelude::*;

/// The buttons below a result.
#[component]
pub(super) fn Actions(explorer: Explorer) -> impl IntoView {
    let page = explorer.page;
    let keep = move |_| {
        let Some(record) = untrack(move || explorer.record()) else { return };
        let subject = record.facts.first().map_or("fact", |fact| &fact.subject);
        let name = format!("{}-{}.engram.json", names::plain(&record.model.name), names::plain(subject));
        match journal::to_json(&record) {
            Ok(bytes) => {
                take::save(&name, "application/json", &bytes);
            }
            Err(error) => page.complain(&error),
        }
    };
    let there = move || explorer.fact.with(Option::is_some);
    let traced = move || explorer.fact.with(|fact| fact.as_ref().is_some_and(|fact| fact.traced().is_some()));
    view! {
        <p class="actions">
            {shown(there, move || view! {
                <button on:click=act(keep)>"Save record"</button>
                <ExportPage page=page records=Callback::new(move |()| Ok(vec![explorer.given()?])) />
                <button on:click=act(move |_| explorer.edit())>"Edit this fact…"</button>
            })}
            <CopyLink />
            {shown(traced, move || view! { <CopyResult make=Callback::new(move |()| linked(explorer)) /> })}
        </p>
    }
}

/// A link to the shown trace with its numbers, and how it is looked at.
fn linked(explorer: Explorer) -> Result<String> {
    let (record, page) = (explorer.given()?, explorer.page);
    let (state, lab) = (page.state.get_untracked(), page.lab.get_untracked());
    // The question comes with the record.
    let lab = LabState { model: link::model(&record, &lab.model), layer: lab.layer, ..LabState::default() };
    let state = ViewState { reading: state.reading, argmax_always: state.argmax_always, ..ViewState::default() };
    let here = files::page_address(&[], &state, &lab);
    link::to(&here.ok_or_else(|| Error::input("this page has no address to link to"))?, &record)
}
