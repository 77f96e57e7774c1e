//! What an edit did: the search, the judgement, before and after, and what the model says now.

use super::run::Editor;
use crate::components::{BeforeAfter, Checks, LossChart, Shifts};
use crate::components::{act, part, shown};
use crate::figures::edited::Shown;
use crate::figures::loss::LossCurve;
use crate::lab::share::CopyLink;
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
        {part(body)}
        {part(nothing)}
        <p class="actions">
            <CopyLink />
        </p>
    }
}

/// One edit.
#[component]
fn One(shown: Shown, stored: bool, editor: Editor) -> impl IntoView {
    let Shown { edit, answers: [old, new], groups, facts, said, .. } = shown;
    // Another model, or a lost engine, ends an edit without taking it back.
    let in_force = Memo::new(move |_| {
        let made = editor.made.get()?;
        editor.engine.edits.with(|edits| edits.contains(&made)).then_some(made.edit)
    });
    let origin = move || match in_force.get() {
        _ if stored => {
            let made = editor.stored.with_value(|record| record.as_ref().map(crate::figures::about::made));
            format!("{}. It was taken back after it was measured.", made.unwrap_or_default())
        }
        Some(_) => "In force in this tab.".to_owned(),
        None => "No longer in force.".to_owned(),
    };
    let badge_of = if stored { "stored result" } else { "edited here" };
    let undo = move || {
        let number = in_force.get().filter(|_| !stored);
        number.map(|number| view! { <button on:click=act(move |_| editor.undo(Some(number)))>"Undo"</button> })
    };
    let line = |(name, value): (&'static str, String)| view! { <dt>{name}</dt> <dd>{value}</dd> };
    view! {
        <section>
            <h2>"What it did"</h2>
            <p class="faint"><span class="badge">{badge_of}</span> " " {part(origin)}</p>
            <p class="lead">{edit.prompt} " " <b>{old} " → " {new}</b></p>
            <p class="actions"><span class=edit.badge>{edit.verdict}</span> <span>{edit.judgement}</span> {part(undo)}</p>
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
