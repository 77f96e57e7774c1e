//! Texts from outside made fit to be shown: nothing in them is hidden or acts, and they are no longer than a reader can
//! use.

use std::borrow::Cow;

/// Whether a character moves, hides, joins or turns what stands around it, and is not seen itself.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text on one line: control and direction characters become visible signs, so that no text can move a cursor,
/// recolour a screen, turn a line around or hide a part of itself.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('⏎'),
            '\t' => out.push('⇥'),
            '\u{7f}' => out.push('␡'),
            // The control pictures block mirrors the first 32 characters.
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('�')),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// A text of `most` characters or a little more: of a longer one the middle is left out, and it says so. What stands at
/// the beginning and at the end of a message is where something is wrong, and what.
pub fn clipped(text: &str, most: usize) -> Cow<'_, str> {
    // A character has at least a byte.
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let count = text.chars().count();
    if count <= most {
        return Cow::Borrowed(text);
    }
    let place = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(place, _)| place);
    let (head, tail) = (most - most / 3, most / 3);
    let (begin, end) = (&text[..place(head)], &text[place(count - tail)..]);
    Cow::Owned(format!("{begin} […{} characters…] {end}", count - head - tail))
}

/// Most characters of a line that is told to a person: a path, a name or two, and what is wrong with them.
const MOST_TOLD: usize = 1_000;

/// A line for a person, whatever it quotes: [`visible`] and [`clipped`].
pub fn told(text: &str) -> String {
    // What is cut away need not be made visible first; a character becomes ten at most.
    visible(&clipped(text, MOST_TOLD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_the_line() {
        assert_eq!(visible("a\nb\tc\u{1b}[31m\r"), "a⏎b⇥c␛[31m␍");
        assert_eq!(visible("x\u{202e}y\u{7f}\u{9b}\u{e0041}"), "x\\u{202e}y␡\\u{9b}\\u{e0041}");
        assert_eq!(visible("東京 é <b>&amp;"), "東京 é <b>&amp;");
        let every: String = (char::MIN..=char::MAX).collect();
        assert!(!visible(&every).chars().any(is_hidden));
    }

    #[test]
    fn the_middle_is_left_out() {
        assert_eq!(clipped("short", 5), "short");
        assert_eq!(clipped("東京東京", 4), "東京東京");
        assert_eq!(clipped("0123456789", 6), "0123 […4 characters…] 89");
        assert_eq!(clipped("東京東京東京東京", 3), "東京 […5 characters…] 京");
        assert_eq!(clipped("abc", 0), " […3 characters…] ");
        let told = told(&"\u{202e}é".repeat(50_000));
        assert!(told.len() < 20_000 && told.contains("99000 characters"), "{}", told.len());
    }
}
