//! A file as an answer: whole or in part, compressed where that is understood, or not at all when the browser has it.

use super::headers;
use super::site::Content;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Everything, or what is not understood, which may be answered with everything.
    Whole,
    /// These bytes.
    Some(Range<usize>),
    /// Bytes that are not there.
    None,
}

/// The answer to a request for a file.
pub fn file(asked: &HeaderMap, path: &str, content: Content) -> Response {
    let compressible = content.gzip;
    let gzip = compressible && accepts_gzip(asked);
    let bytes = match if gzip { Ok(content.bytes) } else { content.unpacked() } {
        Ok(bytes) => bytes,
        Err(error) => {
            log::warn!("{path}: {error}");
            return (StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be unpacked\n").into_response();
        }
    };
    let mut told = HeaderMap::new();
    told.insert(header::CACHE_CONTROL, HeaderValue::from_static(headers::kept(path)));
    let mut tag = None;
    // A name with a digest says as much.
    if !headers::hashed(path) {
        tag = Some(digest(&bytes));
    }
    if let Some(tag) = &tag {
        insert(&mut told, header::ETAG, tag);
    }
    if compressible {
        told.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    } else {
        told.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if tag.as_ref().is_some_and(|tag| known(asked, tag)) {
        return (StatusCode::NOT_MODIFIED, told).into_response();
    }
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static(headers::kind(path)));
    if gzip {
        told.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let part = if compressible { Part::Whole } else { part(asked, bytes.len(), tag.as_deref()) };
    answer(part, bytes, told)
}

fn answer(part: Part, bytes: Bytes, mut told: HeaderMap) -> Response {
    let length = bytes.len();
    let (status, bytes) = match part {
        Part::Whole => (StatusCode::OK, bytes),
        Part::Some(range) => {
            let last = range.end.saturating_sub(1);
            insert(&mut told, header::CONTENT_RANGE, &format!("bytes {}-{last}/{length}", range.start));
            (StatusCode::PARTIAL_CONTENT, bytes.slice(range))
        }
        Part::None => {
            insert(&mut told, header::CONTENT_RANGE, &format!("bytes */{length}"));
            (StatusCode::RANGE_NOT_SATISFIABLE, Bytes::new())
        }
    };
    // Said here, because the answer to HEAD has no body to count.
    told.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    (status, told, bytes).into_response()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The file's mark, by which a browser asks whether it has changed.
fn digest(bytes: &[u8]) -> String {
    let digest: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}\"")
}

/// Whether the browser has the file with this mark.
fn known(asked: &HeaderMap, tag: &str) -> bool {
    let same = |have: &str| have == "*" || have.strip_prefix("W/").unwrap_or(have) == tag;
    text(asked, &header::IF_NONE_MATCH).is_some_and(|list| list.split(',').any(|have| same(have.trim())))
}

fn accepts_gzip(asked: &HeaderMap) -> bool {
    let takes = |coding: &str| {
        let mut words = coding.split(';').map(str::trim);
        let gzip = matches!(words.next(), Some("gzip" | "x-gzip" | "*"));
        let weight = words.find_map(|word| word.strip_prefix("q=")).and_then(|weight| weight.parse::<f32>().ok());
        gzip && weight != Some(0.0)
    };
    text(asked, &header::ACCEPT_ENCODING).is_some_and(|list| list.split(',').any(takes))
}

/// The part that is asked for: one range of bytes, of the file that the browser knows, if it names one.
fn part(asked: &HeaderMap, length: usize, tag: Option<&str>) -> Part {
    if text(asked, &header::IF_RANGE).is_some_and(|have| Some(have) != tag) {
        return Part::Whole;
    }
    let range = text(asked, &header::RANGE).and_then(|range| range.strip_prefix("bytes=")).map(str::trim);
    let Some((from, to)) = range.and_then(|range| range.split_once('-')) else { return Part::Whole };
    let number = |digits: &str| {
        let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than a number holds are past every file's end.
        all.then(|| digits.parse::<usize>().unwrap_or(usize::MAX))
    };
    let range = match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => from..to.saturating_add(1).min(length),
        (Some(from), None) if to.is_empty() => from..length,
        (None, Some(last)) if from.is_empty() => length.saturating_sub(last)..length,
        _ => return Part::Whole,
    };
    if range.start < range.end { Part::Some(range) } else { Part::None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        insert(&mut headers, name, value);
        headers
    }

    #[test]
    fn ranges() {
        let part = |value: &str| part(&asked(header::RANGE, value), 10, None);
        assert_eq!(part("bytes=0-0"), Part::Some(0..1));
        assert_eq!(part("bytes=2-5"), Part::Some(2..6));
        assert_eq!(part("bytes=2-"), Part::Some(2..10));
        assert_eq!(part("bytes=-3"), Part::Some(7..10));
        assert_eq!(part("bytes=-30"), Part::Some(0..10));
        assert_eq!(part("bytes=9-99999999999999999999999"), Part::Some(9..10));
        for none in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(part(none), Part::None, "{none}");
        }
        for whole in ["bytes=5-2", "bytes=0-1,4-5", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=+1-2", ""] {
            assert_eq!(part(whole), Part::Whole, "{whole}");
        }
    }

    #[test]
    fn codings() {
        let takes = |value: &str| accepts_gzip(&asked(header::ACCEPT_ENCODING, value));
        assert!(takes("gzip") && takes("gzip, deflate, br, zstd") && takes("br;q=1.0, gzip;q=0.8") && takes("*"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("") && !takes("identity"));
    }
}
