//! The sections that are read rather than looked at. They are the same whatever is chosen, so a viewer leaves them as they
//! were printed.

use super::Desk;
use super::said::told;
use crate::components::{About, copied};
use crate::figures::article::dropped as fell;
use crate::figures::article::method::{self, Piece};
use crate::figures::article::reproduce::{self, Reproduce};
use crate::figures::article::title::title;
use crate::figures::article::{Article, limits};
use crate::figures::cite;
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
    view! {
        <p class="about">{title.byline.join("; ")}</p>
        <h1>{title.title}</h1>
    }
    .into_any()
}

fn dropped(article: &Article<'_>) -> AnyView {
    let row = |row: fell::Row| {
        view! {
            <tr>
                <th scope="row">{row.model}</th>
                <td>{row.reason.name()}</td>
                <td class="number">{format!("{} of {}", row.share.count, row.share.of)}</td>
                <td class="wide">{row.why}</td>
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
                            <th scope="col">"what it means"</th>
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
    let done = told(&title(article).done);
    let source = |source: method::Reference| view! { <li>{source.text} ". " <span class="faint">"For " {source.used_for} "."</span></li> };
    let sources: Vec<_> = method::references(article).into_iter().map(source).collect();
    view! { <p class="lead">{done}</p> {sections} <h3>"References"</h3> <ul>{sources}</ul> }.into_any()
}

/// What can be checked of the page, how its numbers are computed again, and how it is cited.
fn reproduced(article: &Article<'_>) -> AnyView {
    let page = format!("{}.html", title(article).stem);
    let [verify, again, lab] =
        [format!("engram verify {page}"), format!("engram verify {page} --rerun 5"), format!("engram lab {page}")];
    let extract = reproduce::extract(article).map(|said| view! { <p>{told(&said)}</p> });
    let bibtex = cite::bibtex(article);
    let all: Vec<_> = reproduce::records(article).into_iter().map(again_one).collect();
    let line = |command, out| reproduce::over_all(article, command, out);
    view! {
        <p>
            "The records are in this page, with every number that its figures and sentences are made of. The first command holds \
             the page against them, and them against their facts and models; the second computes facts of them again."
        </p>
        {extract}
        {command(&format!("{verify}\n{again}"))}
        <h3 id="lab">"Open in the lab"</h3>
        <p>
            "The lab traces and edits the same models. This opens it in a browser with the records of this page; a lab that is open \
             takes the file where it is dropped."
        </p>
        {command(&lab)}
        <h3 id="cite">"Cite"</h3>
        {command(&bibtex)}
        <p class="faint">"Author and year are for you to add: the records know neither."</p>
        <h3>"The records again"</h3>
        <p>
            "A study with these settings, files and program reproduces these numbers; another device may change the \
             last bits of a float."
        </p>
        {all}
        <h3>"This page and its numbers as files"</h3>
        {command(&format!("{}\n{}", line("report", "page.html"), line("export", "export")))}
        <h3 id="policy">"On a server of your own"</h3>
        <p>
            "The page is one file and asks nobody for anything: the policy in its head allows its own script by its digest, the \
             viewer (" <code>"'wasm-unsafe-eval'"</code> "), styles within the file and pictures that it makes itself. A server that \
             sends a policy too has to allow the same. Where a script is refused the page can be read as it is now: nothing in it \
             answers, and that is all."
        </p>
    }
    .into_any()
}

/// One study, and how it is made again.
fn again_one(one: Reproduce) -> AnyView {
    let notes: Vec<_> = one.notes.into_iter().map(|note| view! { <p class="faint">{note}</p> }).collect();
    view! {
        <h4>{one.model}</h4>
        {command(&format!("{}\n{}", one.study, one.verify))}
        {notes}
        <details class="numbers">
            <summary>"All settings, seeds, digests and the device"</summary>
            <About lines=one.lines />
        </details>
    }
    .into_any()
}

/// Something to paste, and a button that copies it.
fn command(text: &str) -> AnyView {
    view! { <div class="command"><pre>{text.to_owned()}</pre> {copied(text, "Copy")}</div> }.into_any()
}
