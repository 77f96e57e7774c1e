//! A continuation before and after an edit, side by side, with what changed marked.

use crate::figures::changed::{Piece, compare};
use crate::words;
use leptos::prelude::*;

/// Both continuations of a prompt.
#[component]
pub fn BeforeAfter(
    /// The prompt.
    prompt: String,
    /// What came after it before the edit, and with it.
    said: [String; 2],
) -> impl IntoView {
    let [before, after] = compare(&said[0], &said[1]);
    let changed = said[0] != said[1];
    let prompt = words::visible(&prompt);
    let gone = |(text, changed): Piece| {
        let text = words::visible(&text);
        if changed { view! { <del>{text}</del> }.into_any() } else { text.into_any() }
    };
    let come = |(text, changed): Piece| {
        let text = words::visible(&text);
        if changed { view! { <ins>{text}</ins> }.into_any() } else { text.into_any() }
    };
    view! {
        <div class="said-both">
            <div>
                <h3>"Before"</h3>
                <p><span class="faint">{prompt.clone()}</span> {before.into_iter().map(gone).collect_view()}</p>
            </div>
            <div>
                <h3>"After"</h3>
                <p><span class="faint">{prompt}</span> {after.into_iter().map(come).collect_view()}</p>
            </div>
        </div>
        {(!changed).then(|| view! { <p class="faint">"Nothing changed in what it says."</p> })}
    }
}
