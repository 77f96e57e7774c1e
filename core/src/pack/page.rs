//! Packed records within a web page.

use super::{from_text, to_text, unpack};
use crate::record::Record;
use crate::{Error, Result, gz};

/// The `id` of the element that holds them.
pub const RECORDS: &str = "engram-records";

/// How the element begins, up to its text. A script of a type that no browser runs: its text is not shown, and nothing
/// in it could end it.
fn opening() -> String {
    format!("<script type=\"application/gzip\" id=\"{RECORDS}\">")
}

/// The element that carries packed records.
pub fn in_page(packed: &[u8]) -> String {
    format!("{}{}</script>", opening(), to_text(packed))
}

/// The `id` of the element that holds what is said of them.
pub const WORDS: &str = "engram-words";

/// An element that carries something else than records, for the page's own viewer.
///
/// # Errors
/// None in memory.
pub fn beside(bytes: &[u8]) -> Result<String> {
    let text = to_text(&gz::pack_small(bytes)?);
    Ok(format!("<script type=\"application/gzip\" id=\"{WORDS}\">{text}</script>"))
}

/// What [`beside`] was given, from the element's text.
///
/// # Errors
/// When it is damaged.
pub fn from_beside(text: &str) -> Result<Vec<u8>> {
    Ok(gz::unpack(&from_text(text)?)?.into_owned())
}

/// The records that a web page carries; `None` when the bytes are no page.
///
/// # Errors
/// When it is a page without records, with several sets of them, or as [`unpack`] says.
pub fn from_page(bytes: &[u8]) -> Option<Result<Vec<Record>>> {
    let begin = bytes.trim_ascii_start();
    let begin = begin.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begin);
    let page = begin.get(..9).is_some_and(|first| first.eq_ignore_ascii_case(b"<!doctype"))
        || begin.get(..5).is_some_and(|first| first.eq_ignore_ascii_case(b"<html"));
    page.then(|| records(bytes))
}

fn records(page: &[u8]) -> Result<Vec<Record>> {
    let wrong = |what: &str| Error::input(format!("a web page {what}")).hint("result pages come from `engram report`");
    let page = std::str::from_utf8(page).map_err(|_| wrong("that is not UTF-8"))?;
    let (_, after) = page.split_once(&opening()).ok_or_else(|| wrong("without records"))?;
    let (text, rest) = after.split_once("</script>").ok_or_else(|| wrong("whose records are cut off"))?;
    if rest.contains(&opening()) {
        return Err(wrong("with more than one set of records"));
    }
    unpack(&from_text(text)?)
}
