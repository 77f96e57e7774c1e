//! Result pages as text: the article's views drawn without a browser, with the records beside it.

use crate::article::{Article, Desk, PLATES, Plate, Words};
use crate::figures::article::{Article as Told, title};
use crate::figures::plate;
use crate::figures::study::Filter;
use crate::load::drawable;
use crate::shell::{FRAME, Mark, filled};
use crate::state::ViewState;
use crate::words;
use engram_core::metrics::MetricConvention;
use engram_core::record::Record;
use engram_core::{Error, Result, pack};
use leptos::prelude::*;
use std::sync::Arc;

/// Bytes of a page above which it carries no numbers that it does not show.
const LARGE: usize = 2_000_000;

/// A page over records, in a frame from [`crate::shell`]. Equal records and frames give equal pages. A large one carries
/// what [`pack::extract`] leaves.
///
/// # Errors
/// When there is no record, one holds a number that is not finite, there are more facts than a page can show, or the
/// frame is not one.
pub fn page(frame: &str, records: &[Record]) -> Result<String> {
    checked(records)?;
    let whole = made(frame, records)?;
    match pack::extract(records).filter(|_| whole.len() > LARGE) {
        Some(extract) => made(frame, &extract),
        None => Ok(whole),
    }
}

fn made(frame: &str, records: &[Record]) -> Result<String> {
    let packed = pack::pack(records)?;
    let title = title::title(&Told::new(records, &MetricConvention::default())).title;
    let (words, article) = article(records);
    let carried = serde_json::to_vec(&words).map_err(|error| Error::io(format!("sentences: {error}")))?;
    let carried = format!("{}\n{}", pack::in_page(&packed), pack::beside(&carried)?);
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

/// Whether a page says and draws what its records give, as far as the reader without scripting sees it: the article's
/// HTML is compared with the one that is printed anew.
///
/// # Errors
/// As [`page`].
pub fn says_what_its_records_give(page: &str, records: &[Record]) -> Result<bool> {
    checked(records)?;
    let (_, printed) = article(records);
    let (before, after) = FRAME.split_once(Mark::Article.text()).unwrap_or_default();
    let open = before.rsplit_once('\n').map_or(before, |(_, line)| line);
    let close = after.split_once('\n').map_or(after, |(line, _)| line);
    let found = page.split_once(open).and_then(|(_, rest)| rest.split_once(close));
    Ok(found.is_some_and(|(found, _)| found == printed))
}

/// What is said under every view, and the article under the first one.
fn article(records: &[Record]) -> (Words, String) {
    let words = Words::of(records);
    let desk = |desk: Desk| view! { <Article desk=desk /> }.into_any();
    let article = drawn(records, words.clone(), ViewState::default(), desk);
    (words, article)
}

/// A figure of the article as a picture that stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its place in addresses, and the stem of its file: `figure-2`.
    pub id: &'static str,
    /// What a command line calls it: `sufficiency`.
    pub name: &'static str,
    /// Its number and title.
    pub title: &'static str,
    /// The drawing.
    pub svg: String,
}

/// Names of figures by their places in addresses.
pub const NAMES: [(&str, &str); 15] = [
    ("figure-1", "maps-by-role"),
    ("figure-2", "sufficiency"),
    ("figure-3", "second-position"),
    ("figure-a", "dominant-layers"),
    ("figure-b", "ablations"),
    ("figure-c", "relative-depth"),
    ("figure-4", "metrics"),
    ("figure-d", "maps"),
    ("figure-5", "edits-by-depth"),
    ("figure-6", "answers-after-edits"),
    ("figure-e", "prediction"),
    ("figure-f", "prediction-by-fact"),
    ("figure-g", "sequence"),
    ("figure-h", "retrace"),
    ("figure-i", "retrace-maps"),
];

/// Every figure of the article that the records have something of.
///
/// # Errors
/// As [`page`].
pub fn pictures(records: &[Record], state: ViewState) -> Result<Vec<Picture>> {
    checked(records)?;
    let words = Words::of(records);
    let one = |figure: &Plate| {
        let html = drawn(records, words.clone(), state, |desk| (figure.draw)(&desk));
        let svg = plate::picture(figure.title, &plate::pieces(&html))?;
        let name = NAMES.iter().find(|(id, _)| *id == figure.id).map_or(figure.id, |(_, name)| *name);
        Some(Picture { id: figure.id, name, title: figure.title, svg })
    };
    Ok(PLATES.iter().filter_map(one).collect())
}

/// What no page can be made of.
fn checked(records: &[Record]) -> Result<()> {
    if records.is_empty() {
        return Err(Error::input("a result page needs at least one record"));
    }
    if records.len() > pack::MOST_RECORDS {
        return Err(Error::input(format!("{} records; a page shows at most {}", records.len(), pack::MOST_RECORDS))
            .hint("give fewer records at a time"));
    }
    for record in records {
        drawable(record).map_err(|error| error.at(words::visible(&record.model.name)))?;
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

/// A text within an element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
