//! What the model shall say: prompt, subject, both answers, layer, and the settings of the search.

use super::run::{Editor, Running};

use crate::figures::choice::Way;
use crate::figures::question::Asked;
use crate::lab::chooser::{ModelSelect, Start};
use crate::lab::fields::{AnswerFields, Problems, PromptFields};
use crate::lab::tokens::LiveTokens;
use crate::words;
use leptos::prelude::*;

/// Layers that are offered while no model is loaded.
const UNKNOWN: usize = 8;

/// The form.
#[component]
pub(super) fn Form(editor: Editor) -> impl IntoView {
    let (page, engine, draft) = (editor.page, editor.engine, editor.draft);
    let problems: Problems = Signal::derive(move || draft.asked.with(Asked::edit_problems));
    let label = Signal::derive(move || match draft.way() {
        Way::Run => "Edit it here".to_owned(),
        _ => format!("Edit it here, with {}", words::visible(draft.model().name())),
    });
    let progress = Signal::derive(move || {
        editor.curve.with(|curve| match curve.points.last() {
            None if editor.running.get() == Some(Running::Loading) => Some("starting the engine…".to_owned()),
            None => Some("preparing…".to_owned()),
            Some((step, _)) if *step == curve.of => Some("measuring what it did…".to_owned()),
            Some((step, _)) => Some(format!("step {step} of {}", curve.of)),
        })
    });
    view! {
        <section class="question" aria-label="Edit">
            <h2>"Rewrite a fact"</h2>
            <p class="faint">
                "ROME changes one matrix of one layer by a rank-one update, so that the subject leads to another answer. \
                 Weights are changed in this tab only, and every edit can be taken back."
            </p>
            <PromptFields draft=draft problems=problems form="edit" />
            <LiveTokens engine=engine draft=draft known=Signal::derive(|| None) />
            <AnswerFields
                draft=draft
                problems=problems
                form="edit"
                old=["Present answer", "the model's own"]
                new=["New answer", "what it should say"]
            />
            <ModelSelect page=page engine=engine draft=draft form="edit" />
            <LayerSelect editor=editor />
            <Search editor=editor />
            <Start
                page=page
                engine=engine
                draft=draft
                label=label
                wrong=Signal::derive(move || problems.with(|all| !all.is_empty()))
                running=Signal::derive(move || editor.running.get().is_some())
                progress=progress
                on_start=Callback::new(move |()| editor.run())
                on_cancel=Callback::new(move |()| editor.cancel())
            />
        </section>
    }
}

/// Which layer is edited.
#[component]
fn LayerSelect(editor: Editor) -> impl IntoView {
    let lab = editor.page.lab;
    let layers = Memo::new(move |_| {
        editor.engine.model.with(|model| model.as_ref().map(|model| model.info.layers)).unwrap_or(UNKNOWN)
    });
    let chosen = Memo::new(move |_| lab.with(|lab| lab.edit.layer));
    let options = move || {
        let now = chosen.get();
        let one = |layer: usize| {
            view! {
                <option value=layer.to_string() selected=now == Some(layer)>
                    {format!("layer {layer}")}
                </option>
            }
        };
        // A layer of the address is offered before it is known whether the model has it; the engine says so if not.
        (1..=layers.get().max(now.unwrap_or(0))).map(one).collect_view()
    };
    view! {
        <div class="inline"><label for="edit-layer">"Layer"</label>
        <select
            id="edit-layer"
            on:change:target=move |event| {
                let value = event.target().value();
                lab.update(|lab| lab.edit.read("at", &value));
            }
        >
            <option value="" selected=move || chosen.get().is_none()>
                "the fact's dominant layer"
            </option>
            {options}
        </select></div>
    }
}

/// Settings of the search for v*.
#[component]
fn Search(editor: Editor) -> impl IntoView {
    let lab = editor.page.lab;
    let field = move |name: &'static str, label: &'static str, value: fn(&crate::wish::EditWish) -> String| {
        view! {
            <div>
                <label for=format!("edit-{name}")>{label}</label>
                <input
                    type="text"
                    inputmode="decimal"
                    id=format!("edit-{name}")
                    prop:value=move || lab.with(|lab| value(&lab.edit))
                    on:change:target=move |event| {
                        let input = event.target();
                        lab.update(|lab| lab.edit.read(name, &input.value()));
                        // A value that makes no sense gives way to the one that holds.
                        input.set_value(&lab.with_untracked(|lab| value(&lab.edit)));
                    }
                />
            </div>
        }
    };
    view! {
        <details class="numbers">
            <summary>"Settings of the search"</summary>
            <p class="faint">
                "The new MLP output is searched by SPSA: a random step to either side, and a move towards the better one."
            </p>
            <div class="four">
                {field("steps", "Steps", |wish| wish.spsa.steps.to_string())}
                {field("epsilon", "Perturbation ε", |wish| wish.spsa.epsilon.to_string())}
                {field("eta", "Step size η", |wish| wish.spsa.eta.to_string())}
                {field("seed", "Seed", |wish| wish.seed.to_string())}
            </div>
        </details>
    }
}
