//! The finding of a trace, as words with their colours.

use crate::figures::trace::{Piece, Story};
use leptos::prelude::*;

/// The sentence, and with which numbers.
#[component]
pub fn StoryText(story: Memo<Option<Story>>) -> impl IntoView {
    let piece = |piece: Piece| match piece {
        Piece::Text(text) => text.into_any(),
        Piece::Subject(text) => view! { <span class="s">{text}</span> }.into_any(),
        Piece::Answer(text) => view! { <span class="a">{text}</span> }.into_any(),
        Piece::Token(text) => view! { <b>{text}</b> }.into_any(),
        Piece::Letter(letter) => view! { <span class="letter">{letter.to_string()}</span> }.into_any(),
    };
    let shown = move || {
        let Story { warning, head, more, .. } = story.get()?;
        let warning = warning.map(|warning| view! { <span class="tag warn">{format!("⚠ {warning}")}</span> });
        Some(view! {
            <h2>{warning} {head.into_iter().map(piece).collect_view()}</h2>
            <p class="more">{more}</p>
        })
    };
    view! { <div aria-live="polite">{shown}</div> }
}
