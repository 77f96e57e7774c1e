//! One cell in full, at the right of the map.

use crate::figures::trace::{Cell, Line};
use crate::words;
use engram_core::protocol::Word;
use leptos::prelude::*;

/// A bar of a probability.
pub fn meter(p: f64, class: &'static str, other: bool) -> impl IntoView {
    let style = format!("width:{:.1}%", (100.0 * p).clamp(0.0, 100.0));
    view! { <span class=class aria-hidden="true"><i class:other=other style=style></i></span> }
}

/// The inspector.
#[component]
pub fn Inspector(
    /// The cell that is looked at.
    cell: Memo<Option<Cell>>,
    /// The answer.
    answer: Signal<String>,
    /// What the model would say with it put back; `None` where nobody can tell.
    says: Signal<Option<Vec<Word>>>,
    /// Somebody is asked, or can be: there is room for the answer.
    asks: Signal<bool>,
    /// Buttons below.
    children: Children,
) -> impl IntoView {
    let runs = move || {
        let cell = cell.get()?;
        let run = |(at, (name, p)): (usize, (&'static str, Option<f64>))| {
            let now = at == 2;
            view! {
                <span class:now=now><span class="step">{at + 1}</span>{name}</span>
                {meter(p.unwrap_or(0.0), "meter", false)}
                <span class="num" class:now=now>{p.map_or("–".to_owned(), words::percent_of)}</span>
            }
        };
        Some(cell.runs.into_iter().enumerate().map(run).collect_view())
    };
    let head = move || {
        let Cell { token, subject, layer, what, value, unit, note, .. } = cell.get()?;
        Some(view! {
            <div class="head">
                <h2><span class:s=subject>{words::short(&token, 18)}</span>{format!("  layer {layer}")}</h2>
                <span class="big">{value.map_or("–".to_owned(), |value| words::fixed(value, 2))}</span>
                <p class="sub">{what}</p>
                <p class="sub num">{unit}</p>
                {note.map(|note| view! { <p class="sub note">{note}</p> })}
            </div>
        })
    };
    let lines = move || {
        let Cell { layer, lines, .. } = cell.get()?;
        let line = |Line { name, value }: Line| view! { <div><dt>{name}</dt><dd>{value}</dd></div> };
        Some(view! {
            <section>
                <h3>{format!("At layer {layer}")}</h3>
                <dl>{lines.into_iter().map(line).collect_view()}</dl>
            </section>
        })
    };
    let said = move || {
        let says = says.get().unwrap_or_default();
        // The room is kept, so that buttons do not move when the words come.
        if says.is_empty() && !asks.get() {
            return None;
        }
        let answer = answer.get();
        let word = |Word { text, p }: Word| {
            let text = words::token(&text);
            let bare = text.trim_start_matches(['·', '▁', 'Ġ']).to_owned();
            let own = !bare.is_empty() && answer.starts_with(&bare);
            view! {
                <span class="word" class:a=own>{bare}</span>
                {meter(p.into(), "meter thin", !own)}
                <span class="num">{words::percent_of(p.into())}</span>
            }
        };
        Some(view! {
            <section>
                <h3>"With it put back the model says"</h3>
                <div class="says put-back">{says.into_iter().map(word).collect_view()}</div>
            </section>
        })
    };
    view! {
        <aside class="inspector" aria-label="Selected cell">
            {head}
            <section>
                <h3>{move || format!("Probability of {}", answer.get())}</h3>
                <div class="three">{runs}</div>
            </section>
            {said}
            {lines}
            {children()}
            <section class="how">
                <h3>"How to read the map"</h3>
                <ol>
                    <li>"Run the prompt and keep every state."</li>
                    <li>"Replace the subject: the answer is lost."</li>
                    <li>"Put one state back. A cell’s colour is how much of the answer returns."</li>
                </ol>
            </section>
        </aside>
    }
}
