//! UTF-16, as spreadsheets write "Unicode text".

use crate::gz::{self, Source};
use crate::{Error, Result};

/// The text of UTF-16 with a byte order mark; none where it is something else.
pub(super) fn decoded(head: &[u8], source: &Source<'_>) -> Result<Option<String>> {
    let wide: fn([u8; 2]) -> u16 = match head {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        [0, a, 0, b, ..] | [a, 0, b, 0, ..] if *a != 0 && *b != 0 => {
            return Err(Error::input("this looks like UTF-16 without a byte order mark").hint("save it as UTF-8"));
        }
        _ => return Ok(None),
    };
    let bytes = gz::unpack(source.bytes())?;
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut lines = 1;
    let broken = |line: usize| Error::input(format!("not UTF-16 text (line {line})")).hint("save it as UTF-8");
    for found in char::decode_utf16(pairs.iter().skip(1).map(|pair| wide(*pair))) {
        let c = found.map_err(|_| broken(lines))?;
        lines += usize::from(c == '\n');
        text.push(c);
    }
    if rest.is_empty() { Ok(Some(text)) } else { Err(broken(lines)) }
}
