//! The prompt as tokens: a click or a drag over some makes them the subject. What stands in their place in the corrupted run is
//! beneath them.

use super::maps::{Maps, replaced_by};
use super::pinned::PinLine;
use super::run::{Running, Tracer};
use crate::figures::choice::Way;
use crate::figures::question::Field;
use crate::figures::trace;
use crate::lab::Tab;
use crate::lab::examples::Examples;
use crate::lab::prompt::{Instead, Token, TokenRow, row_of};
use crate::lab::tokens;
use crate::lab::typing::Typing;
use crate::words;
use leptos::prelude::*;

/// The row of tokens, or the fields to type in, and the button that runs it.
#[component]
pub(super) fn Prompt(
    tracer: Tracer,
    maps: Maps,
    settings: RwSignal<bool>,
    typing: RwSignal<bool>,
    go: Callback<()>,
) -> impl IntoView {
    let draft = tracer.draft;
    let wrong = Memo::new(move |_| draft.asked.with(|asked| !asked.problems().is_empty()));
    // A prompt or subject that is wrong can only be mended in the fields.
    let shut = Memo::new(move |_| {
        draft.asked.with(|asked| asked.problems().iter().all(|(field, _)| *field == Field::Answers))
    });
    let open = Memo::new(move |_| typing.get() || !shut.get());
    // Once, not with each change between tokens and fields: it keeps a timer.
    let live = tokens::reading(tracer.engine, draft);
    let all = Memo::new(move |_| shown(tracer, live));
    let show = Callback::new(move |order| {
        typing.set(false);
        tracer.show(order);
    });
    view! {
        <div class="runs">
            {move || match open.get() {
                false => view! {
                    <div class="names"><span>"Clean run"</span><span>"Corrupted run"</span></div>
                    <TokenRow all=all draft=draft typing=typing form="trace" runs=true />
                }.into_any(),
                true => view! {
                    <div class="names"><span>"Prompt"</span></div>
                    <Typing draft=draft typing=typing go=go form="trace" />
                }.into_any(),
            }}
            <div class="act">
                <Go tracer=tracer go=go wrong=wrong />
                <p class="more">
                    <Examples all=tracer.examples() show=show form="trace" />
                    <button type="button" id="trace-settings" aria-expanded=move || settings.get().to_string() on:click=move |_| settings.update(|open| *open = !*open)>
                        "Settings"
                    </button>
                </p>
            </div>
            // Above the fold also after the next trace, so that it is not forgotten.
            <PinLine pins=maps.pins unlike=maps.unlike />
        </div>
    }
}

/// The tokens of the prompt above, with what the corrupted run has beneath them: those of the shown result where it is of this prompt,
/// else those of the loaded model's tokenizer, else its words.
fn shown(tracer: Tracer, live: RwSignal<Option<tokens::Read>>) -> Vec<Token> {
    let asked = tracer.draft.asked.get();
    let prompt = asked.filled();
    // The tokens of another model are not those that the chosen one will see.
    let [noise, own] = tracer
        .with_record(|record| {
            let noise = replaced_by(&record.settings.corruption).is_none();
            [noise, record.model.name == tracer.draft.model().name()]
        })
        .unwrap_or_default();
    let of_row = |row: trace::Row| match row.instead {
        _ if row.role.is_subject() && noise => Instead::Noise,
        Some(other) => Instead::Other(other),
        None if row.at.is_empty() => Instead::Nothing,
        None => Instead::Same,
    };
    let of_result = tracer.fact.with(|fact| {
        let fact = fact.as_ref().filter(|fact| own && fact.prompt == prompt)?;
        let traced = fact.traced()?;
        // Of another subject the tokens are the same, and what stands in its place is not known yet.
        let same = fact.subject == asked.subject;
        let rows = if same { trace::rows(traced, false) } else { Vec::new() };
        let mut instead: Vec<Instead> = rows.into_iter().map(of_row).collect();
        let beyond = if same { trace::beyond_subject(traced) } else { Vec::new() };
        let first = traced.subject_span[0];
        if let Some(one) = instead.get_mut(first).filter(|_| !beyond.is_empty()) {
            let own = match one {
                Instead::Other(other) => other.clone(),
                _ => words::token(&traced.tokens[first]),
            };
            *one = Instead::Longer(beyond, own);
        }
        Some((traced.tokens.clone(), instead))
    });
    row_of(&asked, live, of_result)
}

/// The one filled button: what it does depends on the model.
#[component]
fn Go(tracer: Tracer, go: Callback<()>, wrong: Memo<bool>) -> impl IntoView {
    let running = move || tracer.running.get();
    let progress = move || match running() {
        Some(Running::Tracing(_)) => tracer.live.with(|live| live.as_ref()?.progress()),
        Some(Running::Loading) => Some("starting the engine…".to_owned()),
        None => None,
    };
    let button = move || match (running().is_some(), tracer.draft.way()) {
        (true, _) => {
            view! { <button type="button" class="primary" on:click=move |_| tracer.cancel()>"Stop"</button> }.into_any()
        }
        (false, Way::Consent(name)) => {
            let load = move |_| tracer.page.lab.update(|lab| lab.tab = Tab::Models);
            let label = format!("Load {} first…", words::short(&words::visible(&name), 24));
            view! { <button type="button" class="primary" on:click=load>{label}</button> }.into_any()
        }
        (false, _) => view! {
            <button type="button" class="primary" disabled=move || wrong.get() on:click=move |_| go.run(())>
                "Trace " <kbd>"↵"</kbd>
            </button>
        }
        .into_any(),
    };
    view! {
        {button}
        <span class="unseen" role="status">{progress}</span>
    }
}
