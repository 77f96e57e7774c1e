//! What the model shall say: prompt, subject, both answers, layer, and the settings of the search.

use super::run::{Editor, Running};

use crate::figures::choice::Way;
use crate::figures::question::Asked;
use crate::lab::chooser::{ModelSelect, Start};
use crate::lab::fields::{AnswerFields, Problems, PromptFields};
use crate::lab::tokens::LiveTokens;
use crate::wish::EditWish;
use crate::words;
use engram_core::record::EditMethod;
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
        if let Some((done, of)) = editor.reading.get() {
            return Some(format!("reading a text for C: {done} of {of} tokens"));
        }
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
                "An edit changes the weights of one layer, or of several, so that the subject leads to another answer. \
                 Weights are changed in this tab only, and every edit can be taken back."
            </p>
            <PromptFields draft=draft problems=problems form="edit" />
            <LiveTokens engine=engine draft=draft />
            <AnswerFields
                draft=draft
                problems=problems
                form="edit"
                old=["Present answer", "the model's own"]
                new=["New answer", "what it should say"]
            />
            <ModelSelect page=page engine=engine draft=draft form="edit" />
            <LayerSelect editor=editor />
            <MethodSelect editor=editor />
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

/// How the edit is found.
#[component]
fn MethodSelect(editor: Editor) -> impl IntoView {
    let lab = editor.page.lab;
    let chosen = Memo::new(move |_| lab.with(|lab| lab.edit.method.name()));
    let covariance = Memo::new(move |_| lab.with(|lab| lab.edit.method.needs_second_moment()));
    let one = move |name: &'static str| {
        let told = match name {
            "spsa" => "SPSA (the paper's, without gradients)",
            "rome" => "ROME as published",
            "r-rome" => "R-ROME (one key throughout)",
            "memit" => "MEMIT (several layers)",
            "alphaedit" => "AlphaEdit (several layers, in the null space)",
            "ft-m" => "FT-M (fine-tuning of the layer)",
            "lora" => "LoRA (fine-tuning, low rank)",
            "ultraedit" => "UltraEdit (one gradient, closed form)",
            _ => "P-ROME (the bare prompt's key)",
        };
        view! { <option value=name selected=move || chosen.get() == name>{told}</option> }
    };
    view! {
        <div class="inline"><label for="edit-method">"Method"</label>
        <select
            id="edit-method"
            on:change:target=move |event| {
                let value = event.target().value();
                lab.update(|lab| lab.edit.read("method", &value));
            }
        >
            {EditMethod::NAMES.map(one).collect_view()}
        </select></div>
        <div class="inline" hidden=move || !chosen.get().ends_with("rome")>
            <input
                type="checkbox"
                id="edit-c"
                prop:checked=move || covariance.get()
                on:change:target=move |event| {
                    let value = if event.target().checked() { "text" } else { "identity" };
                    lab.update(|lab| lab.edit.read("c", value));
                }
            />
            <label for="edit-c">"weigh the key by what the model usually reads (C)"</label>
        </div>
    }
}

/// A setting of a search.
fn label(name: &str) -> &'static str {
    match name {
        "steps" => "Steps",
        "layers" => "Layers",
        "batch" => "Facts of a batch",
        "rank" => "Rank",
        "epsilon" => "Perturbation ε",
        "eta" => "Step size η",
        "lr" => "Learning rate",
        "decay" => "Weight of the length",
        "kl" => "Weight of the divergence",
        "clamp" => "Largest length",
        "lambda" => "Weight of C (λ)",
        "threshold" => "Threshold of the null space",
        "l2" => "Ridge of the update",
        "alpha" => "Scale (α)",
        _ => "Loss to stop at",
    }
}

/// Settings of the search for v*.
#[component]
fn Search(editor: Editor) -> impl IntoView {
    let lab = editor.page.lab;
    let field = move |name: &'static str, label: &'static str| {
        let value = move |wish: &EditWish| match name {
            "steps" => wish.method.steps().to_string(),
            "seed" => wish.seed.to_string(),
            _ => {
                let numbers = wish.method.numbers().into_iter().map(|(own, value)| (own, value.to_string()));
                let counts = wish.method.counts().into_iter().map(|(own, value)| (own, value.to_string()));
                numbers.chain(counts).find(|(own, _)| *own == name).map(|(_, value)| value).unwrap_or_default()
            }
        };
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
    let kind = Memo::new(move |_| lab.with(|lab| lab.edit.method.name()));
    let numbers = move || {
        kind.get();
        let method = lab.with_untracked(|lab| lab.edit.method);
        let counts = method.counts().into_iter().map(|(name, _)| name);
        let names = counts.chain(method.numbers().into_iter().map(|(name, _)| name));
        names.map(|name| field(name, label(name))).collect_view()
    };
    view! {
        <details class="numbers">
            <summary>"Settings of the search"</summary>
            <p class="faint">
                {move || match kind.get() {
                    "spsa" => {
                        "The new MLP output is searched by SPSA: a random step to either side, and a move towards the \
                         better one."
                    }
                    "ft-m" | "lora" => {
                        "The weights of the layer's down_proj themselves are trained (Adam) until they give the new answer."
                    }
                    "ultraedit" => {
                        "Nothing is searched: one gradient of the new answer's loss, and a ridge regression."
                    }
                    _ => {
                        "The new MLP output is searched by gradients (Adam), over the prompt and twenty contexts; what \
                         the model says of the subject itself is held in place."
                    }
                }}
            </p>
            <div class="four">
                {numbers}
                {field("seed", "Seed")}
            </div>
        </details>
    }
}
