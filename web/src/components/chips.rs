//! A prompt's tokens as chips.

use crate::figures::tokens::{self, Chip};
use leptos::prelude::*;

/// The tokens; those of the subject are underlined, and said to be the subject's.
#[component]
pub fn TokenChips(
    /// The tokens.
    chips: Vec<Chip>,
    /// Whose tokens they are.
    whose: String,
) -> impl IntoView {
    let sentence = tokens::sentence(&chips);
    let one = |chip: Chip| {
        let class = if chip.subject { "chip subject" } else { "chip" };
        let role = match (chip.subject, chip.last) {
            (true, true) => Some(" (subject, last token)"),
            (true, false) => Some(" (subject)"),
            _ => None,
        };
        view! {
            <li class=class>
                {chip.text}
                {chip.last.then(|| view! { <span class="mark-last" aria-hidden="true">"*"</span> })}
                {role.map(|role| view! { <span class="unseen">{role}</span> })}
            </li>
        }
    };
    view! {
        <div class="tokens">
            <ul aria-label=format!("Tokens of {whose}")>{chips.into_iter().map(one).collect_view()}</ul>
            <p class="faint">{format!("{sentence} · is a space, * the subject's last token. Tokens of {whose}.")}</p>
        </div>
    }
}
