//! What stands in the subject's place where a page leaves that to the engine.

use super::Lab;
use crate::error::Result;
use crate::facts::{Fact, shuffled};
use crate::record::{Corruption, Settings};
use crate::tokens::Encoded;
use std::collections::HashSet;

/// Names of nobody in particular, of several lengths.
const NOBODY: [&str; 8] = [
    "A Random Person",
    "Random Person",
    "Someone",
    "A Person",
    "Some Random Person",
    "A Very Random Person",
    "Some Other Random Person",
    "One Other Very Random Person",
];

impl Lab {
    /// The corruption of a question; where it leaves the replacement open, the first name with as many tokens as the subject, so that every
    /// token has a counterpart: nobody's in particular, or else that of a bundled subject of which
    /// the answer does not hold. Without any, the paper's.
    pub(super) fn corruption(&self, asked: &Corruption, fact: &Fact) -> Result<Corruption> {
        match asked {
            Corruption::Replace { with } if with.is_empty() => {}
            given => return Ok(given.clone()),
        }
        let tokens = &self.model.tokens;
        let length = |name: &str| -> Result<Option<(usize, usize)>> {
            let (text, chars) = fact.corrupted(name);
            let encoded: Encoded = tokens.encode(&text)?;
            Ok(encoded.span(&chars).map(|span| (span.len(), encoded.ids.len())))
        };
        let wanted = length(&fact.subject)?;
        // A name that has the answer, too, would keep it.
        let same = |other: &&Fact| other.target_true.trim() == fact.target_true.trim();
        let shared: HashSet<&str> = self.facts.facts.iter().filter(same).map(|other| other.subject.as_str()).collect();
        let order = shuffled(self.facts.facts.len(), Settings::default().seed).into_iter();
        let known = order.map(|at| self.facts.facts[at].subject.as_str()).filter(|name| !shared.contains(name));
        for name in NOBODY.into_iter().chain(known) {
            if name != fact.subject && wanted.is_some() && length(name)? == wanted {
                return Ok(Corruption::Replace { with: name.to_owned() });
            }
        }
        Ok(Settings::default().corruption)
    }
}
