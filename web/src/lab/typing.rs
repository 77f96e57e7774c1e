//! The prompt and its subject as text.

use super::browser::focus_soon;
use super::draft::Draft;
use crate::figures::question::{Asked, Field};
use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;

/// Both fields. Enter goes on, Escape leaves.
#[component]
pub(crate) fn Typing(
    /// The question.
    draft: Draft,
    /// Whether the fields are wanted.
    typing: RwSignal<bool>,
    /// Called by Enter.
    go: Callback<()>,
    /// So that two screens have different ids.
    form: &'static str,
) -> impl IntoView {
    let leave = move || {
        typing.set(false);
        focus_soon(&format!("#{form}-edit-prompt"));
    };
    let problems = Memo::new(move |_| draft.asked.with(Asked::problems));
    let wrong = move |field: Field| move || problems.with(|all| all.iter().any(|(of, _)| *of == field).to_string());
    let input = NodeRef::<html::Input>::new();
    Effect::new(move |before: Option<()>| {
        if let Some(input) = input.get().filter(|_| before.is_none() && typing.get_untracked()) {
            let _ = input.focus();
        }
    });
    let in_field = |event: &ev::KeyboardEvent| {
        event.target().is_some_and(|target| target.dyn_into::<web_sys::HtmlInputElement>().is_ok())
    };
    let key = move |event: ev::KeyboardEvent| match event.key().as_str() {
        // On a button it presses the button.
        "Enter" if !in_field(&event) => {}
        "Enter" if problems.with_untracked(Vec::is_empty) && !event.is_composing() => {
            event.prevent_default();
            go.run(());
        }
        // What is to be mended is selected.
        "Enter" if !event.is_composing() => {
            event.prevent_default();
            let of = |field: Field| problems.with_untracked(|all| all.iter().any(|(of, _)| *of == field));
            let field = match (of(Field::Prompt), of(Field::Subject)) {
                (true, _) => "prompt",
                (false, true) => "subject",
                (false, false) => return,
            };
            let field = document().get_element_by_id(&format!("{form}-{field}"));
            if let Some(field) = field.and_then(|field| field.dyn_into::<web_sys::HtmlInputElement>().ok()) {
                let _ = field.focus();
                field.select();
            }
        }
        "Escape" => {
            event.prevent_default();
            leave();
        }
        _ => {}
    };
    let use_selection = move |_| {
        let Some(input) = input.get_untracked() else { return };
        let [start, end] = [input.selection_start(), input.selection_end()].map(|at| at.ok().flatten().unwrap_or(0));
        let text = input.value();
        draft.change(|asked| asked.choose(&text, start, end));
    };
    let said = move || problems.with(|all| all.iter().map(|(_, why)| why.clone()).collect::<Vec<_>>().join(" "));
    view! {
        <div class="typing" on:keydown=key>
            <div>
                <label for=format!("{form}-prompt")>"Prompt, up to where the answer follows"</label>
                <input
                    node_ref=input
                    type="text"
                    id=format!("{form}-prompt")
                    spellcheck="false"
                    autocomplete="off"
                    aria-invalid=wrong(Field::Prompt)
                    aria-describedby=format!("{form}-why")
                    prop:value=move || draft.asked.with(|asked| asked.prompt.clone())
                    on:input:target=move |event| {
                        // Once somebody types, the fields stay.
                        typing.set(true);
                        draft.retype(event.target().value());
                    }
                />
            </div>
            <div>
                <label for=format!("{form}-subject")>"Subject"</label>
                <input
                    type="text"
                    id=format!("{form}-subject")
                    spellcheck="false"
                    autocomplete="off"
                    aria-invalid=wrong(Field::Subject)
                    aria-describedby=format!("{form}-why")
                    prop:value=move || draft.asked.with(|asked| asked.subject.clone())
                    on:input:target=move |event| {
                        typing.set(true);
                        let subject = event.target().value();
                        draft.change(|asked| asked.subject = subject);
                    }
                />
            </div>
            <p class="why" id=format!("{form}-why")>{said}</p>
            // Pressing it must not take the selection away before it is read.
            <p class="actions">
                <button type="button" on:mousedown=|event: ev::MouseEvent| event.prevent_default() on:click=use_selection>
                    "Use selection as subject"
                </button>
                <button type="button" class="quiet" on:click=move |_| leave()>"Show tokens"</button>
            </p>
        </div>
    }
}
