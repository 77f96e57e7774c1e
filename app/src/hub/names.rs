//! What a server's headers say, as a name in the cache or a part of a message.

use engram_core::text::{clipped, visible};

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
