//! The edits of this tab: those in force, which can be taken back and saved, and what became of the others.

use super::run::Editor;

use crate::figures::edited;
use crate::figures::history::Past;
use crate::words;
use leptos::prelude::*;

/// The list, and what taking back did.
#[component]
pub(super) fn InForce(editor: Editor) -> impl IntoView {
    let one = move |place: usize, number: u32, line: String| {
        let label = format!("Take back edit {number}");
        view! {
            <li>
                <Show editor=editor place=place line=line />
                <button aria-label=label on:click=move |_| editor.undo(Some(number))>
                    "Take back"
                </button>
            </li>
        }
    };
    let list = move || {
        let all: Vec<(usize, u32, String)> = editor.history.with(|history| {
            let line = |(place, past): (usize, &Past)| (place, past.edited.edit, edited::line(&past.edited));
            history.list(true).map(line).collect()
        });
        (!all.is_empty()).then(|| {
            let head = format!("{} in force", words::count(all.len(), "edit"));
            let several = all.len() > 1;
            view! {
                <h2>{head}</h2>
                <ol class="in-force">{all.into_iter().map(|(place, number, line)| one(place, number, line)).collect_view()}</ol>
                <p class="actions">
                    {several.then(|| view! { <button on:click=move |_| editor.undo(None)>"Take all back"</button> })}
                    <button on:click=move |_| editor.download()>"Download the change"</button>
                </p>
                <p class="faint">
                    "The file is safetensors: the two factors of each edit, to be added to the tensor that they name."
                </p>
            }
        })
    };
    let past = move || {
        let all: Vec<(usize, String, String)> = editor
            .history
            .with(|history| history.list(false).map(|(place, past)| (place, past.what(), past.words())).collect());
        let one = |(place, what, words): (usize, String, String)| {
            view! { <li><Show editor=editor place=place line=what /> <span class="faint">{words}</span></li> }
        };
        (!all.is_empty()).then(|| {
            view! {
                <h2>"No longer in force"</h2>
                <ol class="history">{all.into_iter().map(one).collect_view()}</ol>
            }
        })
    };
    view! {
        <section class="finding" aria-label="Edits of this tab">
            {list}
            <p role="status">{move || editor.said.get()}</p>
            {past}
        </section>
    }
}

/// A line that shows its edit.
#[component]
fn Show(editor: Editor, place: usize, line: String) -> impl IntoView {
    let shown = move || editor.made.get() == Some(place);
    view! {
        <button
            class="link"
            aria-pressed=move || shown().to_string()
            on:click=move |_| editor.made.set(Some(place))
        >
            {line}
        </button>
    }
}
