//! A small result within an address: one trace with all of its numbers, in the part after `#`, which no server sees.

use crate::load;
use crate::state::model_of;
use engram_core::record::{Record, Traced};
use engram_core::{Error, Result, pack};

/// The result's name in the address: `#trace=…`.
const NAME: &str = "trace";
/// Longest link, in characters: some browsers cut addresses at 32,767, and chat programs and mail at less or little
/// more. It also bounds what a hostile link can unpack to, by gzip's best ratio, at 25 MB.
pub const MOST_LINK: usize = 32_000;
/// Most tokens of a prompt that came with a link; each is drawn.
const MOST_TOKENS: usize = 1000;

/// The link to a record of one trace; `page` is the page's own address with whatever else it shall say.
///
/// # Errors
/// When the record is not one trace, holds a number that is not finite, or the link is longer than [`MOST_LINK`].
pub fn to(page: &str, record: &Record) -> Result<String> {
    one(record)?;
    let text = pack::to_link(&pack::pack(std::slice::from_ref(record))?);
    let link = format!("{page}#{NAME}={text}");
    if link.len() > MOST_LINK {
        let (found, most) = (thousands(link.len()), thousands(MOST_LINK));
        return Err(Error::input(format!("the link would have {found} characters, and {most} is the most"))
            .hint("save the record or export the page instead; both hold every number"));
    }
    Ok(link)
}

/// The packed result in what an address has after `#`, with or without that sign.
pub fn text(hash: &str) -> Option<&str> {
    hash.trim_start_matches('#').strip_prefix(NAME)?.strip_prefix('=')
}

/// The part after `#` for a packed result.
pub fn hash(text: &str) -> String {
    format!("#{NAME}={text}")
}

/// Reads a packed result, and checks it as if it had come as a file.
///
/// # Errors
/// When it is damaged, too long, or anything but one trace that this page can draw.
pub fn read(text: &str) -> Result<Record> {
    let inner = || {
        if text.len() > MOST_LINK {
            let (found, most) = (thousands(text.len()), thousands(MOST_LINK));
            return Err(Error::input(format!("it has {found} characters, and {most} is the most"))
                .hint("ask for the record or the page as a file"));
        }
        let mut records = pack::unpack(&pack::from_link(text)?)?;
        let record = records.pop().filter(|_| records.is_empty());
        let record = record.ok_or_else(|| no_trace("it does not hold one record"))?;
        load::drawable(&record)?;
        let traced = one(&record)?;
        let most = traced.tokens.len().max(traced.corrupt_tokens.len());
        if most > MOST_TOKENS {
            return Err(Error::input(format!("a prompt of {most} tokens; a link brings at most {MOST_TOKENS}"))
                .hint("ask for the record as a file"));
        }
        Ok(record)
    };
    inner().map_err(|error: Error| {
        let error = error.at("the link's result");
        if error.page_step().is_some() {
            error
        } else {
            error.hint("ask for the link again, or for the record as a file")
        }
    })
}

/// The model to ask again: `chosen` where that is the record's at some revision, or where no address can name the
/// record's; the record's own otherwise.
pub fn model(record: &Record, chosen: &str) -> String {
    let name = &record.model.name;
    let same = chosen.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'));
    if same || model_of(name).is_none() { chosen.to_owned() } else { name.clone() }
}

/// The record's one trace.
fn one(record: &Record) -> Result<&Traced> {
    if record.edits.as_ref().is_some_and(|edits| !edits.is_empty()) {
        return Err(no_trace("it holds edits"));
    }
    match record.facts.as_slice() {
        [fact] => fact.traced().ok_or_else(|| no_trace("its fact was not traced")),
        facts => Err(no_trace(&format!("it holds {} facts", facts.len()))),
    }
}

fn no_trace(why: &str) -> Error {
    Error::input(format!("not one trace: {why}")).hint("a link brings one trace; records and pages bring studies")
}

/// `32,000`.
fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
