//! Before and after an edit: pairs of bars for the prompt, paraphrases, neighbours and unrelated facts, on one scale.

use super::px;
use crate::figures::edits::Pair;
use crate::figures::shifts::Group;
use crate::scale::Scale;
use crate::words;
use leptos::prelude::*;

/// Room for labels.
const LEFT: f64 = 190.0;
/// Length of the value axis, which goes from 0 to 1 everywhere.
const WIDTH: f64 = 220.0;
/// Room for numbers.
const RIGHT: f64 = 130.0;
/// Height of a pair.
const ROW: f64 = 26.0;

/// All kinds of prompts.
#[component]
pub fn Shifts(
    /// What an edit did.
    groups: Vec<Group>,
) -> impl IntoView {
    let one = |group: Group| {
        let each = (!group.each.is_empty()).then(|| {
            let line = |(prompt, pairs): &(String, Vec<Pair>)| {
                view! {
                    <p class="prompt">{prompt.clone()}</p>
                    {bars(pairs)}
                }
            };
            let lines: Vec<_> = group.each.iter().map(line).collect();
            view! {
                <details class="numbers">
                    <summary>"Each prompt"</summary>
                    {lines}
                </details>
            }
        });
        view! {
            <article>
                <h4>{group.name.clone()}</h4>
                <p class="faint">{group.hope}</p>
                {bars(&group.mean)}
                {each}
            </article>
        }
    };
    view! {
        <p class="faint">"The upper bar is before the edit, the lower one after; all have one scale, from 0 to 1."</p>
        <div class="shifts">{groups.into_iter().map(one).collect_view()}</div>
    }
}

fn bars(pairs: &[Pair]) -> impl IntoView + use<> {
    let scale = Scale { low: 0.0, high: 1.0, step: 0.2, pixels: WIDTH };
    let (width, height) = (LEFT + WIDTH + RIGHT, ROW * pairs.len() as f64 + 4.0);
    let words: Vec<String> = pairs.iter().map(Pair::words).collect();
    let drawn: Vec<_> = pairs.iter().enumerate().map(|(row, each)| pair(each, row, scale)).collect();
    view! {
        <div class="scroll" tabindex="0">
            <svg
                role="img"
                aria-label=words.join("; ")
                width=px(width)
                height=px(height)
                viewBox=format!("0 0 {} {}", px(width), px(height))
            >
                <line class="grid zero" x1=px(LEFT) x2=px(LEFT) y1="0" y2=px(height) />
                {drawn}
            </svg>
        </div>
    }
}

/// Two bars with their label and both numbers.
fn pair(pair: &Pair, row: usize, scale: Scale) -> impl IntoView + use<> {
    let y = ROW * row as f64 + 3.0;
    let (before, after) = (scale.along(pair.before), scale.along(pair.after));
    let class = if pair.wanted { "after wanted" } else { "after" };
    let numbers = format!("{} → {}", words::probability(pair.before), words::probability(pair.after));
    view! {
        <g class="pair">
            <text x=px(LEFT - 8.0) y=px(y + 14.0) text-anchor="end">{words::short(&pair.label, 28)}</text>
            <rect class="before" x=px(LEFT) y=px(y + 1.0) width=px(before.max(1.0)) height="8" />
            <rect class=class x=px(LEFT) y=px(y + 11.0) width=px(after.max(1.0)) height="8" />
            <text class="tick" x=px(LEFT + before.max(after) + 8.0) y=px(y + 14.0)>{numbers}</text>
            <title>{pair.words()}</title>
        </g>
    }
}
