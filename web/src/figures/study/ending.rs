//! How an edit ended, in the one word that table, filters and marks share.

use engram_core::metrics::{Judgement, Verdict, judge};
use engram_core::record::EditRecord;

/// How an edit ended, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// Rewritten, and every check holds.
    Held,
    /// Rewritten; something was not measured.
    Unchecked,
    /// Rewritten for the edited wording only.
    OneWording,
    /// The new answer rose, but not above the old one.
    Partly,
    /// The new answer did not rise.
    NoChange,
    /// Other facts lost their answers.
    Harm,
    /// The old answer is gone, and the new one did not rise.
    Silenced,
}

impl Ending {
    /// All of them, the best first.
    pub const ALL: [Self; 7] =
        [Self::Held, Self::Unchecked, Self::OneWording, Self::Partly, Self::NoChange, Self::Harm, Self::Silenced];

    /// The ending of an edit.
    pub fn of(edit: &EditRecord) -> Self {
        Self::judged(&judge(edit))
    }

    fn judged(judgement: &Judgement) -> Self {
        match judgement.verdict {
            Verdict::Rewritten => Self::Held,
            Verdict::Silenced => Self::Silenced,
            // Whatever else it did, it took answers from others.
            _ if judgement.harms() => Self::Harm,
            Verdict::Unchecked => Self::Unchecked,
            Verdict::Narrow => Self::OneWording,
            Verdict::Harmful => Self::Harm,
            Verdict::Partly => Self::Partly,
            Verdict::Unchanged => Self::NoChange,
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Unchecked => "unchecked",
            Self::OneWording => "one wording",
            Self::Partly => "partly",
            Self::NoChange => "no change",
            Self::Harm => "harm",
            Self::Silenced => "silenced",
        }
    }

    /// The sign before its word.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Held => "✓",
            Self::Harm | Self::Silenced => "✕",
            _ => "–",
        }
    }

    /// Something was lost.
    pub fn is_harm(self) -> bool {
        matches!(self, Self::Harm | Self::Silenced)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::record::Unrelated;

    fn edit() -> EditRecord {
        sample::record().edits.and_then(|edits| edits.into_iter().next()).expect("the sample has an edit")
    }

    #[test]
    fn every_verdict_has_its_word() {
        assert_eq!(Ending::of(&edit()), Ending::Unchecked, "its neighbours were not measured");
        let silenced = EditRecord { p_true_after: 1e-7, p_false_after: 0.005, ..edit() };
        assert_eq!(Ending::of(&silenced), Ending::Silenced);
        let partly = EditRecord { p_true_after: 0.8, ..edit() };
        assert_eq!(Ending::of(&partly), Ending::Partly);
        let still = EditRecord { p_true_after: 0.9, p_false_after: 0.01, ..edit() };
        assert_eq!(Ending::of(&still), Ending::NoChange);
        let harm = EditRecord { unrelated: vec![Unrelated { fact: 2, p_true: [0.9, 0.1], flipped: true }], ..still };
        assert_eq!((Ending::of(&harm), Ending::Harm.sign()), (Ending::Harm, "✕"));
        assert_eq!(Ending::ALL.iter().filter(|ending| ending.is_harm()).count(), 2);
    }
}
