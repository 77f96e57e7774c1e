//! Whether a record can be trusted: what must hold within it, whether facts and model are those that it names, and
//! whether computing it again gives the same numbers. Pure checks; computing again is the caller's.

mod curves;
mod edits;
mod facts;
mod indices;
mod origin;
mod rerun;
mod tally;

pub use indices::{Indices, indices};
pub use origin::{model, source};
pub use rerun::{Again, Difference, differences, rerun, spread};

use crate::record::{FactRecord, Record};
use crate::text::told;
use crate::{Result, hex, journal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How far two probabilities that are the same in real arithmetic may be apart. Batches of another shape, and another
/// device, sum in another order, which moves a probability by some 1e-6; what the device self-test allows is 1e-4.
pub const TOLERANCE: f64 = 1e-4;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It holds.
    Ok,
    /// It does not.
    Failed,
    /// The record has nothing that it speaks of.
    NotApplicable,
    /// What it needs is not at hand.
    NotChecked,
}

/// One thing that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it ended.
    pub state: State,
    /// What was found; a failure names the first place.
    pub detail: String,
    /// What to do, where something can be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Check {
    /// A check without a hint. What it quotes may be anything.
    pub fn new(name: &str, state: State, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state, detail: told(&detail.into()), hint: None }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(told(&hint.into()));
        self
    }
}

/// Everything that must hold within a record that [`journal::from_bytes`] has read, whoever wrote it.
pub fn record(record: &Record) -> Vec<Check> {
    let mut checks = facts::checks(record);
    checks.extend(curves::checks(record));
    checks.extend(edits::checks(record));
    checks
}

/// SHA-256 of the record's compact JSON ([`journal::to_json`]): the same for a plain, a packed and a page's copy.
///
/// # Errors
/// On a number that is not finite.
pub fn digest(record: &Record) -> Result<String> {
    Ok(hex(&Sha256::digest(journal::to_json(record)?)))
}

/// A fact's name in a check's detail. Ids come from strangers' files, so they are cut.
fn place(fact: &FactRecord) -> String {
    format!("fact {} (order {})", clip(&fact.id), fact.order)
}

fn clip(text: &str) -> String {
    let mut out: String = text.chars().take(40).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests;
