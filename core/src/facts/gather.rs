//! Facts and defects while a file is read.

use super::defect::{self, Defect, Flaw, Place};
use super::fields::Raw;
use super::{Fact, Found, MOST_FACTS};
use crate::{Error, Result};

/// Where so many records at the beginning have a defect, all have.
const ENOUGH: usize = 1000;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) facts: Vec<Fact>,
    pub(super) defects: Vec<Defect>,
    /// Facts with a defect. An empty field is none of the file.
    broken: usize,
    /// Nothing more has to be read.
    hopeless: bool,
}

impl Gathered {
    /// Adds the fact of a record, with what is wrong with it.
    pub(super) fn add(&mut self, place: Place, raw: Raw) -> Result<()> {
        let mut flaws = Vec::new();
        let fact = raw.fact(self.facts.len(), &mut flaws);
        self.put(place, fact, flaws)
    }

    /// Adds a fact without anything, in place of a record of which no field can be trusted.
    pub(super) fn lost(&mut self, place: Place, flaw: Flaw) -> Result<()> {
        let fact = Fact { id: self.facts.len().to_string(), ..Fact::default() };
        self.put(place, fact, vec![flaw])
    }

    fn put(&mut self, place: Place, fact: Fact, mut flaws: Vec<Flaw>) -> Result<()> {
        if self.facts.len() == MOST_FACTS {
            return Err(Error::input(format!("more than {MOST_FACTS} facts")).hint("split the file"));
        }
        self.broken += usize::from(!flaws.is_empty());
        // One reason for exclusion is enough.
        match flaws.iter().find(|flaw| flaw.is_fatal()) {
            Some(fatal) => flaws = vec![*fatal],
            None => {
                let fields =
                    [("prompt", &fact.template), ("subject", &fact.subject), ("true answer", &fact.target_true)];
                flaws.extend(fields.iter().find(|(_, text)| text.is_empty()).map(|(name, _)| Flaw::Empty(name)));
            }
        }
        let index = self.facts.len();
        self.defects.extend(flaws.into_iter().map(|flaw| Defect { fact: index, place, flaw }));
        self.facts.push(fact);
        self.hopeless = self.facts.len() == ENOUGH && self.broken == ENOUGH;
        // `finish` has the words for it.
        if self.hopeless { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// Facts and defects of a file whose reading has ended so. Where every single record has a defect, the file is another
    /// than was meant. `fields` says for the index of a record which fields it has.
    pub(super) fn finish(self, read: Result<()>, fields: impl FnOnce(usize) -> String) -> Result<Found> {
        if !self.hopeless {
            read?;
        }
        let first = self.defects.first().filter(|_| self.broken == self.facts.len());
        let Some(first) = first else { return Ok((self.facts, self.defects)) };
        let error = defect::error(&self.facts, first);
        Err(if error.next_step().is_some() { error } else { error.hint(fields(first.fact)) })
    }
}
