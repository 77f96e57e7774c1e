//! Edits: both answers before and after on one scale, and what all measures together say of each edit.

use super::px;

use crate::figures::edits::{Edit, Pair, highest, tally};
use crate::scale::Scale;
use crate::words;
use leptos::prelude::*;

/// Room for labels.
const LEFT: f64 = 170.0;
/// Length of the value axis.
const WIDTH: f64 = 260.0;
/// Room for numbers.
const RIGHT: f64 = 130.0;
/// Height of a pair.
const ROW: f64 = 26.0;

/// All edits of a record.
#[component]
pub fn Edits(
    /// The edits.
    edits: Vec<Edit>,
    /// Called with the `order` of the fact whose prompt was clicked.
    on_choose: Callback<usize>,
) -> impl IntoView {
    let scale = Scale::around_zero([highest(&edits)], WIDTH);
    let said = tally(&edits);
    view! {
        <p>{said}</p>
        <p class="faint">"The upper bar is before the edit, the lower one after; all edits share one scale."</p>
        <div class="edits">{edits.into_iter().map(|edit| one(edit, scale, on_choose)).collect_view()}</div>
    }
}

/// What was watched around an edit, and whether it holds.
#[component]
fn Checks(
    /// Whether each holds, and in words.
    checks: Vec<(Option<bool>, String)>,
) -> impl IntoView {
    let one = |(holds, told): (Option<bool>, String)| {
        let (mark, class) = match holds {
            Some(true) => ("✓", "good"),
            Some(false) => ("✗", "harm"),
            None => ("?", "faint"),
        };
        view! { <li class=class><span aria-hidden="true">{mark}</span> " " {told}</li> }
    };
    view! { <ul class="checks">{checks.into_iter().map(one).collect_view()}</ul> }
}

fn one(edit: Edit, scale: Scale, on_choose: Callback<usize>) -> impl IntoView {
    let height = ROW * edit.pairs.len() as f64 + 6.0;
    let width = LEFT + WIDTH + RIGHT;
    let words: Vec<String> = edit.pairs.iter().map(Pair::words).collect();
    let pairs: Vec<_> = edit.pairs.iter().enumerate().map(|(row, each)| pair(each, row, scale)).collect();
    let fact = edit.fact;
    view! {
        <article class="edit">
            <h3>
                <span class=edit.badge>{edit.verdict}</span>
                " "
                <button class="link" on:click=move |_| on_choose.run(fact)>
                    {edit.prompt}
                </button>
            </h3>
            <p>{edit.judgement}</p>
            <Checks checks=edit.checks />
            <p class="faint">{edit.paper}</p>
            <div class="scroll" tabindex="0">
                <svg
                    role="img"
                    aria-label=words.join("; ")
                    width=px(width)
                    height=px(height)
                    viewBox=format!("0 0 {} {}", px(width), px(height))
                >
                    <line class="grid zero" x1=px(LEFT) x2=px(LEFT) y1="0" y2=px(height) />
                    {pairs}
                </svg>
            </div>
            <p class="faint">{edit.how}</p>
            {edit.notes.into_iter().map(|note| view! { <p class="faint">{note}</p> }).collect_view()}
        </article>
    }
}

fn pair(pair: &Pair, row: usize, scale: Scale) -> impl IntoView + use<> {
    let y = ROW * row as f64 + 3.0;
    let (before, after) = (scale.along(pair.before), scale.along(pair.after));
    let class = if pair.wanted { "after wanted" } else { "after" };
    let numbers = format!("{} → {}", words::probability(pair.before), words::probability(pair.after));
    view! {
        <g class="pair">
            <text x=px(LEFT - 8.0) y=px(y + 14.0) text-anchor="end">{words::short(&pair.label, 26)}</text>
            <rect class="before" x=px(LEFT) y=px(y + 1.0) width=px(before.max(1.0)) height="8" />
            <rect class=class x=px(LEFT) y=px(y + 11.0) width=px(after.max(1.0)) height="8" />
            <text class="tick" x=px(LEFT + before.max(after) + 8.0) y=px(y + 14.0)>{numbers}</text>
            <title>{pair.words()}</title>
        </g>
    }
}
