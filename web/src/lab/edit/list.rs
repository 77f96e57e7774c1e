//! The edits in force: each can be taken back, and all together be saved.

use super::run::Editor;
use crate::components::{act, held, part};
use crate::figures::edited;
use crate::words;
use engram_core::protocol::Edited;
use leptos::prelude::*;

/// The list, and what taking back did.
#[component]
pub(super) fn InForce(editor: Editor) -> impl IntoView {
    let edits = editor.engine.edits;
    let one = move |edit: Edited| {
        let number = edit.edit;
        let line = edited::line(&edit);
        let label = format!("Take back edit {number}");
        let shown = move || editor.made.with(|made| made.as_ref().is_some_and(|made| made.edit == number));
        let show = move |_| editor.made.set(Some(edit.clone()));
        view! {
            <li>
                <button class="link" aria-pressed=held(move || shown().to_string()) on:click=act(show)>
                    {line}
                </button>
                <button aria-label=label on:click=act(move |_| editor.undo(Some(number)))>
                    "Take back"
                </button>
            </li>
        }
    };
    let list = move || {
        let all = edits.get();
        (!all.is_empty()).then(|| {
            let head = format!("{} in force", words::count(all.len(), "edit"));
            let several = all.len() > 1;
            view! {
                <h2>{head}</h2>
                <ol class="in-force">{all.into_iter().map(one).collect_view()}</ol>
                <p class="actions">
                    {several.then(|| view! { <button on:click=act(move |_| editor.undo(None))>"Take all back"</button> })}
                    <button on:click=act(move |_| editor.download())>"Download the change"</button>
                </p>
                <p class="faint">
                    "The file is safetensors: the two factors of each edit, to be added to the tensor that they name."
                </p>
            }
        })
    };
    view! {
        <section class="finding" aria-label="Edits in force">
            {part(list)}
            <p role="status">{part(move || editor.said.get())}</p>
        </section>
    }
}
