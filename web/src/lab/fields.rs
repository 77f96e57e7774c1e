//! The fields of the edit's form.

use super::draft::Draft;

use crate::figures::question::Field;
use leptos::{ev, html, prelude::*};

/// Problems of a form, field by field.
pub(crate) type Problems = Signal<Vec<(Field, String)>>;

/// The prompt, and its subject, which can be selected there.
#[component]
pub(crate) fn PromptFields(
    /// The question.
    draft: Draft,
    /// What is wrong with it.
    #[prop(into)]
    problems: Problems,
    /// So that the fields of two forms have different ids.
    form: &'static str,
) -> impl IntoView {
    let area = NodeRef::<html::Textarea>::new();
    let use_selection = move |_| {
        let Some(area) = area.get_untracked() else { return };
        let [start, end] = [area.selection_start(), area.selection_end()].map(|at| at.ok().flatten().unwrap_or(0));
        let text = area.value();
        draft.change(|asked| asked.choose(&text, start, end));
    };
    let wrong = move |field: Field| move || problems.with(|all| all.iter().any(|(of, _)| *of == field).to_string());
    view! {
        <label for=format!("{form}-prompt")>"Prompt"</label>
        <textarea
            node_ref=area
            id=format!("{form}-prompt")
            rows="2"
            spellcheck="false"
            aria-invalid=wrong(Field::Prompt)
            aria-describedby=format!("{form}-prompt-why")
            prop:value=move || draft.asked.with(|asked| asked.prompt.clone())
            on:input:target=move |event| draft.retype(event.target().value())
        />
        <Why problems=problems field=Field::Prompt id=format!("{form}-prompt-why") />
        <label for=format!("{form}-subject")>"Subject, as it is written in the prompt, or as {} stands for it"</label>
        <div class="with-button">
            <input
                type="text"
                id=format!("{form}-subject")
                spellcheck="false"
                aria-invalid=wrong(Field::Subject)
                aria-describedby=format!("{form}-subject-why")
                prop:value=move || draft.asked.with(|asked| asked.subject.clone())
                on:input:target=move |event| {
                    let subject = event.target().value();
                    draft.change(|asked| asked.subject = subject);
                }
            />
            // Pressing it must not take the selection away before it is read.
            <button on:mousedown=|event: ev::MouseEvent| event.prevent_default() on:click=use_selection>
                "Use selection as subject"
            </button>
        </div>
        <Why problems=problems field=Field::Subject id=format!("{form}-subject-why") />
    }
}

/// Both answers.
#[component]
pub(crate) fn AnswerFields(
    /// The question.
    draft: Draft,
    /// What is wrong with it.
    #[prop(into)]
    problems: Problems,
    /// So that the fields of two forms have different ids.
    form: &'static str,
    /// Name and placeholder of the answer that the model gives.
    old: [&'static str; 2],
    /// Name and placeholder of the other one.
    new: [&'static str; 2],
) -> impl IntoView {
    view! {
        <div class="two">
            <div>
                <label for=format!("{form}-target")>{old[0]}</label>
                <input
                    type="text"
                    id=format!("{form}-target")
                    placeholder=old[1]
                    spellcheck="false"
                    aria-describedby=format!("{form}-answers-why")
                    prop:value=move || draft.asked.with(|asked| asked.target.clone())
                    on:input:target=move |event| {
                        let target = event.target().value();
                        draft.change(|asked| asked.target = target);
                    }
                />
            </div>
            <div>
                <label for=format!("{form}-new")>{new[0]}</label>
                <input
                    type="text"
                    id=format!("{form}-new")
                    placeholder=new[1]
                    spellcheck="false"
                    aria-describedby=format!("{form}-answers-why")
                    prop:value=move || draft.asked.with(|asked| asked.new.clone())
                    on:input:target=move |event| {
                        let new = event.target().value();
                        draft.change(|asked| asked.new = new);
                    }
                />
            </div>
        </div>
        <Why problems=problems field=Field::Answers id=format!("{form}-answers-why") />
    }
}

/// What is wrong with a field, and what to do.
#[component]
fn Why(problems: Problems, field: Field, id: String) -> impl IntoView {
    let said = move || {
        problems.with(|all| {
            let of_field = all.iter().filter(|(of, _)| *of == field);
            of_field.map(|(_, why)| why.clone()).collect::<Vec<_>>().join(" ")
        })
    };
    view! {
        <p class="why" id=id>
            {said}
        </p>
    }
}
