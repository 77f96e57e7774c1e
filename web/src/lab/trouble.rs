//! Why there is no GPU, and what to do about it; and what to do when the engine was lost.

use super::browser;
use super::copying::Copy;

use crate::figures::trouble::{Advice, Step, advice, after, early, estimate};
use crate::lab::Engine;
use crate::words;
use engram_core::protocol::ModelRef;
use leptos::prelude::*;
use leptos::task::spawn_local;

/// Shown while the device is not what a reader would expect. Everything else stays usable.
#[component]
pub(crate) fn Banner(engine: Engine) -> impl IntoView {
    let closed = RwSignal::new(false);
    let (secure, gpu) = browser::secure_and_gpu();
    // Before there is an engine, the page knows only whether WebGPU exists at all.
    let before = move || {
        let trouble = early(secure, gpu).filter(|_| engine.device.with(Option::is_none) && !closed.get())?;
        let found = advice(trouble);
        Some(view! {
            <aside class="note" aria-label="About this browser">
                <details>
                    <summary>
                        {found.title} ". Results can be looked at all the same, and bundled models run on the CPU."
                    </summary>
                    <Steps advice=found />
                </details>
                <Close closed=closed />
            </aside>
        })
    };
    let report = Memo::new(move |_| {
        engine.device.with(|report| {
            let report = report.as_ref()?;
            Some((report.trouble?, report.why.clone(), estimate(report), report.info.kind == "cpu"))
        })
    });
    Effect::new(move || {
        if report.with(Option::is_some) {
            closed.set(false);
        }
    });
    let known = move || {
        let (trouble, why, estimate, cpu) = report.get().filter(|_| !closed.get())?;
        let found = advice(trouble);
        let instead = cpu.then_some("The CPU computes instead, in WebAssembly: the same computation, only slower.");
        Some(view! {
            <aside class="note" aria-label="About the device">
                <p>
                    <b>{found.title}</b>
                    ". "
                    {instead}
                    " Records can be opened and looked at without any device."
                </p>
                <p class="faint">{words::visible(&why)}</p>
                {estimate.map(|text| view! { <p class="faint">{text}</p> })}
                <details>
                    <summary>"What helps"</summary>
                    <Steps advice=found />
                </details>
                <Close closed=closed />
            </aside>
        })
    };
    view! {
        {before}
        <div role="status">{known}</div>
        <Lost engine=engine />
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

#[component]
fn Close(closed: RwSignal<bool>) -> impl IntoView {
    view! {
        <button type="button" class="close" aria-label="Close this note" on:click=move |_| closed.set(true)>
            "×"
        </button>
    }
}

/// What helps after the engine was lost, with the model that was loaded as a button.
#[component]
fn Lost(engine: Engine) -> impl IntoView {
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
    let again = move |model: ModelRef| {
        let words = format!("Load {} again", words::visible(model.name()));
        let press = move |_| {
            let model = model.clone();
            spawn_local(async move {
                if let Err(failure) = engine.load(model, Vec::new()).await {
                    engine.complain(failure);
                }
            });
        };
        view! {
            <p class="choices">
                <button type="button" class="primary" on:click=press>
                    {words}
                </button>
            </p>
        }
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
