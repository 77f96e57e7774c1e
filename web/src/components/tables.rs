//! The paper's tables over all open records, with the same numbers as files.

use crate::words::{percent, visible};
use engram_core::tables::{Align, Table};
use leptos::prelude::*;

/// Tables as HTML tables, each with its notes and its downloads.
#[component]
pub fn Tables(
    /// The tables.
    tables: Vec<Table>,
) -> impl IntoView {
    tables.iter().map(one).collect_view()
}

fn one(table: &Table) -> impl IntoView + use<> {
    let name = |end: &str| format!("table-{}.{end}", table.number);
    let csv = table.to_csv().ok().map(|csv| file(&csv, "text/csv", name("csv"), "CSV"));
    let markdown = file(&table.to_markdown(), "text/markdown", name("md"), "Markdown");
    let body = self::table(table);
    view! {
        <div class="table">
            {body}
            <p class="files">{csv} {markdown}</p>
        </div>
    }
}

/// A table with its notes.
pub fn table(table: &Table) -> AnyView {
    let aligns: Vec<&'static str> =
        table.columns.iter().map(|column| if column.align == Align::Right { "number" } else { "" }).collect();
    let head: Vec<_> = table
        .columns
        .iter()
        .zip(&aligns)
        .map(|(column, align)| view! { <th scope="col" class=*align>{visible(&column.name)}</th> })
        .collect();
    let row = |cells: &Vec<engram_core::tables::Cell>| {
        let cell = |(at, cell): (usize, &engram_core::tables::Cell)| {
            let text = visible(&cell.display());
            let class = aligns.get(at).copied().unwrap_or_default();
            if at == 0 {
                view! { <th scope="row">{text}</th> }.into_any()
            } else {
                view! { <td class=class>{text}</td> }.into_any()
            }
        };
        view! { <tr>{cells.iter().enumerate().map(cell).collect_view()}</tr> }
    };
    let rows: Vec<_> = table.rows.iter().map(row).collect();
    let notes: Vec<_> = table.notes.iter().map(|note| view! { <p class="faint">{visible(note)}</p> }).collect();
    let title = format!("Table {}. {}", table.number, table.title);
    let label = title.clone();
    view! {
        <div class="scroll" tabindex="0" role="region" aria-label=label>
            <table>
                <caption>{title}</caption>
                <thead>
                    <tr>{head}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {notes}
    }
    .into_any()
}

/// A link that saves a text as a file. Nothing is sent anywhere: the text is in the link.
pub(super) fn file(text: &str, kind: &str, name: String, words: &'static str) -> impl IntoView + use<> {
    let href = format!("data:{kind};charset=utf-8,{}", percent(text));
    view! { <a href=href download=name>{words}</a> }
}
