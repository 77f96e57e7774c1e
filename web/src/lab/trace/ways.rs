//! Ways on from a result that has no map, or that the model gave before an edit.

use super::run::{Source, Tracer};
use crate::figures::choice::Way;
use crate::figures::question::{Asked, first_word};
use crate::figures::trace;
use crate::lab::examples::Examples;
use crate::{sample, words};
use leptos::prelude::*;

impl Tracer {
    /// The stored facts that have maps, each with its number and its prompt.
    pub(super) fn examples(self) -> Vec<(usize, String)> {
        self.stored.with_value(|record| {
            let facts = record.iter().flat_map(sample::mapped);
            facts.map(|(fact, _)| (fact.order, Asked::of_fact(fact, &Default::default(), 0).filled())).collect()
        })
    }

    /// What the model says to the prompt with its edits in force, as a sentence and as a word, where that is not the answer that the
    /// screen asks for. It is known of a trace with these edits, and of the prompt that was edited last.
    pub(super) fn edited_says(self) -> Option<(String, String)> {
        let force = self.engine.in_force();
        if force.is_empty() || self.running.get().is_some() || self.draft.way() != Way::Run {
            return None;
        }
        let asked = self.draft.asked.get();
        let prompt = asked.filled();
        let fact = self.fact.get().filter(|fact| fact.prompt == prompt);
        let traced = self.source.get() == Source::Live
            && fact.is_some()
            && self.live.with(|live| live.as_ref().is_some_and(|live| live.edits == force));
        let says = match traced {
            true => self.said(),
            false => self.engine.edits.with(|edits| {
                let last = edits.last().filter(|last| last.prompt == prompt && last.subject == asked.subject);
                last.map(|last| last.said[1].clone())
            }),
        };
        let says = first_word(&says?);
        let answer = if asked.target.trim().is_empty() { fact?.target_true } else { asked.target };
        Some((trace::edited(force.len(), &says, &answer)?, says))
    }

    /// What the model says instead of the answer that was asked for: with its edits, or because it does not know that answer.
    fn instead(self) -> Option<String> {
        let edited = self.edited_says().map(|(_, says)| says);
        edited.or_else(|| Some(first_word(&self.said()?))).filter(|says| !says.is_empty())
    }
}

/// A button that traces what the model does say.
#[component]
pub(super) fn TraceInstead(tracer: Tracer) -> impl IntoView {
    let says = Memo::new(move |_| tracer.instead());
    move || {
        says.get().map(|says| {
            let label = format!("Trace “{}” instead", words::short(&words::visible(&says), 24));
            let ask = move |_| {
                tracer.draft.change(|asked| asked.target = says.clone());
                tracer.run();
            };
            view! { <p class="acts"><button type="button" on:click=ask>{label}</button></p> }
        })
    }
}

/// A button that opens the list of facts that have a map.
#[component]
pub(super) fn TryAnother(tracer: Tracer) -> impl IntoView {
    let show = Callback::new(move |order| tracer.show(order));
    view! {
        <p class="acts">
            <Examples all=tracer.examples() show=show form="trace-other" label="Try another fact" />
        </p>
    }
}
