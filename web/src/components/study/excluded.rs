//! The facts that a filter excludes, reason by reason.

use crate::figures::study::{Line, Place};
use crate::words;
use engram_core::record::Reason;
use leptos::prelude::*;
use std::collections::BTreeMap;

/// Facts of a reason that are listed before somebody asks for all.
const FIRST: usize = 20;

/// The facts.
#[component]
pub fn Excluded(
    /// All facts of the study.
    lines: Memo<Vec<Line>>,
    /// Called with the `order` of the fact that was pressed.
    on_choose: Callback<usize>,
) -> impl IntoView {
    let groups = move || {
        let mut groups: BTreeMap<Reason, Vec<Line>> = BTreeMap::new();
        lines.with(|lines| {
            for line in lines {
                if let Place::Excluded { reason, .. } = line.place {
                    groups.entry(reason).or_default().push(line.clone());
                }
            }
        });
        groups.into_iter().map(|(reason, lines)| group(reason, lines, on_choose)).collect_view()
    };
    view! { <div class="excluded-facts">{groups}</div> }
}

fn group(reason: Reason, lines: Vec<Line>, on_choose: Callback<usize>) -> impl IntoView {
    let all = RwSignal::new(false);
    let count = lines.len();
    let lines = StoredValue::new(lines);
    let one = move |line: &Line| {
        let (order, says) = (line.order, line.place.why());
        let says = says.as_deref().and_then(|why| why.split_once(": says ")).map(|(_, says)| format!("says {says}"));
        view! {
            <li>
                <button type="button" class="link" on:click=move |_| on_choose.run(order)>
                    {format!("{} {} {}", line.number, line.parts.concat(), line.answer)}
                </button>
                " " <span class="faint">{says}</span>
            </li>
        }
    };
    let listed = move || {
        let most = if all.get() { usize::MAX } else { FIRST };
        lines.with_value(|lines| lines.iter().take(most).map(one).collect_view())
    };
    let more = move || {
        (count > FIRST && !all.get()).then(
            || view! { <button type="button" on:click=move |_| all.set(true)>{format!("Show all {count}")}</button> },
        )
    };
    view! {
        <h3>{format!("{}: {}", words::capital(words::reason(reason).split(':').next().unwrap_or_default()), words::count(count, "fact"))}</h3>
        <p class="faint">{words::sentence(words::reason(reason))}</p>
        <ul>{listed}</ul>
        {more}
    }
}
