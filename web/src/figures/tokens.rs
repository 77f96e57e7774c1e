//! A prompt's tokens as chips, the subject's marked in more than one way.

use crate::words;
use engram_core::protocol::Tokenized;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// Its text, spaces visible.
    pub text: String,
    /// It belongs to the subject.
    pub subject: bool,
    /// It is the last one of the subject: the position that subject-last patches.
    pub last: bool,
}

/// Chips of what the model's tokenizer says.
pub fn of_tokenized(found: &Tokenized) -> Vec<Chip> {
    marked(found.tokens.iter().map(|token| (words::token(&token.text), token.subject)).collect())
}

fn marked(tokens: Vec<(String, bool)>) -> Vec<Chip> {
    let last = tokens.iter().rposition(|(_, subject)| *subject);
    let chip = |(at, (text, subject))| Chip { text, subject, last: last == Some(at) };
    tokens.into_iter().enumerate().map(chip).collect()
}

/// The chips in a sentence: how many there are, and which are the subject's.
pub fn sentence(chips: &[Chip]) -> String {
    let first = chips.iter().position(|chip| chip.subject);
    let last = chips.iter().position(|chip| chip.last);
    let count = words::count(chips.len(), "token");
    match (first, last) {
        (Some(first), Some(last)) if first == last => format!("{count}; token {} is the subject.", first + 1),
        (Some(first), Some(last)) => format!("{count}; tokens {} to {} are the subject.", first + 1, last + 1),
        _ => format!("{count}; none of them is the subject."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::protocol::Token;

    #[test]
    fn the_subject_and_its_last_token_are_marked() {
        let token = |text: &str, subject| Token { id: 0, text: text.into(), subject };
        let tokens = vec![token("The", false), token(" Eif", true), token("fel", true), token(" is", false)];
        let chips = of_tokenized(&Tokenized { tokens, problem: None });
        assert_eq!((chips[1].text.as_str(), chips[1].last, chips[2].last), ("·Eif", false, true));
        assert_eq!(sentence(&chips), "4 tokens; tokens 2 to 3 are the subject.");
        assert_eq!(sentence(&chips[..1]), "1 token; none of them is the subject.");
    }
}
