//! What the model shall say: both answers, the layer, and the settings of the search.

use super::run::Editor;
use crate::figures::asking::method_told;
use crate::figures::choice::Way;
use crate::figures::question::{Asked, Field};
use crate::lab::Tab;
use crate::wish::EditWish;
use crate::words;
use engram_core::metrics::OwnLayer;
use engram_core::record::EditMethod;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Layers that are offered while no model is loaded.
const UNKNOWN: usize = 8;

/// The form: what the model should say, and beneath it, folded, how that is reached.
#[component]
pub(super) fn Form(editor: Editor) -> impl IntoView {
    let draft = editor.draft;
    let problems = Memo::new(move |_| draft.asked.with(Asked::edit_problems));
    let wrong = Memo::new(move |_| problems.with(|all| !all.is_empty()));
    let typed = RwSignal::new(false);
    let why = move || {
        // Nobody has made a mistake before anything was typed.
        let empty = draft.asked.with(|asked| asked.new.trim().is_empty());
        let told = typed.get() || !empty;
        let of_answers = problems.get().into_iter().filter(|(field, _)| *field == Field::Answers && told);
        of_answers.map(|(_, why)| why).collect::<Vec<_>>().join(" ")
    };
    let key = move |event: ev::KeyboardEvent| {
        let field = event.target().is_some_and(|target| target.dyn_into::<web_sys::HtmlInputElement>().is_ok());
        if event.key() == "Enter" && field && !event.is_composing() && !wrong.get_untracked() {
            event.prevent_default();
            // What is being typed is taken over first.
            if let Some(field) =
                document().active_element().and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok())
            {
                let _ = field.blur();
            }
            start(editor);
        }
    };
    let own = move || match editor.own_answer() {
        Some(answer) => format!("{} (the model’s own)", words::short(&answer, 18)),
        None => "the model’s own".to_owned(),
    };
    view! {
        <div class="edit-form" on:keydown=key>
            <div class="setting">
                <label for="edit-new">"Counterfactual answer"</label>
                <input
                    type="text"
                    id="edit-new"
                    placeholder="what the model should say"
                    spellcheck="false"
                    autocomplete="off"
                    aria-describedby="edit-answers-why"
                    prop:value=move || draft.asked.with(|asked| asked.new.clone())
                    on:input:target=move |event| {
                        let new = event.target().value();
                        typed.set(true);
                        draft.change(|asked| asked.new = new);
                    }
                />
            </div>
            <div class="setting">
                <label for="edit-target">"True answer"</label>
                <input
                    type="text"
                    id="edit-target"
                    placeholder=own
                    spellcheck="false"
                    autocomplete="off"
                    prop:value=move || draft.asked.with(|asked| asked.target.clone())
                    on:input:target=move |event| {
                        let target = event.target().value();
                        draft.change(|asked| asked.target = target);
                    }
                />
            </div>
            <LayerSelect editor=editor />
            <div class="start"><Start editor=editor wrong=wrong /></div>
            <p class="why" id="edit-answers-why" role="status">{why}</p>
            <details class="how">
                <summary>"Method and search"</summary>
                <MethodSelect editor=editor />
                <Search editor=editor />
            </details>
        </div>
    }
}

/// Makes the edit, or shows where its model is loaded.
fn start(editor: Editor) {
    match untrack(move || editor.draft.way()) {
        // A download is agreed to where it is told what it takes.
        Way::Consent(_) => editor.page.lab.update(|lab| lab.tab = Tab::Models),
        Way::Run | Way::Fetch => editor.run(),
    }
}

/// The button: what it does depends on the model.
#[component]
fn Start(editor: Editor, wrong: Memo<bool>) -> impl IntoView {
    let label = move || match editor.draft.way() {
        Way::Consent(name) => format!("Load {} first…", words::short(&words::visible(&name), 24)),
        _ => "Edit it here".to_owned(),
    };
    let blocked = move || wrong.get() && !matches!(editor.draft.way(), Way::Consent(_));
    view! {
        <button type="button" class="primary" disabled=blocked on:click=move |_| start(editor)>{label}</button>
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
        <div class="setting"><label for="edit-layer">"Layer"</label>
        <select
            id="edit-layer"
            on:change:target=move |event| {
                let value = event.target().value();
                lab.update(|lab| lab.edit.read("at", &value));
            }
        >
            <option value="" selected=move || chosen.get().is_none()>
                {move || match editor.own_layer() {
                    Some(OwnLayer { layer, peak: true }) => format!("dominant layer ({layer})"),
                    Some(OwnLayer { layer, peak: false }) => format!("best layer ({layer}), no peak"),
                    None => "dominant layer".to_owned(),
                }}
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
        view! { <option value=name selected=move || chosen.get() == name>{method_told(name)}</option> }
    };
    view! {
        <div class="setting"><label for="edit-method">"Method"</label>
        <select
            id="edit-method"
            on:change:target=move |event| {
                let value = event.target().value();
                lab.update(|lab| lab.edit.read("method", &value));
            }
        >
            {EditMethod::NAMES.map(one).collect_view()}
        </select></div>
        <div class="setting" hidden=move || !chosen.get().ends_with("rome")>
            <label class="tick-box">
            <input
                type="checkbox"
                id="edit-c"
                prop:checked=move || covariance.get()
                on:change:target=move |event| {
                    let value = if event.target().checked() { "text" } else { "identity" };
                    lab.update(|lab| lab.edit.read("c", value));
                }
            />
            "Weigh the key by what the model usually reads (C)"
            </label>
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
            <p class="help">
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
    }
}
