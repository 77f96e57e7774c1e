//! The drawer of the next edit.

use super::form::Form;
use super::run::{Drawer, Editor};
use crate::lab::browser::focus_soon;
use leptos::{ev, prelude::*};

/// A drawer that Escape closes; the focus goes to what is first in it, and back to its button.
pub(super) fn drawer<V: IntoView + 'static>(
    editor: Editor,
    which: Drawer,
    name: &'static str,
    [button, first]: [&'static str; 2],
    body: impl Fn() -> V + Copy + Send + 'static,
) -> impl IntoView {
    let open = Memo::new(move |_| editor.drawer.get() == Some(which));
    let close = move || {
        editor.drawer.set(None);
        focus_soon(button);
    };
    let listener = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" && open.get_untracked() && !event.default_prevented() {
            close();
        }
    });
    on_cleanup(move || listener.remove());
    Effect::new(move |_| {
        if open.get() {
            focus_soon(first);
        }
    });
    move || {
        open.get().then(|| view! {
            <aside class="drawer" aria-label=name>
                <h2>{name} <button type="button" class="quiet" aria-label=format!("Close {}", name.to_lowercase()) on:click=move |_| close()>"Close"</button></h2>
                {body()}
            </aside>
        })
    }
}

/// What the next edit shall do.
#[component]
pub(super) fn Settings(editor: Editor) -> impl IntoView {
    drawer(
        editor,
        Drawer::Settings,
        "Edit again",
        ["#edit-again", "#edit-new"],
        move || view! { <Form editor=editor /> },
    )
}
