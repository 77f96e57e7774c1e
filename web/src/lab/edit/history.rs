//! The edits of this tab: those in force, which can be undone, and what became of the others.

use super::run::{Drawer, Editor};
use super::settings::drawer;
use crate::figures::edited;
use crate::figures::history::Past;
use crate::words;
use leptos::prelude::*;

/// The button that closes it.
const CLOSE: &str = "#panel-edit .drawer h2 button";

/// The drawer.
#[component]
pub(super) fn HistoryDrawer(editor: Editor) -> impl IntoView {
    drawer(editor, Drawer::History, "History", ["#edit-history", CLOSE], move || view! { <Lists editor=editor /> })
}

/// Both lists.
#[component]
fn Lists(editor: Editor) -> impl IntoView {
    // While an edit is made the engine is not free to take one out.
    let running = move || editor.running.get().is_some();
    let one = move |(place, number, line): (usize, u32, String)| {
        view! {
            <li>
                <Show editor=editor place=place line=line />
                <button
                    type="button"
                    disabled=running
                    aria-label=format!("Undo edit {number}")
                    on:click=move |_| editor.undo(Some(number))
                >
                    "Undo"
                </button>
            </li>
        }
    };
    let in_force = move || {
        let all: Vec<(usize, u32, String)> = editor.history.with(|history| {
            let line = |(place, past): (usize, &Past)| (place, past.edited.edit, edited::line(&past.edited));
            history.list(true).map(line).collect()
        });
        let head = match all.len() {
            0 => "No edit in force".to_owned(),
            count => format!("{} in force", words::count(count, "edit")),
        };
        let several = all.len() > 1;
        view! {
            <h3>{head}</h3>
            <ol class="edit-list">{all.into_iter().map(one).collect_view()}</ol>
            {several.then(|| view! {
                <button type="button" disabled=running on:click=move |_| editor.undo(None)>"Undo all"</button>
            })}
        }
    };
    let past = move || {
        let all: Vec<(usize, String, String)> = editor
            .history
            .with(|history| history.list(false).map(|(place, past)| (place, past.what(), past.words())).collect());
        let one = |(place, what, words): (usize, String, String)| {
            view! { <li><Show editor=editor place=place line=what /> <span class="help">{words}</span></li> }
        };
        (!all.is_empty()).then(|| {
            view! {
                <h3>"No longer in force"</h3>
                <ol class="edit-list">{all.into_iter().map(one).collect_view()}</ol>
            }
        })
    };
    view! { <section>{in_force} {past}</section> }
}

/// A line that shows its edit.
#[component]
fn Show(editor: Editor, place: usize, line: String) -> impl IntoView {
    let shown = move || editor.made.get() == Some(place);
    view! {
        <button type="button" class="link" aria-pressed=move || shown().to_string() on:click=move |_| editor.made.set(Some(place))>
            {line}
        </button>
    }
}
