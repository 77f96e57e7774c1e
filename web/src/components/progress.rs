//! A progress bar with its words: the label names it, the words tell what the bar only shows.

use crate::figures::progress::Bar;
use leptos::prelude::*;

/// A bar that is redrawn in place, so that nobody's screen reader hears of a new one each time.
#[component]
pub fn Progress(
    /// What is shown.
    #[prop(into)]
    bar: Signal<Bar>,
) -> impl IntoView {
    let percent = move || bar.with(|bar| bar.share.map(|share| format!("{:.0}", share.clamp(0.0, 1.0) * 100.0)));
    let width = move || format!("width:{}%", percent().unwrap_or_else(|| "100".into()));
    view! {
        <div class="progress">
            <span class="label">{move || bar.with(|bar| bar.label)}</span>
            <div
                class="track"
                role="progressbar"
                aria-label=move || bar.with(|bar| bar.label)
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=percent
                aria-valuetext=move || bar.with(|bar| bar.words.clone())
            >
                <div class="done" class:unknown=move || percent().is_none() style=width></div>
            </div>
            <span class="faint words">{move || bar.with(|bar| bar.words.clone())}</span>
        </div>
    }
}
