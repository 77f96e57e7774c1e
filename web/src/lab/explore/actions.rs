//! What can be done with a result: link to it, keep it, edit the fact.

use super::link::CopyResult;
use super::run::Explorer;
use crate::components::shown;
use crate::lab::export::ExportPage;
use crate::lab::share::CopyLink;
use crate::{names, take};
use engram_core::journal;
use leptos::prelude::*;

/// The buttons below a result.
#[component]
pub(super) fn Actions(explorer: Explorer) -> impl IntoView {
    let page = explorer.page;
    let keep = move |_| {
        let Some(record) = explorer.record_now() else { return };
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
                <button on:click=keep>"Save record"</button>
                <ExportPage page=page records=Callback::new(move |()| Ok(vec![explorer.given()?])) />
                <button on:click=move |_| explorer.edit()>"Edit this fact…"</button>
            })}
            <CopyLink address=Callback::new(move |()| explorer.address()) />
            {shown(traced, move || view! { <CopyResult explorer=explorer /> })}
        </p>
    }
}
