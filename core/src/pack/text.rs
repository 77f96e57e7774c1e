//! Bytes as text within a page: basE91 (Henke 2006), 1.23 characters a byte where base64 takes 1.33. A page is mostly
//! this text, and its own script has to read it too, so both directions are a few lines rather than a library's.

use crate::{Error, Result};

const LETTERS: &[u8; 91] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+,./:;<=>?@[]^_`{|}~\"";

/// Bytes as text. Nothing in it can end an element or begin a comment: a space divides what would.
pub fn to_text(bytes: &[u8]) -> String {
    let (mut queue, mut held) = (0u32, 0u32);
    let mut out = Vec::with_capacity(bytes.len() * 16 / 13 + 4);
    let pair = |value: u32| [LETTERS[value as usize % 91], LETTERS[value as usize / 91]];
    for byte in bytes {
        queue |= u32::from(*byte) << held;
        held += 8;
        if held > 13 {
            // 13 bits, or 14 where they still fit into two letters.
            let small = queue & 8191;
            let taken = if small > 88 { 13 } else { 14 };
            out.extend(pair(queue & ((1 << taken) - 1)));
            queue >>= taken;
            held -= taken;
        }
    }
    if held > 0 {
        let [first, second] = pair(queue);
        out.push(first);
        if held > 7 || queue > 90 {
            out.push(second);
        }
    }
    let text: String = out.into_iter().map(char::from).collect();
    text.replace("</", "< /")
}

/// The bytes of [`to_text`]; white space between its letters means nothing.
///
/// # Errors
/// On any other character.
pub fn from_text(text: &str) -> Result<Vec<u8>> {
    let wrong = |letter: char| {
        Error::input(format!("the packed text is damaged: it has the character {letter:?}"))
            .hint("copy the page again, whole")
    };
    let mut values = [None; 128];
    for (value, letter) in (0u32..).zip(LETTERS) {
        values[usize::from(*letter)] = Some(value);
    }
    let (mut queue, mut held, mut first) = (0u32, 0u32, None);
    let mut out = Vec::with_capacity(text.len() * 13 / 16 + 1);
    for letter in text.chars().filter(|letter| !letter.is_ascii_whitespace()) {
        let value = values.get(letter as usize).copied().flatten().ok_or_else(|| wrong(letter))?;
        let Some(low) = first.take() else {
            first = Some(value);
            continue;
        };
        let value = low + value * 91;
        queue |= value << held;
        held += if value & 8191 > 88 { 13 } else { 14 };
        while held > 7 {
            out.push((queue & 255) as u8);
            queue >>= 8;
            held -= 8;
        }
    }
    if let Some(last) = first {
        out.push(((queue | last << held) & 255) as u8);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts() -> Result<()> {
        // The reference program's answer.
        assert_eq!(to_text(b"Hello World!"), ">OwJh>Io0Tv!8PE");
        assert_eq!(from_text(">OwJh>\nIo0T v!8PE")?, b"Hello World!");
        assert!(from_text("abc-").is_err() && from_text("é").is_err());
        assert!(from_text("")?.is_empty());
        Ok(())
    }

    #[test]
    fn every_byte_comes_back_and_no_element_ends() -> Result<()> {
        let mut state = 7u64;
        for length in (0..200).chain([100_000]) {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            let text = to_text(&bytes);
            assert_eq!(from_text(&text)?, bytes, "{length}");
            assert!(!text.contains("</") && !text.contains("<!-"), "{length}");
            assert!(text.len() <= length * 5 / 4 + 2, "{length}: {}", text.len());
        }
        for byte in 0..=255 {
            let bytes = vec![byte; 999];
            assert_eq!(from_text(&to_text(&bytes))?, bytes, "{byte}");
        }
        Ok(())
    }
}
