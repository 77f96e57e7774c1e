//! The fact that is open: its peak, its map, what its edit did, and the way to the trace screen.

use super::table::ended;
use crate::components::SmallMapView;
use crate::figures::study::{Mark, Marks, Opened};
use leptos::prelude::*;

/// The fact.
#[component]
pub fn OpenedFact(
    /// It.
    opened: Memo<Option<Opened>>,
    /// Called with −1 for the fact before it, 1 for the next one.
    on_step: Callback<isize>,
    /// Takes it to the trace screen.
    on_trace: Callback<()>,
    /// Closes it, where it covers the table.
    on_close: Callback<()>,
    /// All of its numbers.
    children: ChildrenFn,
) -> impl IntoView {
    let title = move || opened.with(|opened| opened.as_ref().map(|opened| opened.title.clone()));
    let body = move || {
        let Opened { line, sentence, warns, map, marks, .. } = opened.get()?;
        let [before, subject, after] = line.parts;
        let warning = warns.then(|| view! { <span class="sign" aria-hidden="true">"⚠ "</span> });
        Some(view! {
            <h2>{before} <span class="s">{subject}</span> {after} " " <span class="a">{line.answer}</span></h2>
            <p class:warns=warns aria-live="polite">{warning} {sentence}</p>
            {map.map(|map| view! { <SmallMapView map=map /> })}
            {marks.map(edit)}
        })
    };
    view! {
        <aside class="opened" aria-label="Opened fact">
            <div class="nav">
                <span>{title}</span>
                <button type="button" class="quiet" aria-label="Previous fact" on:click=move |_| on_step.run(-1)>"↑"</button>
                <button type="button" class="quiet" aria-label="Next fact" on:click=move |_| on_step.run(1)>"↓"</button>
                <button type="button" on:click=move |_| on_trace.run(())>"Open in Trace"</button>
                <button type="button" class="quiet close" aria-label="Close the fact" on:click=move |_| on_close.run(())>"×"</button>
            </div>
            {body}
            {children()}
        </aside>
    }
}

fn edit(marks: Marks) -> impl IntoView {
    let mark = |Mark { name, value, about, bad }: Mark| {
        let sign = bad.then(|| view! { <span aria-hidden="true">"✕ "</span> });
        view! { <div class:bad=bad title=about><dt>{sign} {name}</dt> <dd>{value}</dd></div> }
    };
    view! {
        <section class="edit-marks" aria-label="Its edit">
            <h3>{marks.title}</h3>
            <p>{ended(marks.ending)}</p>
            <dl>{marks.marks.into_iter().map(mark).collect_view()}</dl>
        </section>
    }
}
