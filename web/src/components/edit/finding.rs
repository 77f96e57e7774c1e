//! The finding of an edit, as words with their colours.

use crate::figures::edit::{Finding, Piece};
use engram_core::metrics::Mark;
use leptos::prelude::*;

/// The badge, the sentence, and what counts as made.
#[component]
pub fn EditFinding(
    /// The finding.
    finding: Finding,
    /// The edit is no longer in force.
    #[prop(into)]
    undone: Signal<bool>,
) -> impl IntoView {
    let piece = |piece: Piece| match piece {
        Piece::Text(text) => text.into_any(),
        Piece::Old(text) => view! { <span class="a">{text}</span> }.into_any(),
        Piece::New(text) => view! { <span class="n">{text}</span> }.into_any(),
    };
    let Finding { mark, badge, meaning, head, more } = finding;
    let class = match mark {
        Mark::Good => "tag good",
        Mark::Neutral => "tag",
        Mark::Harm => "tag harm",
    };
    view! {
        <h2>
            {move || undone.get().then(|| view! { <span class="tag">"undone"</span> " " })}
            <span class=class title=meaning>{badge}</span> " " {head.into_iter().map(piece).collect_view()}
        </h2>
        <p class="more">{more}</p>
    }
}
