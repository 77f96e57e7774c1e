//! Both answers of an edit, traced without it and with it.

use super::run::Editor;
use super::side::stoppable;
use crate::components::Heatmaps;
use crate::components::numbers::row;
use crate::figures::retrace::{both, columns};
use crate::lab::engine::unexpected;
use crate::words;
use engram_core::protocol::{Command, Event, Question};
use engram_core::record::{Corruption, PatchPosition, Retraced};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// What was traced of an edit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Again {
    /// The edit's number.
    edit: u32,
    both: Retraced,
}

impl Editor {
    /// Traces both answers of the shown edit, without it and with it.
    fn trace_both(self) {
        let Some(past) = untrack(move || self.past()) else { return };
        let (edit, ask) = (past.edited.edit, past.ask);
        let place = self.made.get_untracked();
        // With the corruption of the maps beside it, where there are some.
        let seen = self.seen.with_untracked(|seen| seen.get(place?)?.question());
        let question = Question {
            prompt: ask.prompt.clone(),
            subject: ask.subject,
            target: Some(ask.target),
            target_new: Some(ask.target_new),
            corruption: seen.map_or(Corruption::Replace { with: String::new() }, |seen| seen.corruption),
            positions: vec![PatchPosition::SubjectLast, PatchPosition::LastToken],
            window: 0,
            maps: true,
        };
        let engine = self.engine;
        let what = format!("tracing both answers of “{}”", words::short(&words::visible(&ask.prompt), 40));
        let call = engine.ask(&what, Command::Retrace { edit, question });
        let id = call.id;
        self.retracing.set(Some(id));
        spawn_local(async move {
            match call.last().await {
                Ok((Event::Retraced(both), _)) => {
                    let found = Again { edit, both: *both };
                    self.again.update(|all| {
                        all.retain(|known| known.edit != edit);
                        all.push(found);
                    });
                }
                Ok(_) => engine.complain(unexpected()),
                Err(failure) => engine.complain(failure),
            }
            engine.done(id);
            self.retracing.set(None);
        });
    }
}

/// The section: a button, then a table and maps.
#[component]
pub(super) fn Both(editor: Editor) -> impl IntoView {
    let number = Memo::new(move |_| editor.past().map(|past| past.edited.edit));
    let found = Memo::new(move |_| {
        let number = number.get()?;
        editor.again.with(|all| all.iter().find(|one| one.edit == number).cloned())
    });
    let traceable = Memo::new(move |_| editor.in_force().is_some() && editor.running.get().is_none());
    let act = move || match (editor.retracing.get(), found.with(Option::is_some), traceable.get()) {
        (Some(id), ..) => {
            stoppable("Tracing both answers…", "Stop tracing both answers", move || editor.engine.cancel(id))
        }
        (None, false, true) => {
            let title = "Traces the old and the new answer without this edit and with it: did the peak move, does R fall, which \
                         layers carry the new answer?";
            let trace = move |_| editor.trace_both();
            view! {
                <p class="acts"><button type="button" title=title on:click=trace>"Trace both answers again"</button></p>
            }
            .into_any()
        }
        (None, false, false) => view! { <p class="none">"Not traced while the edit was in force."</p> }.into_any(),
        (None, true, _) => ().into_any(),
    };
    let shown = move || found.get().map(|found| one(&found.both));
    view! {
        <section class="again" aria-label="Both answers before and after the edit">
            <h2>"Both answers before and after the edit"</h2>
            {act}
            {shown}
        </section>
    }
}

fn one(Retraced { own, again }: &Retraced) -> AnyView {
    let (head, rows) = columns(own, again);
    let head: Vec<_> = head.into_iter().map(|name| view! { <th scope="col" class="number">{name}</th> }).collect();
    let maps = both(own, again).into_iter().flatten().map(|(answer, set)| {
        view! { <h3>{format!("Effect on “{answer}”")}</h3> <Heatmaps set=Signal::stored(set) /> }
    });
    view! {
        <div class="scroll table" tabindex="0" role="region" aria-label="Both answers before and after the edit">
            <table>
                <thead><tr>{head}</tr></thead>
                <tbody>{rows.iter().map(|cells| row(cells)).collect_view()}</tbody>
            </table>
        </div>
        {maps.collect_view()}
    }
    .into_any()
}
