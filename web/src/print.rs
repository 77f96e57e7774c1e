//! Result pages as text: the article's views drawn without a browser, with the records beside it.

use crate::article::{Article, Desk, PLATES, Plate, Words};
use crate::figures::article::facts_table::filter::Filter;
use crate::figures::article::{Article as Told, title};
use crate::figures::plate;
use crate::shell::{Mark, filled};
use crate::state::ViewState;
use engram_core::metrics::View;
use engram_core::record::Record;
use engram_core::{Error, Result, pack};
use leptos::prelude::*;
use std::sync::Arc;

/// A page over records, in a frame from [`crate::shell`]. Equal records and frames give equal pages.
///
/// # Errors
/// When there is no record, one holds a number that is not finite, there are more facts than a page can show, or the
/// frame is not one.
pub fn page(frame: &str, records: &[Record]) -> Result<String> {
    checked(records)?;
    let packed = pack::pack(records)?;
    let title = title::title(&Told::new(records, &View::default())).title;
    let words = Words::of(records);
    let carried = serde_json::to_vec(&words).map_err(|error| Error::io(format!("sentences: {error}")))?;
    let carried = format!("{}\n{}", pack::in_page(&packed), pack::beside(&carried)?);
    let desk = |desk: Desk| view! { <Article desk=desk /> }.into_any();
    let article = lean(&drawn(records, words, ViewState::default(), desk));
    let marks = [
        (Mark::Title, escaped(&title)),
        (Mark::Version, env!("CARGO_PKG_VERSION").to_owned()),
        (Mark::Article, article),
        (Mark::Records, carried),
    ];
    let marks: Vec<(Mark, &str)> = marks.iter().map(|(mark, text)| (*mark, text.as_str())).collect();
    filled(frame, &marks).ok_or_else(|| {
        Error::input("the frame of the result page is damaged").hint("build the site again: `cargo xtask web`")
    })
}

/// Every figure of the article as a picture that stands alone: the stem of its file, and SVG.
///
/// # Errors
/// As [`page`].
pub fn pictures(records: &[Record], state: ViewState) -> Result<Vec<(String, String)>> {
    checked(records)?;
    let words = Words::of(records);
    let one = |figure: &Plate| {
        let html = drawn(records, words.clone(), state, |desk| (figure.draw)(&desk));
        Some((figure.id.to_owned(), plate::picture(figure.title, &plate::pieces(&html))?))
    };
    Ok(PLATES.iter().filter_map(one).collect())
}

/// What no page can be made of.
fn checked(records: &[Record]) -> Result<()> {
    if records.is_empty() {
        return Err(Error::input("a result page needs at least one record"));
    }
    let facts: usize = records.iter().map(|record| record.facts.len()).sum();
    if facts > pack::MOST_FACTS {
        return Err(Error::input(format!("{facts} facts; a page shows at most {}", pack::MOST_FACTS))
            .hint("give fewer records at a time; `engram export` takes their numbers out at any size"));
    }
    Ok(())
}

/// A view as HTML.
fn drawn(records: &[Record], words: Words, state: ViewState, view: impl FnOnce(Desk) -> AnyView) -> String {
    let owner = Owner::new();
    let records = Arc::new(records.to_vec());
    let html = owner.with(|| view(Desk::new(records, words, state, Filter::default(), false)).to_html());
    owner.cleanup();
    // Marks between texts, for a viewer that takes hold of them; ours draws anew.
    html.replace("<!>", "")
}

/// Without what only a mouse finds: tooltips and what is under it. Empty elements of a drawing are closed at once.
fn lean(html: &str) -> String {
    let cut = |html: &str, from: &str, to: &str| {
        let mut parts = html.split(from);
        let mut out = parts.next().unwrap_or_default().to_owned();
        parts.for_each(|part| out.push_str(part.split_once(to).map_or("", |(_, rest)| rest)));
        out
    };
    let mut html = cut(html, "<title>", "</title>");
    // HTML does without these ends.
    for end in ["</td>", "</th>", "</tr>", "</li>", "</dd>", "</dt>", "</option>"] {
        html = html.replace(end, "");
    }
    let shapes = ["rect", "line", "circle", "polygon", "path", "polyline"];
    for shape in shapes {
        html = html.replace(&format!("></{shape}>"), "/>");
    }
    let hover = |line: &str| line.contains(" class=\"hover\"");
    let mut out = String::with_capacity(html.len());
    for (at, part) in html.split("<rect ").enumerate() {
        match part.split_once("/>") {
            Some((attributes, rest)) if at > 0 && hover(attributes) => out.push_str(rest),
            _ if at > 0 => {
                out.push_str("<rect ");
                out.push_str(part);
            }
            _ => out.push_str(part),
        }
    }
    out
}

/// A text within an element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lean_page_says_and_shows_the_same() {
        let html = "<p>a</p><svg><g><rect x=\"1\" class=\"hover\"></rect><rect class=\"bar\"></rect><title>t</title></g>b</svg>";
        assert_eq!(lean(html), "<p>a</p><svg><g><rect class=\"bar\"/></g>b</svg>");
        assert_eq!(lean("<tr><th>a</th><td>b</td></tr></tbody>"), "<tr><th>a<td>b</tbody>");
    }
}
