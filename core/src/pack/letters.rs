//! Bytes as text for an address: base64 with the letters that need no escape there (RFC 4648, section 5), without
//! padding. Each direction is a few lines here, and 2 kB of the page's program from a library.

use crate::{Error, Result};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Packed records as text for an address: letters, digits, `-` and `_`.
pub fn to_link(packed: &[u8]) -> String {
    let mut out = String::with_capacity(packed.len() * 4 / 3 + 3);
    for piece in packed.chunks(3) {
        let bits = piece.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - piece.len()));
        (0..=piece.len()).for_each(|place| out.push(char::from(LETTERS[bits >> (18 - 6 * place) & 63])));
    }
    out
}

/// The bytes of [`to_link`].
///
/// # Errors
/// On a character that does not belong to it, and where it is cut off within a byte.
pub fn from_link(text: &str) -> Result<Vec<u8>> {
    let damaged = || Error::input("the link is damaged, or cut off").hint("copy it again, whole");
    let (mut out, mut bits, mut held) = (Vec::with_capacity(text.len() * 3 / 4), 0_usize, 0);
    for letter in text.trim().bytes() {
        let value = LETTERS.iter().position(|known| *known == letter).ok_or_else(damaged)?;
        bits = (bits << 6 | value) & 0xffff;
        held += 6;
        if held > 7 {
            held -= 8;
            out.push((bits >> held & 255) as u8);
        }
    }
    // What is left of the last letter: less than a letter, and nothing in it.
    if held > 5 || bits & ((1 << held) - 1) != 0 {
        return Err(damaged());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts() -> Result<()> {
        // RFC 4648, section 10, and both letters of its section 5.
        let known: [(&[u8], &str); 6] =
            [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"foob", "Zm9vYg"), (b"\xfb\xff\xbf", "-_-_")];
        for (bytes, text) in known {
            assert_eq!(to_link(bytes), text);
            assert_eq!(from_link(text)?, bytes);
        }
        for wrong in ["Z", "Zm9vY", "Zh", "Zm9", "Zg==", "Zm+v", "é", "Zm 9v"] {
            assert!(from_link(wrong).is_err(), "{wrong}");
        }
        assert_eq!(from_link(" Zm9v\n")?, b"foo");
        Ok(())
    }

    #[test]
    fn every_byte_comes_back() -> Result<()> {
        let bytes: Vec<u8> = (0..2000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for length in (0..9).chain([bytes.len()]) {
            assert_eq!(from_link(&to_link(&bytes[..length]))?, bytes[..length], "{length}");
        }
        Ok(())
    }
}
