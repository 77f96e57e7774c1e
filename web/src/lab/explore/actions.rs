//! What can be done with a result: link to it, keep it, edit the fact.

use super::run::Explorer;
use crate::components::{act, shown};
use crate::lab::share::{CopyLink, save};
use engram_core::journal;
use engram_core::protocol::Failure;
use leptos::prelude::*;

/// The buttons below a result.
#[component]
pub(super) fn Actions(explorer: Explorer) -> impl IntoView {
    let keep = move |_| {
        let Some(record) = untrack(move || explorer.record()) else { return };
        let name = format!(
            "{}-{}.engram.json",
            plain(&record.model.name),
            plain(record.facts.first().map_or("fact", |fact| &fact.subject))
        );
        match journal::to_json(&record) {
            Ok(bytes) => {
                save(&name, &js_sys::Uint8Array::from(bytes.as_slice()));
            }
            Err(error) => explorer.engine.complain(Failure::from(&error)),
        }
    };
    let there = move || explorer.fact.with(Option::is_some);
    view! {
        <p class="actions">
            {shown(there, move || view! {
                <button on:click=act(keep)>"Save record"</button>
                <button on:click=act(move |_| explorer.edit())>"Edit this fact…"</button>
            })}
            <CopyLink />
        </p>
    }
}

/// A name as a part of a file's name.
fn plain(name: &str) -> String {
    let kept = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' });
    kept.take(60).collect::<String>().trim_matches(['-', '.']).to_owned()
}
