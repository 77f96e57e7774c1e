//! What the words of the table of facts mean, for those who point at them.

use super::{Ending, Group, Place, SortBy};
use engram_core::metrics::Verdict;

impl Ending {
    /// What it means, as a clause.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Held => Verdict::Rewritten.meaning(),
            Self::Unchecked => Verdict::Unchecked.meaning(),
            Self::OneWording => Verdict::Narrow.meaning(),
            Self::Partly => Verdict::Partly.meaning(),
            Self::NoChange => Verdict::Unchanged.meaning(),
            Self::Harm => "more than a tenth of the neighbours or of the unrelated facts lost their answers",
            Self::Silenced => Verdict::Silenced.meaning(),
        }
    }
}

impl Group {
    /// What it means, as a clause.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::All => "all facts of the study",
            Self::Known => "the model goes on with the true answer by itself",
            Self::NotKnown => "the model goes on with another answer, so there is no fact to trace",
            Self::NotSensitive => {
                "corrupting the subject takes too little from the answer, so there is nothing to restore"
            }
            Self::Other => "its tokens or its answers do not allow a trace",
            Self::NoPeak => "no state, where it is put back, restores a tenth of the answer",
            Self::Edited => "the study has rewritten it",
            Self::Ended(ending) => ending.meaning(),
        }
    }
}

impl SortBy {
    /// What the column has, as a clause.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Number => "the fact’s number in the study",
            Self::Fact => "prompt, with its subject underlined, and true answer",
            Self::Clean => "the true answer’s probability in the clean and in the corrupted run",
            Self::Peak => "the layer whose state restores most of the answer, and its recovery from 0 to 1",
            Self::Edit => "how the edit ended: held, unchecked, one wording, partly, no change, harm or silenced",
        }
    }
}

impl Place {
    /// What stands in the column of peaks, as a clause.
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::Peak { .. } => "layer and recovery",
            Self::NoPeak(_) => Group::NoPeak.meaning(),
            Self::Untraced => "the state was not restored at this patch position",
            Self::Excluded { .. } => "excluded facts are not traced",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_clause() {
        let words = Group::all().into_iter().map(Group::meaning).chain(Ending::ALL.map(Ending::meaning));
        assert!(words.into_iter().all(|said| !said.is_empty() && !said.ends_with('.')));
        for ending in Ending::ALL {
            assert!(SortBy::Edit.meaning().contains(ending.word()), "the column lists {}", ending.word());
        }
    }
}
