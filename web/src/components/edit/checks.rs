//! The five checks of an edit in one bar.

use crate::figures::edit::{Check, limits};
use leptos::prelude::*;

/// The bar.
#[component]
pub fn CheckBar(
    /// The checks.
    checks: [Check; 5],
) -> impl IntoView {
    let one = |check: Check| {
        let sign = check.sign();
        let said = match check.holds {
            Some(true) => "holds",
            Some(false) => "fails",
            None => "",
        };
        let class = if check.holds == Some(false) { "bad" } else { "" };
        view! {
            <li class=class title=check.about>
                <span class="name">{check.name}</span>
                <b><span aria-hidden="true">{sign}" "</span><span class="unseen">{said}" "</span>{check.value}</b>
                <small>{check.note}</small>
            </li>
        }
    };
    view! {
        <ul class="check-bar" aria-label="Checks of the edit">{checks.into_iter().map(one).collect_view()}</ul>
        <p class="limits">{limits()}</p>
    }
}
