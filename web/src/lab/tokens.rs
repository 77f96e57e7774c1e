//! The prompt's tokens while it is typed, once a model is loaded.

use super::draft::Draft;
use super::{Engine, engine::unexpected};
use engram_core::protocol::{Command, Event};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

/// What the status line says meanwhile.
const READING: &str = "reading the prompt's tokens";
/// Pause after the last key before the engine is asked.
const PAUSE: Duration = Duration::from_millis(250);

/// A prompt and its subject, as the loaded model's tokenizer reads them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read {
    /// Prompt and subject.
    pub(crate) of: [String; 2],
    /// The tokens' texts.
    pub(crate) texts: Vec<String>,
}

/// The question's tokens, as soon as the chosen model has read them; `None` while it is not loaded.
pub(crate) fn reading(engine: Engine, draft: Draft) -> RwSignal<Option<Read>> {
    let found = RwSignal::new(None::<Read>);
    let busy = StoredValue::new(false);
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let wanted = Memo::new(move |_| {
        let texts = draft.asked.with(|asked| [asked.prompt.clone(), asked.subject.clone()]);
        // Another model would cut the prompt otherwise than the one that is to answer.
        let chosen = draft.model();
        let model = engine.model.with(|model| {
            model.as_ref().filter(|loaded| loaded.model == chosen).map(|loaded| loaded.info.weights_sha256.clone())
        });
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
                        found.set(Some(Read {
                            of: texts,
                            texts: tokens.tokens.iter().map(|token| token.text.clone()).collect(),
                        }));
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
    found
}
