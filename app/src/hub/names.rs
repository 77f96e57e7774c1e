//! Names that come from a server and become names of files. Nothing of them may lead out of the cache.

use engram_core::text::{clipped, visible};

/// One name of a file or folder, without anything that a file system could read as more than that.
pub(super) fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=200).contains(&name.len()) && name.chars().all(allowed) && !name.starts_with('.') && !name.ends_with('.')
}

/// A path of a file within a model: plain names, `/` between them.
pub(super) fn is_inside(path: &str) -> bool {
    path.len() <= 1000 && path.split('/').all(is_plain)
}

/// An `ETag` header as the cache names its blobs: without quotes and without the mark of a weak one.
pub(super) fn etag(header: &str) -> &str {
    header.trim().trim_start_matches("W/").trim_matches('"')
}

/// A text of a server, fit for a part of a message.
pub(super) fn said(text: &str) -> String {
    visible(&clipped(text.trim(), 200))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_not_plain() {
        for name in
            ["", ".", "..", "/abs", "a/b", "a\\b", "C:x", "a b", "x\0", ".hidden", "dot.", "é", &"x".repeat(201)]
        {
            assert!(!is_plain(name), "{name:?}");
        }
        for name in ["0123abcd", "model-00001-of-00002.safetensors", "5f3c-12ab", "abc--gzip"] {
            assert!(is_plain(name), "{name}");
        }
        assert!(is_inside("onnx/model.safetensors"));
        for path in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", "./a", "a\\..\\b"] {
            assert!(!is_inside(path), "{path}");
        }
    }

    #[test]
    fn etags_lose_quotes_and_the_weak_mark() {
        assert_eq!(etag("\"abc\""), "abc");
        assert_eq!(etag("W/\"abc\""), "abc");
        assert_eq!(etag(" abc "), "abc");
    }

    #[test]
    fn what_a_server_says_is_one_short_line() {
        assert_eq!(said(" a\u{1b}[31m\r\nb "), "a␛[31m␍⏎b");
        assert!(said(&"x".repeat(100_000)).len() < 250);
    }
}
