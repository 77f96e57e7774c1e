//! The sections that are read rather than looked at. They are the same whatever is chosen, so a viewer leaves them as they
//! were printed.

use super::Desk;
use super::said::told;
use crate::components::About;
use crate::figures::article::dropped as fell;
use crate::figures::article::method::{self, Piece};
use crate::figures::article::reproduce::{self, Reproduce};
use crate::figures::article::title::title;
use crate::figures::article::{Article, limits};
use engram_core::metrics::MetricConvention;
use leptos::prelude::*;

/// A section by its place in addresses.
pub(super) fn section(id: &str, desk: &Desk) -> AnyView {
    let article = Article::new(&desk.records, &MetricConvention::default());
    match id {
        "front" => front(&article),
        "dropped" => dropped(&article),
        "limits" => all_limits(&article),
        "method" => all_methods(&article),
        _ => reproduced(&article),
    }
}

fn front(article: &Article<'_>) -> AnyView {
    let title = title(article);
    let byline: Vec<_> = title.byline.into_iter().map(|line| view! { <p class="faint">{line}</p> }).collect();
    view! {
        <h1>{title.title}</h1>
        {byline}
        <p class="lead">{told(&title.done)}</p>
    }
    .into_any()
}

fn dropped(article: &Article<'_>) -> AnyView {
    let row = |row: fell::Row| {
        let example = |example: &fell::Example| {
            let numbers = example.numbers.clone();
            view! {
                <li>
                    {example.prompt.clone()} " " <b>{example.answer.clone()}</b> " " <span class="faint">{numbers}</span>
                </li>
            }
        };
        let examples: Vec<_> = row.examples.iter().map(example).collect();
        view! {
            <tr>
                <th scope="row">{row.model}</th>
                <td>{row.reason.name()}</td>
                <td class="number">{format!("{} of {}", row.share.count, row.share.of)}</td>
                <td class="wide">{row.why} <ul>{examples}</ul></td>
            </tr>
        }
    };
    let rows: Vec<_> = fell::rows(article).into_iter().map(row).collect();
    let table = (!rows.is_empty()).then(|| {
        view! {
            <div class="scroll tall" tabindex="0" role="region" aria-label="Excluded facts">
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
    view! { <p>{fell::sentence(article)}</p> {table} }.into_any()
}

fn all_limits(article: &Article<'_>) -> AnyView {
    let one = |limit: limits::Limit| view! { <dt>{limit.topic}</dt> <dd>{told(&limit.text)}</dd> };
    let all: Vec<_> = limits::limits(article).into_iter().map(one).collect();
    view! { <dl class="limits">{all}</dl> }.into_any()
}

fn all_methods(article: &Article<'_>) -> AnyView {
    let piece = |piece: Piece| match piece {
        Piece::Text(text) => view! { <p>{text}</p> }.into_any(),
        // The program's own text, never a record's.
        Piece::Formula { mathml, words } => {
            view! { <div class="formula" role="img" aria-label=words inner_html=mathml></div> }.into_any()
        }
    };
    let section = |section: method::Section| {
        let pieces: Vec<_> = section.paragraphs.into_iter().map(piece).collect();
        view! { <h3>{section.title}</h3> {pieces} }
    };
    let sections: Vec<_> = method::sections(article).into_iter().map(section).collect();
    let source = |source: method::Reference| view! { <li>{source.text} ". " <span class="faint">"For " {source.used_for} "."</span></li> };
    let sources: Vec<_> = method::references(article).into_iter().map(source).collect();
    view! { {sections} <h3>"References"</h3> <ul>{sources}</ul> }.into_any()
}

fn reproduced(article: &Article<'_>) -> AnyView {
    let one = |one: Reproduce| {
        let notes: Vec<_> = one.notes.into_iter().map(|note| view! { <p class="faint">{note}</p> }).collect();
        view! {
            <h3>{one.model}</h3>
            <pre>{format!("{}\n{}", one.study, one.verify)}</pre>
            {notes}
            <details class="numbers">
                <summary>"All settings, seeds, digests and the device"</summary>
                <About lines=one.lines />
            </details>
        }
    };
    let all: Vec<_> = reproduce::records(article).into_iter().map(one).collect();
    let line = |command, out| reproduce::over_all(article, command, out);
    let extract = reproduce::extract(article).map(|said| view! { <p>{told(&said)}</p> });
    view! {
        <p>
            "A study with these settings, files and program gives these numbers again. Another device may change the last digits."
        </p>
        {extract}
        {all}
        <h3>"This page and its numbers as files"</h3>
        <pre>{format!("{}\n{}", line("report", "page.html"), line("export", "export"))}</pre>
    }
    .into_any()
}
