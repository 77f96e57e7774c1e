//! Why there is no GPU, and what to do about it; and what to do when the engine was lost.

use super::browser;
use super::copying::Copy;

use crate::figures::bundled::SMALLEST;
use crate::figures::trouble::{Advice, Step, advice, after, early, estimate};
use crate::lab::Engine;
use crate::words;
use engram_core::protocol::{ModelRef, Trouble};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// Why the device is not what a reader would expect, and what helps: on the screen of models and devices.
#[component]
pub(crate) fn Why(engine: Engine) -> impl IntoView {
    let report = Memo::new(move |_| {
        engine.device.with(|report| {
            let report = report.as_ref()?;
            let trouble = report.trouble?;
            // The title says it already.
            let why = Some(report.why.clone()).filter(|_| !matches!(trouble, Trouble::NoAdapter | Trouble::NoWebGpu));
            Some((trouble, why, estimate(report), report.info.kind == "cpu"))
        })
    });
    let shown = move || {
        let found = match report.get() {
            Some((trouble, why, estimate, cpu)) => {
                let instead =
                    cpu.then_some("The CPU computes instead, in WebAssembly: the same computation, only slower.");
                let said = view! {
                    <p>{instead} " Records can be opened and looked at without any device."</p>
                    {why.map(|why| view! { <p class="faint">{words::visible(&why)}</p> })}
                    {estimate.map(|text| view! { <p class="faint">{text}</p> })}
                };
                (advice(trouble), Some(said))
            }
            // Before there is an engine, the page knows only whether WebGPU exists at all.
            None => {
                let (secure, gpu) = browser::secure_and_gpu();
                let trouble = early(secure, gpu).filter(|_| engine.device.with(Option::is_none))?;
                (advice(trouble), None)
            }
        };
        let (advice, said) = found;
        Some(view! {
            <aside class="note" id="why-no-gpu" aria-label="About the device">
                <p><b>{advice.title}</b> "."</p>
                {said}
                <details>
                    <summary>"What helps"</summary>
                    <Steps advice=advice />
                </details>
            </aside>
        })
    };
    view! { <div role="status">{shown}</div> }
}

/// The same in one line, for the status bar; nothing where there is a GPU.
pub(crate) fn short(engine: Engine) -> Option<&'static str> {
    let troubled = engine.device.with(|report| report.as_ref().map(|report| report.trouble.is_some()));
    let (secure, gpu) = browser::secure_and_gpu();
    match troubled {
        Some(true) if !secure => {
            Some("no WebGPU, nothing is kept: this page came over plain http. Same numbers, slower")
        }
        Some(true) => Some("no WebGPU here: same numbers, slower"),
        None if !secure => Some("this page came over plain http: no WebGPU, nothing is kept"),
        None if !gpu => Some("no WebGPU here: same numbers, slower"),
        _ => None,
    }
}

/// What to do, step by step.
#[component]
fn Steps(advice: Advice) -> impl IntoView {
    let one = |step: Step| {
        let copy = step.copy.map(|text| {
            let name = format!("Copy {text}");
            view! { " " <code>{text}</code> " " <Copy label="Copy" name=name text=Callback::new(move |()| text.to_owned()) /> }
        });
        view! { <li>{step.text} {copy}</li> }
    };
    view! {
        <p>{advice.explanation}</p>
        <ol>{advice.steps.into_iter().map(one).collect_view()}</ol>
    }
}

/// What helps after the engine was lost, with the model that was loaded as a button.
#[component]
pub(crate) fn Lost(engine: Engine) -> impl IntoView {
    let last = StoredValue::new(None::<ModelRef>);
    Effect::new(move || {
        engine.model.with(|model| {
            if let Some(model) = model {
                last.set_value(Some(model.model.clone()));
            }
        });
    });
    let shown = Memo::new(move |_| {
        let problem = engine.problems.with(|problems| problems.iter().rev().find_map(after));
        problem.filter(|_| engine.model.with(Option::is_none) && engine.loading.with(Option::is_none))
    });
    let button = move |model: ModelRef, words: String, class: &'static str| {
        let press = move |_| {
            let model = model.clone();
            spawn_local(async move {
                if let Err(failure) = engine.load(model, Vec::new()).await {
                    engine.complain(failure);
                }
            });
        };
        view! { <button type="button" class=class on:click=press>{words}</button> }
    };
    let again = move |model: ModelRef| {
        let words = format!("Load {} again", words::visible(model.name()));
        // What was too large once may be so again.
        let small = ModelRef::Bundled { name: SMALLEST.name.into() };
        let instead = (small != model).then(|| {
            let words = format!("Load {} instead, {}", SMALLEST.name, words::parameters(SMALLEST.parameters));
            button(small, words, "")
        });
        view! { <p class="choices">{button(model, words, "primary")} {instead}</p> }
    };
    move || {
        let found = shown.get()?;
        let title = found.title;
        Some(view! {
            <aside class="note" aria-label=title>
                <details open>
                    <summary>
                        <b>{title}</b>
                    </summary>
                    <Steps advice=found />
                    {last.get_value().map(again)}
                </details>
            </aside>
        })
    }
}
