//! Tokens found again in the text that they were cut from.

use std::ops::Range;

/// What one or several tokens stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its text.
    pub text: String,
    /// The bytes of the prompt that it stands for; empty for a special token.
    pub at: Range<usize>,
    /// Its tokens, by their places: several where they are parts of one letter.
    pub tokens: Range<usize>,
}

/// Furthest that a piece is looked for behind where it should be, in bytes: what letters in between may take.
const AHEAD: usize = 64;

/// Where each piece is in a prompt, in their order. Pieces that are not found stand for what is between their neighbours (parts of
/// letters), or for nothing (special tokens).
pub fn places(prompt: &str, pieces: &[String]) -> Vec<Place> {
    let (mut done, mut lost, mut all) = (0, 0..0, Vec::with_capacity(pieces.len()));
    let between = |tokens: Range<usize>, at: Range<usize>| {
        let text = if at.is_empty() { pieces[tokens.clone()].concat() } else { prompt[at.clone()].to_owned() };
        (!tokens.is_empty()).then_some(Place { text, at, tokens })
    };
    for (number, piece) in pieces.iter().enumerate() {
        let Some(at) = found(prompt, piece, done, !lost.is_empty()) else {
            lost = if lost.is_empty() { number..number + 1 } else { lost.start..number + 1 };
            continue;
        };
        all.extend(between(std::mem::take(&mut lost), done..at.start));
        done = at.end;
        all.push(Place { text: piece.clone(), at, tokens: number..number + 1 });
    }
    // Special tokens at the end stand for nothing, parts of a last letter for the rest.
    all.extend(between(lost, done..prompt.len()));
    all
}

/// A piece at a place, or a little behind it where others were not found.
fn found(prompt: &str, piece: &str, from: usize, behind: bool) -> Option<Range<usize>> {
    let rest = &prompt[from..];
    // Some tokenizers put a space before the first word.
    if let Some(bare) = piece.strip_prefix(' ').filter(|bare| from == 0 && !bare.is_empty() && !rest.starts_with(' '))
        && rest.starts_with(bare)
    {
        return Some(0..bare.len());
    }
    if piece.is_empty() {
        return None;
    }
    let offset = match behind {
        true => rest.find(piece).filter(|offset| *offset <= AHEAD),
        false => rest.starts_with(piece).then_some(0),
    }?;
    Some(from + offset..from + offset + piece.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(prompt: &str, pieces: &[&str]) -> Vec<(String, Range<usize>)> {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        places(prompt, &pieces).into_iter().map(|place| (prompt[place.at].to_owned(), place.tokens)).collect()
    }

    fn one(text: &str, token: usize) -> (String, Range<usize>) {
        (text.to_owned(), token..token + 1)
    }

    #[test]
    fn pieces_are_found_in_their_order() {
        assert_eq!(at("Mach is", &["Ma", "ch", " is"]), [one("Ma", 0), one("ch", 1), one(" is", 2)]);
        assert_eq!(
            at("A is", &["<s>", "A", " is"]),
            [one("", 0), one("A", 1), one(" is", 2)],
            "BOS stands for nothing"
        );
        assert_eq!(at("A is", &[" A", " is"]), [one("A", 0), one(" is", 1)], "a space before the first word");
    }

    #[test]
    fn parts_of_a_letter_are_one_place_and_the_rest_is_found_again() {
        let split = at("Zürich is", &["<s>", "Z", "Ã", "¼", "rich", " is"]);
        assert_eq!(split, [one("", 0), one("Z", 1), ("ü".into(), 2..4), one("rich", 4), one(" is", 5)]);
        assert_eq!(at("né", &["n", "\u{fffd}", "\u{fffd}"]), [one("n", 0), ("é".into(), 1..3)]);
        assert_eq!(at("a", &["a", "</s>"]), [one("a", 0), one("", 1)]);
        assert!(at("a", &[]).is_empty());
    }
}
