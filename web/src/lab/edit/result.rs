//! What an edit did: the search, the judgement, before and after, and what the model says now.

use super::run::Editor;
use crate::components::shown;
use crate::components::{BeforeAfter, Checks, LossChart, Shifts};
use crate::figures::edited::Shown;
use crate::figures::history::Fate;
use crate::figures::loss::LossCurve;
use crate::lab::share::{CopyLink, Stale};
use leptos::prelude::*;

/// The search for v*, while it runs and after.
#[component]
pub(super) fn Search(editor: Editor) -> impl IntoView {
    let curve: Signal<LossCurve> = Signal::derive(move || {
        let live = editor.curve.get();
        if editor.running.get().is_some() { live } else { editor.shown().map(|shown| shown.0.curve).unwrap_or(live) }
    });
    let has = move || editor.running.get().is_some() || curve.with(|curve| !curve.points.is_empty());
    view! {
        {shown(has, move || view! {
            <section class="finding" aria-label="Search">
                <h2>"The search"</h2>
                <LossChart curve=curve />
            </section>
        })}
    }
}

/// What came of it.
#[component]
pub(super) fn Result(editor: Editor) -> impl IntoView {
    let shown = Memo::new(move |_| editor.shown());
    let body = move || {
        shown.get().map(|(shown, stored)| {
            view! { <One shown=shown stored=stored editor=editor /> }
        })
    };
    let nothing = move || {
        let idle = editor.running.get().is_none() && shown.with(Option::is_none);
        idle.then(|| view! { <p class="faint">"Nothing was edited yet. The result will stand here."</p> })
    };
    view! {
        {body}
        {nothing}
        <p class="actions">
            <CopyLink address=Callback::new(move |()| editor.address()) />
        </p>
    }
}

/// One edit.
#[component]
fn One(shown: Shown, stored: bool, editor: Editor) -> impl IntoView {
    let Shown { edit, answers: [old, new], groups, facts, said, .. } = shown;
    let past = Memo::new(move |_| if stored { None } else { editor.past() });
    let in_force = move || past.with(|past| past.as_ref().is_some_and(|past| past.fate == Fate::InForce));
    let origin = move || match past.get() {
        Some(past) => past.fate.words().to_owned(),
        None => {
            let made = editor.stored.with_value(|record| record.as_ref().map(crate::figures::about::made));
            format!("{}. It was taken back after it was measured.", made.unwrap_or_default())
        }
    };
    let stale = Memo::new(move |_| editor.stale());
    let dimmed = move || if stale.with(Option::is_some) || !(stored || in_force()) { "dimmed" } else { "" };
    let badge_of = if stored { "stored result" } else { "edited here" };
    let undo = move || {
        let number = past.with(|past| past.as_ref().map(|past| past.edited.edit)).filter(|_| in_force());
        number.map(|number| view! { <button on:click=move |_| editor.undo(Some(number))>"Undo"</button> })
    };
    let line = |(name, value): (&'static str, String)| view! { <dt>{name}</dt> <dd>{value}</dd> };
    view! {
        <section class=dimmed>
            <h2>"What it did"</h2>
            <Stale said=stale />
            <p class="faint"><span class="badge">{badge_of}</span> " " {origin}</p>
            <p class="lead">{edit.prompt} " " <b>{old} " → " {new}</b></p>
            <p class="actions"><span class=edit.badge>{edit.verdict}</span> {undo}</p>
            <p>{edit.judgement}</p>
            <Checks checks=edit.checks />
            <p class="faint">{edit.paper}</p>
            {edit.notes.into_iter().map(|note| view! { <p class="faint">{note}</p> }).collect_view()}
            {said.map(|(prompt, said)| view! { <BeforeAfter prompt=prompt said=said /> })}
            <h3>"Before and after"</h3>
            <Shifts groups=groups />
            <h3>"The edit"</h3>
            <dl>{facts.into_iter().map(line).collect_view()}</dl>
        </section>
    }
}
