//! The keys of the maps, in a small dialog.

use leptos::{html, prelude::*};

/// What each key does.
const KEYS: [(&str, &str); 7] = [
    ("Tab", "to the next map"),
    ("← → ↑ ↓", "to the next layer or token"),
    ("Home, End", "to the first or last layer"),
    ("Page up, Page down", "to the first or last token"),
    ("Enter", "pin the cell, and look at its layer"),
    ("Esc", "release it"),
    ("?", "this list"),
];

/// The dialog; it opens when `open` becomes true, and sets it to false when it is closed.
#[component]
pub(super) fn Keys(open: RwSignal<bool>) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get().filter(|dialog| open.get() && !dialog.open()) {
            // It fails only on what is no longer on the page.
            let _ = dialog.show_modal();
        }
    });
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let line = |(key, what): (&'static str, &'static str)| view! { <dt><kbd>{key}</kbd></dt> <dd>{what}</dd> };
    view! {
        <dialog node_ref=dialog aria-label="Keys of the maps" on:close=move |_| open.set(false)>
            <h4>"Keys of the maps"</h4>
            <dl>{KEYS.map(line).into_iter().collect_view()}</dl>
            <button on:click=close>"Close"</button>
        </dialog>
    }
}
