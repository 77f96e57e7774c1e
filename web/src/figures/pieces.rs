//! Tokens found again in the text that they were cut from.

use std::ops::Range;

/// A token's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its text.
    pub text: String,
    /// The bytes of the prompt that it stands for; empty for one that is not in it (a BOS token, half a character).
    pub at: Range<usize>,
}

/// Where each piece is in a prompt, in their order. A piece that is not found where it should be has an empty place there.
pub fn places(prompt: &str, pieces: &[String]) -> Vec<Place> {
    let mut done = 0;
    let mut all = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let rest = &prompt[done..];
        let found = match piece.strip_prefix(' ') {
            _ if piece.is_empty() => None,
            // Some tokenizers put a space before the first word.
            Some(bare) if done == 0 && !rest.starts_with(' ') && rest.starts_with(bare) => Some(bare.len()),
            _ if rest.starts_with(piece.as_str()) => Some(piece.len()),
            _ => None,
        };
        let length = found.unwrap_or(0);
        all.push(Place { text: piece.clone(), at: done..done + length });
        done += length;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(prompt: &str, pieces: &[&str]) -> Vec<Range<usize>> {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        places(prompt, &pieces).into_iter().map(|place| place.at).collect()
    }

    #[test]
    fn pieces_are_found_in_their_order() {
        assert_eq!(at("Mach is", &["Ma", "ch", " is"]), [0..2, 2..4, 4..7]);
        assert_eq!(at("A is", &["<s>", "A", " is"]), [0..0, 0..1, 1..4], "a BOS token has no place");
        assert_eq!(at("A is", &[" A", " is"]), [0..1, 1..4], "a space before the first word");
        assert_eq!(at("né", &["n", "\u{fffd}", "\u{fffd}"]), [0..1, 1..1, 1..1], "half a character");
    }
}
