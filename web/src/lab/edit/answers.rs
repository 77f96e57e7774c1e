//! What the model says before and after the edit.

use super::run::Editor;
use crate::figures::edited::{Says, Shown};
use crate::words;
use engram_core::protocol::Word;
use leptos::prelude::*;

/// Both answers with their probabilities.
#[component]
pub(super) fn Answers(
    editor: Editor,
    shown: Memo<Option<(Shown, bool)>>,
    stale: Memo<Option<String>>,
) -> impl IntoView {
    // A word that the edit has not measured is in the clean run of the trace before or after it, if it is one token.
    let traced = move |word: &str, after: bool| -> Option<f64> {
        let place = editor.made.get()?;
        let clean = editor.seen.with(|seen| {
            let seen = seen.get(place)?;
            let [clean, _] = if after { &seen.after } else { &seen.before }.as_ref()?.runs.clone()?;
            Some(clean)
        })?;
        let is = |found: &&Word| words::visible(found.text.trim()) == word;
        clean.iter().find(is).map(|found| found.p.into())
    };
    let row = move |when: &'static str, says: Says| {
        let p = says.p.or_else(|| traced(&says.word, when == "after"));
        let width = format!("width:{:.1}%", 100.0 * p.unwrap_or(0.0));
        let class = match says.answer {
            Some(false) => "",
            Some(true) => "new",
            None => "other",
        };
        view! {
            <div class="answer">
                <span class="when">{when}</span>
                <b class=class title=says.word.clone()>{words::short(&says.word, 14)}</b>
                <span class="meter" class:unknown=p.is_none() aria-hidden="true"><i class=class style=width></i></span>
                <span class="num">{p.map(words::percent_of)}</span>
            </div>
        }
    };
    let body = move || match shown.get() {
        Some((Shown { says: [before, after], .. }, _)) => {
            view! { {row("before", before)} {row("after", after)} }.into_any()
        }
        None if stale.with(Option::is_none) && editor.running.get().is_none() => {
            view! { <p class="then">"This prompt has not been edited yet."</p> }.into_any()
        }
        None => ().into_any(),
    };
    view! { <div class="answers" role="group" aria-label="Answers before and after">{body}</div> }
}
