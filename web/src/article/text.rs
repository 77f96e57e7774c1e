//! The sections that are read rather than looked at.

use super::Desk;
use crate::figures::article::{Article, dropped as fell};
use engram_core::metrics::View;
use leptos::prelude::*;

/// What fell out and why.
pub(super) fn dropped(desk: &Desk) -> AnyView {
    let article = Article::new(&desk.records, &View::default());
    let said = fell::sentence(&article);
    let row = |row: fell::Row| {
        let examples: Vec<_> = row
            .examples
            .iter()
            .map(|example| view! { <li>{format!("{} {}", example.prompt, example.answer)} <span class="faint">" " {example.numbers.clone()}</span></li> })
            .collect();
        view! {
            <tr>
                <th scope="row">{row.model}</th>
                <td>{row.reason.name()}</td>
                <td class="number">{format!("{} of {}", row.share.count, row.share.of)}</td>
                <td class="wide">{row.why} <ul>{examples}</ul></td>
            </tr>
        }
    };
    let rows: Vec<_> = fell::rows(&article).into_iter().map(row).collect();
    let table = (!rows.is_empty()).then(|| {
        view! {
            <div class="scroll tall" tabindex="0" role="region" aria-label="Facts that fell out">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"model"</th>
                            <th scope="col">"reason"</th>
                            <th scope="col" class="number">"facts"</th>
                            <th scope="col">"what it means, with examples"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
    });
    view! { <p>{said}</p> {table} }.into_any()
}

pub(super) fn limits(_: &Desk) -> AnyView {
    ().into_any()
}
pub(super) fn method(_: &Desk) -> AnyView {
    ().into_any()
}
pub(super) fn reproduce(_: &Desk) -> AnyView {
    ().into_any()
}
