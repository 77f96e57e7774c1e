//! The edit while it is made: how far it is, and the curve of its search.

use super::run::{Editor, Running};
use crate::components::{LossChart, shown};
use crate::figures::loss::LossCurve;
use leptos::prelude::*;

impl Editor {
    /// How far the edit is that is being made.
    fn progress(self) -> Option<String> {
        let running = self.running.get()?;
        if let Some((done, of)) = self.reading.get() {
            return Some(format!("Preparing the edit: reading text for the second moment C, {done} of {of} tokens."));
        }
        Some(match running {
            Running::Loading => "Starting the engine.".to_owned(),
            Running::Mapping(_) => {
                let far = self.mapping.with(|map| map.as_ref().and_then(|map| map.partial.progress()));
                format!("Tracing the map before the edit: {}", far.unwrap_or_default())
            }
            Running::Asking(_) => self.curve.with(|curve| match curve.points.last() {
                None => "Preparing the edit.".to_owned(),
                Some((step, _)) if *step == curve.of => "Measuring what it did.".into(),
                Some((step, _)) => format!("Searching: step {step} of {}.", curve.of),
            }),
        })
    }
}

/// Progress and curve, as long as an edit is made.
#[component]
pub(super) fn Search(editor: Editor) -> impl IntoView {
    let running = move || editor.running.get().is_some();
    let far = Memo::new(move |_| editor.progress());
    let curve: Signal<LossCurve> = editor.curve.into();
    let searched = move || curve.with(|curve| !curve.points.is_empty());
    view! {
        // Each step would be too much to be read out.
        <span class="unseen" role="status">{move || editor.running.get().map(|_| "The edit is being made.")}</span>
        {shown(running, move || view! {
            <section class="finding" aria-label="Search">
                <h2>{move || far.get()}</h2>
                <p class="more">"The weights are changed in memory, and nowhere else. Undo brings them back bit for bit."</p>
                {shown(searched, move || view! { <LossChart curve=curve /> })}
            </section>
        })}
    }
}
