//! The prompt as tokens, the button that edits it again, and the way back.

use super::run::{Drawer, Editor};
use crate::figures::question::{Asked, Field};
use crate::lab::browser::focus_soon;
use crate::lab::examples::Examples;
use crate::lab::prompt::{TokenRow, row_of};
use crate::lab::tokens;
use crate::lab::typing::Typing;
use leptos::prelude::*;

/// The row of tokens, or the fields to type in, with what can be done.
#[component]
pub(super) fn Prompt(editor: Editor) -> impl IntoView {
    let draft = editor.draft;
    let typing = RwSignal::new(draft.asked.with_untracked(|asked| asked.prompt.is_empty()));
    // What is asked of the model is still to be said.
    let go = Callback::new(move |()| {
        typing.set(false);
        if !editor.fresh() {
            editor.drawer.set(Some(Drawer::Settings));
        }
        focus_soon("#edit-new");
    });
    // A prompt or subject that is wrong can only be mended in the fields.
    let shut = Memo::new(move |_| {
        draft.asked.with(|asked| asked.problems().iter().all(|(field, _)| *field == Field::Answers))
    });
    let open = Memo::new(move |_| typing.get() || !shut.get());
    // Once it runs, nothing is typed.
    let runs = Memo::new(move |_| editor.running.get().is_some());
    Effect::new(move |_| {
        if runs.get() {
            typing.set(false);
        }
    });
    let live = tokens::reading(editor.engine, draft);
    let all = Memo::new(move |_| {
        let asked: Asked = draft.asked.get();
        let prompt = asked.filled();
        let traced = editor.before().filter(|record| record.model.name == draft.model().name()).and_then(|record| {
            let fact = record.facts.into_iter().next().filter(|fact| fact.prompt == prompt)?;
            fact.traced().map(|traced| (traced.tokens.clone(), Vec::new()))
        });
        row_of(&asked, live, traced)
    });
    let count = Memo::new(move |_| editor.engine.edits.with(Vec::len));
    let edited = move || match count.get() {
        0 => None,
        count => Some(view! { <span class="edited">{format!("edited, {count} in force")}</span> }),
    };
    view! {
        <div class="runs">
            <div class="names"><span>"Prompt"</span> {edited}</div>
            {move || match open.get() {
                false => view! { <TokenRow all=all draft=draft typing=typing form="edit" /> }.into_any(),
                true => view! { <Typing draft=draft typing=typing go=go form="edit" /> }.into_any(),
            }}
            <div class="act">
                <Go editor=editor />
                <Back editor=editor />
            </div>
        </div>
    }
}

/// The filled button, unless the form below has it.
#[component]
fn Go(editor: Editor) -> impl IntoView {
    let fresh = Memo::new(move |_| editor.fresh());
    let running = Memo::new(move |_| editor.running.get().is_some());
    let open = move || editor.drawer.get() == Some(Drawer::Settings);
    let toggle = move |_| {
        let next = (editor.drawer.get_untracked() != Some(Drawer::Settings)).then_some(Drawer::Settings);
        editor.drawer.set(next);
    };
    move || {
        match (running.get(), fresh.get()) {
        (true, _) => view! { <button type="button" class="primary" on:click=move |_| editor.cancel()>"Stop"</button> }.into_any(),
        (false, true) => ().into_any(),
        (false, false) => view! {
            <button type="button" class="primary" id="edit-again" aria-expanded=move || open().to_string() on:click=toggle>
                "Edit again…"
            </button>
        }
        .into_any(),
    }
    }
}

/// Undo, the edits of this tab, and stored ones.
#[component]
fn Back(editor: Editor) -> impl IntoView {
    let in_force = Memo::new(move |_| editor.in_force());
    let open = move || editor.drawer.get() == Some(Drawer::History);
    let toggle = move |_| {
        let next = (editor.drawer.get_untracked() != Some(Drawer::History)).then_some(Drawer::History);
        editor.drawer.set(next);
    };
    let undo = move || {
        in_force.get().map(|number| {
            // While an edit is made the engine is not free to take one out.
            let running = move || editor.running.get().is_some();
            view! { <button type="button" disabled=running on:click=move |_| editor.undo(Some(number))>"Undo"</button> }
        })
    };
    let examples = editor.examples();
    let show = Callback::new(move |order| editor.show(order));
    let history = move || {
        editor.edited().then(|| view! {
            <button type="button" id="edit-history" aria-expanded=move || open().to_string() on:click=toggle>"History"</button>
        })
    };
    view! {
        <p class="more">
            {undo}
            {history}
            <Examples all=examples show=show form="edit" />
        </p>
    }
}
