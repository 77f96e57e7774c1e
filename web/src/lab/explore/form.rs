//! The question: prompt, subject, answers, model, corruption, and the button that runs it.

use super::run::{Explorer, Running, Source};

use crate::figures::choice::Way;
use crate::figures::question::Asked;
use crate::lab::chooser::{ModelSelect, Start};
use crate::lab::draft::Draft;
use crate::lab::fields::{AnswerFields, Problems, PromptFields};
use crate::lab::tokens::LiveTokens;
use crate::sample;
use crate::words;
use leptos::prelude::*;

/// The form.
#[component]
pub(super) fn Form(explorer: Explorer) -> impl IntoView {
    let (page, engine, draft) = (explorer.page, explorer.engine, explorer.draft);
    let problems: Problems = Signal::derive(move || draft.asked.with(Asked::problems));
    let label = Signal::derive(move || match draft.way() {
        Way::Run => "Run it here".to_owned(),
        _ => format!("Run it here, with {}", words::visible(draft.model().name())),
    });
    let progress = Signal::derive(move || match explorer.running.get() {
        Some(Running::Tracing(_)) => explorer.live.with(|live| live.as_ref()?.progress()),
        Some(Running::Loading) => Some("starting the engine…".to_owned()),
        None => None,
    });
    let edited = move || {
        let count = engine.edits.with(Vec::len);
        let (edits, are) = (words::count(count, "edit"), if count == 1 { "is" } else { "are" });
        let said = format!("{edits} {are} in force: what runs now asks the edited model.");
        (count > 0 && draft.way() == Way::Run).then(|| view! { <p class="faint">{said}</p> })
    };
    let running = Signal::derive(move || explorer.running.get().is_some());
    let noise = move |noise: bool, label: &'static str| {
        view! {
            <button
                aria-pressed=move || draft.asked.with(|asked| asked.noise == noise).to_string()
                on:click=move |_| draft.change(|asked| asked.noise = noise)
            >
                {label}
            </button>
        }
    };
    view! {
        <section class="question" aria-label="Question">
            <h2>"Ask a model"</h2>
            <Examples explorer=explorer />
            <PromptFields draft=draft problems=problems form="explore" />
            <LiveTokens engine=engine draft=draft known=Signal::derive(move || explorer.known()) />
            <AnswerFields
                draft=draft
                problems=problems
                form="explore"
                old=["True answer", "the model's own"]
                new=["Counter-answer", "the model's second"]
            />
            <div class="choices" role="group" aria-label="How the subject is hidden">
                <span class="label">"Hidden by"</span>
                {noise(false, "another name")}
                {noise(true, "noise of 3 σ")}
            </div>
            <WindowField draft=draft />
            <ModelSelect page=page engine=engine draft=draft form="explore" />
            <Start
                page=page
                engine=engine
                draft=draft
                label=label
                wrong=Signal::derive(move || problems.with(|all| !all.is_empty()))
                running=running
                progress=progress
                on_start=Callback::new(move |()| explorer.run())
                on_cancel=Callback::new(move |()| explorer.cancel())
            />
            {edited}
        </section>
    }
}

/// How many layers a cell of the MLP and attention maps restores.
#[component]
fn WindowField(draft: Draft) -> impl IntoView {
    let value = move || {
        draft.asked.with(|asked| match asked.window {
            0 => String::new(),
            window => window.to_string(),
        })
    };
    view! {
        <label for="explore-window">"Window of the MLP and attention maps, in layers"</label>
        <input
            type="number"
            id="explore-window"
            min="1"
            max="1000"
            step="1"
            placeholder="by the model’s depth: a third of its layers, odd; 10 from 30 layers on"
            prop:value=value
            on:change:target=move |event| {
                // What is no number is none.
                let window = event.target().value().parse().unwrap_or(0);
                draft.change(|asked| asked.window = window);
            }
        />
    }
}

/// Stored facts that can be looked at with one click.
#[component]
fn Examples(explorer: Explorer) -> impl IntoView {
    let all: Vec<(usize, String)> = explorer.stored.with_value(|record| {
        let facts = record.iter().flat_map(sample::mapped);
        facts.map(|(fact, _)| (fact.order, words::visible(&fact.subject))).collect()
    });
    let one = |(order, subject): (usize, String)| {
        let shown = move || (explorer.source.get() == Source::Stored(order)).to_string();
        view! {
            <button aria-pressed=shown on:click=move |_| explorer.show(order)>
                {subject}
            </button>
        }
    };
    view! {
        <div class="choices" role="group" aria-label="Stored results">
            <span class="label">"Stored results"</span>
            {all.into_iter().map(one).collect_view()}
        </div>
    }
}
