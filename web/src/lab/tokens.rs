//! The prompt's tokens while it is typed, once a model is loaded.

use super::draft::Draft;
use super::{Engine, engine::unexpected};
use crate::components::TokenChips;

use crate::figures::tokens::{self, Chip};
use crate::words;
use engram_core::protocol::{Command, Event};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// What the status line says meanwhile.
const READING: &str = "reading the prompt's tokens";
/// Pause after the last key before the engine is asked.
const PAUSE: Duration = Duration::from_millis(250);

/// A prompt and its subject, their tokens, and whose tokens these are.
pub(crate) type Known = ([String; 2], Vec<Chip>, String);

/// The tokens of the question, or of the shown fact as long as that is the question.
#[component]
pub(crate) fn LiveTokens(
    /// The engine.
    engine: Engine,
    /// The question.
    draft: Draft,
    /// Prompt, subject and tokens of the shown fact, and the model that they are of.
    #[prop(into)]
    known: Signal<Option<Known>>,
) -> impl IntoView {
    // The prompt and subject that were asked about last, their tokens, and why the subject has none.
    let found = RwSignal::new(None::<([String; 2], Vec<Chip>, Option<String>)>);
    let busy = StoredValue::new(false);
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let wanted = Memo::new(move |_| {
        let texts = draft.asked.with(|asked| [asked.prompt.clone(), asked.subject.clone()]);
        let model = engine.model.with(|model| model.as_ref().map(|loaded| loaded.info.weights_sha256.clone()));
        model.filter(|_| !texts[0].trim().is_empty()).map(|model| (texts, model))
    });
    let ask = move || {
        // One request at a time: while the engine traces, a letter typed must not queue behind it each time.
        if busy.get_value() {
            return;
        }
        busy.set_value(true);
        spawn_local(async move {
            while let Some((texts, model)) = wanted.get_untracked() {
                let [prompt, subject] = texts.clone();
                let answer = engine.last(READING, Command::Tokenize { prompt, subject }).await;
                let stale = wanted.get_untracked() != Some((texts.clone(), model));
                match answer {
                    Ok((Event::Tokenized(tokens), _)) if !stale => {
                        let problem = tokens.problem.as_deref().map(words::visible);
                        found.set(Some((texts, tokens::of_tokenized(&tokens), problem)));
                    }
                    Ok((Event::Tokenized(_), _)) => {}
                    Ok(_) => engine.complain(unexpected()),
                    Err(failure) => {
                        engine.complain(failure);
                        break;
                    }
                }
                if !stale {
                    break;
                }
            }
            busy.set_value(false);
        });
    };
    // While a study runs for minutes, this would only stand in its queue.
    let free = Memo::new(move |_| engine.jobs.with(|jobs| jobs.iter().all(|job| job.what == READING)));
    Effect::new(move |_| {
        if let Some(timer) = timer.get_value() {
            timer.clear();
        }
        timer.set_value(None);
        match (wanted.with(Option::is_some), free.get()) {
            (true, true) => timer.set_value(set_timeout_with_handle(ask, PAUSE).ok()),
            (true, false) => {}
            (false, _) => found.set(None),
        }
    });
    let shown = move || {
        let texts = draft.asked.with(|asked| [asked.prompt.clone(), asked.subject.clone()]);
        let name = || engine.model.with(|model| model.as_ref().map(|model| words::visible(&model.info.name)));
        let live = found.get();
        let (fresh, known) =
            (live.as_ref().is_some_and(|(of, ..)| *of == texts), known.get().filter(|(of, ..)| *of == texts));
        match (live, known) {
            (Some((_, chips, problem)), _) if fresh => {
                // What the form says by itself need not be said twice.
                let problem = problem.filter(|_| draft.asked.with(|asked| asked.problems().is_empty()));
                let problem = problem.map(|why| view! { <p class="why">{why}</p> });
                view! { <TokenChips chips=chips whose=name().unwrap_or_default() /> {problem} }.into_any()
            }
            (_, Some((_, chips, whose))) => view! { <TokenChips chips=chips whose=whose /> }.into_any(),
            // Those of a moment ago, until the engine has read the prompt again.
            (Some((_, chips, _)), None) => view! {
                <div class="stale" aria-busy="true">
                    <TokenChips chips=chips whose=name().unwrap_or_default() />
                </div>
            }
            .into_any(),
            _ => ().into_any(),
        }
    };
    view! { <div class="live-tokens">{shown}</div> }
}
