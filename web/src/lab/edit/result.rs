//! What an edit did: the finding, its checks, its price, and what the model says now.

use super::again::Both;
use super::run::Editor;
use crate::components::edit::{CheckBar, EditFinding, Price};
use crate::components::{BeforeAfter, LossChart};
use crate::figures::about;
use crate::figures::choice::Way;
use crate::figures::edited::Shown;
use crate::figures::history::Fate;
use leptos::prelude::*;

/// What a reader must know first.
#[component]
pub(super) fn Notices(editor: Editor, stale: Memo<Option<String>>) -> impl IntoView {
    let old = move || {
        stale.get().map(|said| {
            view! {
                <p class="notice">
                    <span>"⚠ " {said}</span>
                    <button type="button" on:click=move |_| editor.restore()>"Restore that prompt"</button>
                </p>
            }
        })
    };
    let undone = move || editor.said.get().map(|said| view! { <p class="origin">{said}</p> });
    view! { <div role="status">{old} {undone}</div> }
}

/// What came of it.
#[component]
pub(super) fn Result(editor: Editor, shown: Memo<Option<(Shown, bool)>>) -> impl IntoView {
    move || match shown.get() {
        Some((shown, stored)) => view! { <One shown=shown stored=stored editor=editor /> }.into_any(),
        None if editor.running.get().is_some() => ().into_any(),
        None => {
            let more = match editor.draft.way() {
                Way::Consent(_) => "It asks a model that is not loaded. Load it first; then the edit is made.",
                _ => {
                    "Write what the model should say, and edit it here: its weights are changed in memory only, and every \
                      edit can be undone."
                }
            };
            view! {
                <section class="finding" aria-label="Finding">
                    <h2>{if editor.edited() { "This prompt has not been edited yet." } else { "Nothing was edited yet." }}</h2>
                    <p class="more">{more}</p>
                </section>
            }
            .into_any()
        }
    }
}

/// One edit.
#[component]
fn One(shown: Shown, stored: bool, editor: Editor) -> impl IntoView {
    let Shown { answers: [_, new], finding, checks, price, paper, notes, curve, said, .. } = shown;
    let origin = move || match editor.past().filter(|_| !stored) {
        Some(past) => format!("Edited here. {}", past.fate.words()),
        None => {
            let made = editor.stored.with_value(|record| record.as_ref().map(about::made));
            format!("Stored result: {}. It was undone after it was measured.", made.unwrap_or_default())
        }
    };
    let undone =
        move || !stored && editor.past().is_some_and(|past| matches!(past.fate, Fate::Undone { .. } | Fate::Ended));
    let note = |note: String| view! { <p>{note}</p> };
    view! {
        <section class="finding" aria-label="Finding" aria-live="polite">
            <EditFinding finding=finding undone=Signal::derive(undone) />
            <p class="origin">{origin}</p>
        </section>
        <CheckBar checks=checks />
        <section aria-label="Price of the edit"><Price groups=price new=new /></section>
        {(!stored).then(|| view! { <Both editor=editor /> })}
        {said.map(|(prompt, said)| view! {
            <section class="texts" aria-label="What the model writes">
                <h2>"What the model writes"</h2>
                <BeforeAfter prompt=prompt said=said />
            </section>
        })}
        <details class="numbers measures">
            <summary>"Search and further measures"</summary>
            <LossChart curve=Signal::stored(curve) />
            <p>{paper}</p>
            {notes.into_iter().map(note).collect_view()}
        </details>
    }
}
