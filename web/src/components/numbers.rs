//! The numbers behind a figure as a table and as CSV: the figure's twin for those who read rather than look.

use super::{STILL, tables};
use crate::figures::numbers::to_csv;
use leptos::{html, prelude::*};

/// A folded table; its rows are made when it is opened for the first time.
#[component]
pub fn Numbers(
    /// Column names.
    head: Vec<String>,
    /// Rows of as many cells; the first one names the row.
    #[prop(into)]
    rows: Signal<Vec<Vec<String>>>,
    /// What it is called.
    #[prop(default = "Numbers")]
    name: &'static str,
) -> impl IntoView {
    if STILL {
        // Nobody opens it, and without scripts it would be empty.
        return ().into_any();
    }
    let opened = RwSignal::new(false);
    // Where a figure is drawn anew in place of another one, the table may be open from before.
    let details = NodeRef::<html::Details>::new();
    Effect::new(move |_| {
        if details.get().is_some_and(|details| details.open()) {
            opened.set(true);
        }
    });
    let table = move || {
        let columns = head.clone();
        let csv = move || rows.with(|rows| to_csv(&columns, rows));
        let file = move || csv().map(|csv| tables::file(&csv, "text/csv", format!("{}.csv", stem(name)), "CSV"));
        let head: Vec<_> = head.iter().map(|name| view! { <th scope="col">{name.clone()}</th> }).collect();
        let body = move || rows.with(|rows| rows.iter().map(|cells| row(cells)).collect_view());
        view! {
            <p class="files">{file}</p>
            <div class="scroll" tabindex="0">
                <table>
                    <thead>
                        <tr>{head}</tr>
                    </thead>
                    <tbody>{body}</tbody>
                </table>
            </div>
        }
    };
    view! {
        <details class="numbers" node_ref=details on:toggle=move |_| opened.set(true)>
            <summary>{name}</summary>
            {move || opened.get().then(&table)}
        </details>
    }
    .into_any()
}

/// A file's name without its ending.
fn stem(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}

/// A row of numbers; its first cell names it.
pub(crate) fn row(cells: &[String]) -> impl IntoView + use<> {
    let (first, rest) =
        cells.split_first().map_or((String::new(), Vec::new()), |(name, rest)| (name.clone(), rest.to_vec()));
    view! {
        <tr>
            <th scope="row">{first}</th>
            {rest.into_iter().map(|cell| view! { <td class="number">{cell}</td> }).collect_view()}
        </tr>
    }
}
