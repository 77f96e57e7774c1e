//! Models from elsewhere: a hub id or an address is checked first, and nothing is downloaded before somebody agrees.

use super::open::{busy, open};
use crate::components::About;

use crate::figures::preflight;
use crate::lab::Engine;
use crate::lab::engine::unexpected;
use crate::page::Page;
use crate::state::model_of;
use crate::words;
use engram_core::protocol::{Command, Event, Failure, FailureKind, ModelRef, Preflight};
use leptos::task::spawn_local;
use leptos::{ev, prelude::*};

/// A field for an id or an address, then the card that asks.
#[component]
pub(crate) fn Fetch(page: Page, engine: Engine) -> impl IntoView {
    let text = RwSignal::new(String::new());
    let field = NodeRef::<leptos::html::Input>::new();
    // A model that the address names, or another tab asks for, needs only the consent.
    Effect::new(move || {
        let named = page.lab.with(|lab| lab.model.clone());
        if matches!(model_of(&named), Some(ModelRef::Hub { .. } | ModelRef::Url { .. })) {
            text.set(named);
        }
    });
    let wrong = RwSignal::new(None::<Failure>);
    let checking = RwSignal::new(false);
    let found = RwSignal::new(None::<(ModelRef, Preflight)>);
    let check = move |event: ev::SubmitEvent| {
        event.prevent_default();
        wrong.set(None);
        found.set(None);
        let Some(model) = model_of(&text.get_untracked()) else {
            return wrong.set(Some(Failure {
                kind: FailureKind::Input,
                message: format!("“{}” is neither owner/name nor an address", words::visible(text.get_untracked().trim())),
                hint: Some(
                    "write owner/name as on Hugging Face, for example openai-community/gpt2 (owner/name:FILE.gguf for a GGUF file), or the https address of a .gguf file or of a folder with \
                     config.json, tokenizer.json and model.safetensors"
                        .into(),
                ),
            }));
        };
        checking.set(true);
        spawn_local(async move {
            match looked_at(engine, model.clone()).await {
                Ok(preflight) => found.set(Some((model, preflight))),
                Err(failure) if failure.cancelled() => {}
                Err(failure) => wrong.set(Some(failure)),
            }
            checking.set(false);
        });
    };
    let problem = move || {
        let failure = wrong.get()?;
        let hint = failure.hint.map(|hint| view! { <p>"hint: " {words::visible(&hint)}</p> });
        Some(view! { <div class="problem"><p><b>"error: "</b> {words::visible(&failure.message)}</p> {hint}</div> })
    };
    let card = move || {
        let (model, preflight) = found.get()?;
        // The card goes, and the focus with it: back to where it came from.
        let close = Callback::new(move |()| {
            found.set(None);
            if let Some(field) = field.get_untracked() {
                let _ = field.focus();
            }
        });
        Some(view! { <Consent page=page engine=engine model=model preflight=preflight close=close /> })
    };
    view! {
        <section>
            <h2>"From the web"</h2>
            <form class="choices" on:submit=check>
                <label class="field wide">
                    <span>"Hugging Face id or address"</span>
                    <input
                        node_ref=field
                        type="text"
                        autocomplete="off"
                        autocapitalize="off"
                        spellcheck="false"
                        placeholder="HuggingFaceTB/SmolLM2-135M"
                        prop:value=move || text.get()
                        on:input:target=move |event| text.set(event.target().value())
                    />
                </label>
                <button type="submit" disabled=move || checking.get() || busy(engine)>
                    "Check"
                </button>
                <span class="faint" role="status">
                    {move || checking.get().then_some("reading its configuration and headers…")}
                </span>
            </form>
            <p class="faint">
                "Checking reads a few kilobytes. The weights are downloaded only after you agree, straight from the server \
                 that you name; prompts and results stay in this tab."
            </p>
            <div role="alert">{problem}</div>
            {card}
        </section>
    }
}

/// The device is opened first: without its limits and its speed nobody knows whether a model fits.
async fn looked_at(engine: Engine, model: ModelRef) -> Result<Preflight, Failure> {
    engine.start().await?;
    let what = format!("checking {}", model.name());
    match engine.last(&what, Command::Preflight { model, precision: engine.asked() }).await? {
        (Event::Preflight(preflight), _) => Ok(preflight),
        _ => Err(unexpected()),
    }
}

/// What will be loaded, what it takes, and the question.
#[component]
fn Consent(page: Page, engine: Engine, model: ModelRef, preflight: Preflight, close: Callback<()>) -> impl IntoView {
    let name = words::visible(&preflight.name);
    let heading = NodeRef::<leptos::html::H3>::new();
    Effect::new(move || {
        if let Some(heading) = heading.get() {
            let _ = heading.focus();
        }
    });
    let list = |lines: &[String]| lines.iter().map(|line| view! { <li>{words::visible(line)}</li> }).collect_view();
    let problems = (!preflight.problems.is_empty()).then(|| {
        view! {
            <div class="problem">
                <p>
                    <b>"It cannot run here."</b>
                </p>
                <ul>{list(&preflight.problems)}</ul>
            </div>
        }
    });
    let remarks =
        (!preflight.remarks.is_empty()).then(|| view! { <ul class="remarks">{list(&preflight.remarks)}</ul> });
    let load = preflight::button(&preflight).map(|words| {
        let go = move |_| {
            close.run(());
            open(page, engine, model.clone(), Vec::new());
        };
        view! {
            <button type="button" class="primary" disabled=move || busy(engine) on:click=go>
                {words}
            </button>
        }
    });
    view! {
        <article class="card consent">
            <h3 node_ref=heading tabindex="-1">
                {name}
            </h3>
            {problems}
            <About lines=preflight::lines(&preflight) />
            {remarks}
            <p class="choices">
                {load}
                <button type="button" on:click=move |_| close.run(())>
                    "Cancel"
                </button>
            </p>
        </article>
    }
}
