//! What stands in the subject's place where a page leaves that to the engine.

use super::Lab;
use crate::error::Result;
use crate::facts::{Fact, shuffled};
use crate::record::{Corruption, Settings};
use crate::tokens::Encoded;
use std::collections::HashSet;

/// Names of nobody in particular, of several lengths.
const NOBODY: [&str; 13] = [
    "A Random Person",
    "Random Person",
    "Someone",
    "A Person",
    "Some Random Person",
    "A Very Random Person",
    "Some Other Random Person",
    "One Other Very Random Person",
    // Names that end otherwise, for subjects that end in the same token.
    "A Stranger",
    "Some Stranger",
    "A Mere Stranger",
    "A Total Stranger",
    "Some Random Stranger",
];

impl Lab {
    /// The corruption of a question; where it leaves the replacement open, a name with as many tokens as the subject, so that every
    /// token has a counterpart: nobody's in particular, or else that of a bundled subject of which
    /// the answer does not hold. Without any, the paper's.
    ///
    /// A token that both have is the same in both runs, so of either kind the first name is taken that shares none with the subject at
    /// its place, else the first whose last token is another one; only then, of both kinds, any.
    pub(super) fn corruption(&self, asked: &Corruption, fact: &Fact) -> Result<Corruption> {
        match asked {
            Corruption::Replace { with } if with.is_empty() => {}
            given => return Ok(given.clone()),
        }
        let tokens = &self.model.tokens;
        // The name's tokens within the prompt, and the prompt's length.
        let read = |name: &str| -> Result<Option<(Vec<u32>, usize)>> {
            let (text, chars) = fact.corrupted(name);
            let encoded: Encoded = tokens.encode(&text)?;
            Ok(encoded.span(&chars).map(|span| (encoded.ids[span].to_vec(), encoded.ids.len())))
        };
        let Some((own, length)) = read(&fact.subject)? else { return Ok(Settings::default().corruption) };
        // A name that has the answer, too, would keep it.
        let same = |other: &&Fact| other.target_true.trim() == fact.target_true.trim();
        let shared: HashSet<&str> = self.facts.facts.iter().filter(same).map(|other| other.subject.as_str()).collect();
        let order = shuffled(self.facts.facts.len(), Settings::default().seed).into_iter();
        let known = order.map(|at| self.facts.facts[at].subject.as_str()).filter(|name| !shared.contains(name));
        let kinds: [Box<dyn Iterator<Item = &str>>; 2] = [Box::new(NOBODY.into_iter()), Box::new(known)];
        let mut any = None;
        for names in kinds {
            let mut ends_otherwise = None;
            for name in names.filter(|name| *name != fact.subject) {
                let Some((other, _)) = read(name)?.filter(|(other, of)| (other.len(), *of) == (own.len(), length))
                else {
                    continue;
                };
                match apart(&own, &other) {
                    Apart::All => return Ok(Corruption::Replace { with: name.to_owned() }),
                    Apart::Last => ends_otherwise = ends_otherwise.or(Some(name)),
                    Apart::Else => any = any.or(Some(name)),
                }
            }
            if let Some(name) = ends_otherwise {
                return Ok(Corruption::Replace { with: name.to_owned() });
            }
        }
        Ok(any.map_or(Settings::default().corruption, |name| Corruption::Replace { with: name.to_owned() }))
    }
}

/// Where two names of as many tokens have different ones.
#[derive(Debug, PartialEq, Eq)]
enum Apart {
    /// At every place.
    All,
    /// At their end, not everywhere.
    Last,
    /// Not at their end.
    Else,
}

fn apart(own: &[u32], other: &[u32]) -> Apart {
    match own.iter().zip(other).all(|(own, other)| own != other) {
        true => Apart::All,
        false if own.last() != other.last() => Apart::Last,
        false => Apart::Else,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_token_by_token() {
        assert_eq!(apart(&[1, 2, 3], &[4, 5, 6]), Apart::All);
        assert_eq!(apart(&[1, 2, 3], &[1, 5, 6]), Apart::Last);
        assert_eq!(apart(&[1, 2, 3], &[4, 5, 3]), Apart::Else);
    }
}
