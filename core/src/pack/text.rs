//! Packed bytes as text: base64 within a page, base64 for addresses (RFC 4648, section 5, without padding) within a link.

use crate::{Error, Result};
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};

/// Bytes as text within a page. Nothing in it can end an element or begin a comment.
pub fn to_text(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The bytes of [`to_text`]; white space means nothing.
///
/// # Errors
/// When the text is damaged or cut off.
pub fn from_text(text: &str) -> Result<Vec<u8>> {
    let mut letters = text.as_bytes().to_vec();
    letters.retain(|letter| !letter.is_ascii_whitespace());
    BASE64_STANDARD.decode(letters).map_err(|error| {
        Error::input(format!("the packed text is damaged: {error}")).hint("copy the page again, whole")
    })
}

/// Packed records as text for an address: letters, digits, `-` and `_`.
pub fn to_link(packed: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(packed)
}

/// The bytes of [`to_link`].
///
/// # Errors
/// When the text is damaged or cut off.
pub fn from_link(text: &str) -> Result<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text.trim())
        .map_err(|error| Error::input(format!("the link is damaged, or cut off: {error}")).hint("copy it again, whole"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_in_a_page_means_nothing_and_damage_is_an_error() -> Result<()> {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = to_text(&bytes);
        let (first, second) = text.split_at(77);
        assert_eq!(from_text(&format!("\n{first}\r\n {second}\t"))?, bytes);
        assert!(from_text("")?.is_empty());
        for wrong in ["Zg", "Zm9v-", "Zm9vé", &text[..text.len() - 1]] {
            assert!(from_text(wrong).is_err_and(|error| error.next_step().is_some()), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn a_link_needs_no_escapes() -> Result<()> {
        assert_eq!(to_link(b"\xfb\xff\xbf\x00"), "-_-_AA");
        assert_eq!(from_link(" -_-_AA\n")?, b"\xfb\xff\xbf\x00");
        for wrong in ["Z", "Zm9vY", "Zh", "Zg==", "Zm+v", "é", "Zm 9v"] {
            assert!(from_link(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }
}
