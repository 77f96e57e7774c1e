//! What an edit cost: a table of its prompts, each with both answers before and after.

use crate::components::Numbers;
use crate::figures::edit::{Group, Row, numbers};
use crate::words;
use leptos::prelude::*;

/// Prompts of a kind that are shown at once; those that were hurt, or lost much, are always shown.
const FEW: usize = 4;

/// The table.
#[component]
pub fn Price(
    /// Prompts by kind.
    groups: Vec<Group>,
    /// The new answer.
    new: String,
) -> impl IntoView {
    let (head, rows) = numbers(&groups);
    let rows = Signal::stored(rows);
    view! {
        <table class="price">
            <colgroup><col class="what" /><col class="old" /><col class="new" /><col class="says" /></colgroup>
            <thead>
                <tr>
                    <th scope="col" class="what"><span class="unseen">"Prompt"</span></th>
                    <th scope="col" class="old" title="probability of the prompt’s true answer: hollow before the edit, filled after">"True answer " <small>"○ before ● after"</small> {ends()}</th>
                    <th scope="col" class="new" title="probability of the new answer: hollow before the edit, filled after">{words::short(&new, 14)} " " <small aria-hidden="true">"□ ■"</small> {ends()}</th>
                    <th scope="col" class="says" title="the answer that the model gives before and after the edit">"Says, before → after"</th>
                </tr>
            </thead>
            {groups.into_iter().map(|group| view! { <Part group=group /> }).collect_view()}
        </table>
        <Numbers head=head rows=rows name="Numbers of each prompt" />
    }
}

/// Prompts of one kind.
#[component]
fn Part(group: Group) -> impl IntoView {
    let Group { name, note, rows } = group;
    let count = rows.len();
    let few: Vec<bool> = {
        let always = |row: &Row| row.hurt || row.lost;
        let mut left = FEW.saturating_sub(rows.iter().filter(|row| always(row)).count());
        let mut keep = |row: &Row| {
            let kept = always(row) || left > 0;
            left = left.saturating_sub(usize::from(kept && !always(row)));
            kept
        };
        rows.iter().map(&mut keep).collect()
    };
    let hidden = few.iter().filter(|kept| !**kept).count();
    let all = RwSignal::new(false);
    let toggle = (hidden > 0).then(|| {
        view! {
            <button type="button" class="all-rows" aria-expanded=move || all.get().to_string() on:click=move |_| all.update(|all| *all = !*all)>
                {move || if all.get() { "show fewer".to_owned() } else { format!("show all {count}") }}
            </button>
        }
    });
    let rows = rows.into_iter().zip(few).collect::<Vec<_>>();
    let drawn = move || {
        let rows = rows.iter().filter(|(_, few)| *few || all.get());
        rows.map(|(row, _)| line(row.clone())).collect_view()
    };
    let head = (!name.is_empty()).then(|| {
        view! { <tr><th colspan="4" scope="rowgroup">{name} " " <span>{note}</span> {toggle}</th></tr> }
    });
    view! { <tbody>{head} {drawn}</tbody> }
}

/// A prompt.
fn line(row: Row) -> impl IntoView {
    let title = row.text();
    let Row { prompt: [before, subject, after], answer, old, new, says, hurt, .. } = row;
    let class = if hurt { "says bad" } else { "says" };
    let mark = hurt.then(
        || view! { <span class="cross" title="hurt by the edit">"✕ "<span class="unseen">"hurt: "</span></span> },
    );
    view! {
        <tr class:hurt=hurt>
            <td class="what" title=title>
                {before}<span class="s">{subject}</span>{after}
                {answer.map(|answer| view! { <span class="own">" " {answer}</span> })}
            </td>
            <td class="old">{pair(old, "pair old")}</td>
            <td class="new">{new.map(|new| pair(new, "pair new"))}</td>
            <td class=class title=says.clone()>{mark} {says.clone()}</td>
        </tr>
    }
}

/// The ends of the lines beneath.
fn ends() -> impl IntoView {
    view! { <span class="ends" aria-hidden="true"><i>"0 %"</i><i>"100 %"</i></span> }
}

/// A probability before and after as two marks on a line from 0 to 100 %.
fn pair([before, after]: [f64; 2], class: &'static str) -> impl IntoView {
    let left = |p: f64| format!("left:{:.1}%", 100.0 * p.clamp(0.0, 1.0));
    let between = format!("{};width:{:.1}%", left(before.min(after)), 100.0 * (before - after).abs());
    let said = format!("{} → {}", words::percent_of(before), words::percent_of(after));
    let title = said.clone();
    view! {
        <div class=class title=title>
            <span class="unseen">{said}</span>
            <i style=between></i>
            <b style=left(before)></b>
            <b class="after" style=left(after)></b>
        </div>
    }
}
