//! What an edit did, all measures together: the new answer, the old one, other wordings, neighbours and unrelated facts
//! (METHODS, "Verdict"). The paper's success, in `edits.rs`, looks at the prompt alone.

use super::Share;
use crate::record::{EditRecord, Shift, Unrelated};
use serde::{Deserialize, Serialize};

/// What a probability must gain or lose to count: as much as corrupting the subject must take from a fact's answer by
/// default.
pub const MOVED: f64 = 0.05;
/// The share of watched answers that an edit may harm before it counts as harmful.
pub const HARM: f64 = 0.1;

/// How verdicts come about, for the notes of tables and pages.
pub const RULES: [&str; 2] = [
    "Rewritten: p(new answer) gained 0.05 or more and is above p(old answer). Partly rewritten: the same gain, but \
     p(old answer) is still higher. Silenced: p(old answer) lost half or more (at least 0.05), and p(new answer) \
     gained less than 0.05.",
    "A paraphrase follows if the first condition holds for it too; more than half must. A neighbour or an unrelated \
     fact is harmed if its own answer lost half or more (at least 0.05), if the new answer takes its place, or if an \
     unrelated fact's most probable token changes. With harm: more than a tenth of either is harmed. What was not \
     measured does not count as held.",
];

/// What became of both answers on the edited prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The new answer rose above the old one.
    Rewritten,
    /// The new answer rose, but not above the old one.
    Partly,
    /// The old answer lost half of its probability or more, and the new one did not rise.
    Silenced,
    /// Neither.
    Unchanged,
}

/// Prompts that were watched, and how many of them are as they should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Those that are as they should be.
    pub share: Share,
    /// They are enough.
    pub holds: bool,
}

/// An edit, judged by everything that was measured of it. A check without prompts is `None`: not measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The edited prompt.
    pub answer: Answer,
    /// Paraphrases that follow; more than half must.
    pub paraphrases: Option<Check>,
    /// Neighbours that are unharmed; at most [`HARM`] of them may be harmed.
    pub neighbours: Option<Check>,
    /// Unrelated facts that are unharmed, by the same measure.
    pub unrelated: Option<Check>,
    /// All of it in a word.
    pub verdict: Verdict,
}

/// All of it in a word, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Rewritten, and every check holds.
    Rewritten,
    /// Rewritten, and no check fails, but one or more could not be made.
    Unchecked,
    /// Rewritten, but paraphrases do not follow.
    Narrow,
    /// Rewritten, but neighbours or unrelated facts are harmed.
    Harmful,
    /// See [`Answer::Partly`].
    Partly,
    /// See [`Answer::Silenced`].
    Silenced,
    /// See [`Answer::Unchanged`].
    Unchanged,
}

/// How a verdict is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Everything holds.
    Good,
    /// Not what was wanted, but nothing was lost.
    Neutral,
    /// Something was lost.
    Harm,
}

impl Verdict {
    /// All, the best first.
    pub const ALL: [Self; 7] =
        [Self::Rewritten, Self::Unchecked, Self::Narrow, Self::Harmful, Self::Partly, Self::Silenced, Self::Unchanged];

    /// Its name in tables and on badges.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rewritten => "rewritten",
            Self::Unchecked => "rewritten, not all checked",
            Self::Narrow => "rewritten for this wording only",
            Self::Harmful => "rewritten with harm",
            Self::Partly => "partly rewritten",
            Self::Silenced => "silenced",
            Self::Unchanged => "not rewritten",
        }
    }

    /// What it means, as a clause.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Rewritten => {
                "the new answer replaced the old one, in other wordings too, and other facts are unharmed"
            }
            Self::Unchecked => {
                "the new answer replaced the old one; not everything that it may have moved was measured"
            }
            Self::Narrow => "the new answer replaced the old one here, but most other wordings do not follow",
            Self::Harmful => "the new answer replaced the old one, but other facts lost their answers too",
            Self::Partly => "the new answer rose, but the old one is still the likelier",
            Self::Silenced => "the old answer is gone, but the new one did not rise",
            Self::Unchanged => "the new answer did not rise",
        }
    }
}

impl Judgement {
    /// Neighbours or unrelated facts are harmed.
    pub fn harms(&self) -> bool {
        [self.neighbours, self.unrelated].into_iter().flatten().any(|check| !check.holds)
    }

    /// How it is marked: good only when all holds.
    pub fn mark(&self) -> Mark {
        match self.verdict {
            Verdict::Rewritten => Mark::Good,
            Verdict::Silenced => Mark::Harm,
            _ if self.harms() => Mark::Harm,
            _ => Mark::Neutral,
        }
    }

    /// What was watched, each with whether it holds (`None`: not measured) and in words.
    pub fn checks(&self) -> [(Option<bool>, String); 3] {
        let one = |check: Option<Check>, what: [&str; 2], so: [&str; 2]| {
            let Some(Check { share, holds }) = check else {
                return (None, format!("{}: not measured", what[1]));
            };
            let what = if share.of == 1 { what[0] } else { what[1] };
            let so = if share.count == 1 || share.of == 1 { so[0] } else { so[1] };
            (Some(holds), format!("{} of {} {what} {so}", share.count, share.of))
        };
        [
            one(self.paraphrases, ["other wording", "other wordings"], ["follows", "follow"]),
            one(self.neighbours, ["neighbour", "neighbours"], ["is unharmed", "are unharmed"]),
            one(self.unrelated, ["unrelated fact", "unrelated facts"], ["is unharmed", "are unharmed"]),
        ]
    }
}

/// Before and after.
type Pair = [f32; 2];

fn rose(p: Pair) -> bool {
    f64::from(p[1]) - f64::from(p[0]) >= MOVED
}

/// Half of it is gone, or more.
fn fell(p: Pair) -> bool {
    f64::from(p[0]) - f64::from(p[1]) >= MOVED && f64::from(p[1]) <= f64::from(p[0]) / 2.0
}

/// The new answer rose above the old one.
fn taken(p_true: Pair, p_false: Pair) -> bool {
    rose(p_false) && p_false[1] > p_true[1]
}

/// The edited prompt's old answer gave way: half of it is gone, or more, or the new one rose above it.
pub fn gave_way(edit: &EditRecord) -> bool {
    let (p_true, p_false) = ([edit.p_true, edit.p_true_after], [edit.p_false, edit.p_false_after]);
    fell(p_true) || taken(p_true, p_false)
}

/// A paraphrase follows the edit.
pub fn follows(shift: &Shift) -> bool {
    taken(shift.p_true, shift.p_false)
}

/// A neighbour is harmed.
pub fn harms_neighbour(shift: &Shift) -> bool {
    fell(shift.p_true) || taken(shift.p_true, shift.p_false)
}

/// An unrelated fact is harmed.
pub fn harms_unrelated(one: &Unrelated) -> bool {
    one.flipped || fell(one.p_true)
}

/// Over the answers that had something to lose: those that are harmed, and those that could have been.
fn unharmed(watched: impl Iterator<Item = (f32, bool)>) -> Option<Check> {
    let counted = watched.filter(|(before, harmed)| *harmed || f64::from(*before) >= MOVED);
    let harmed: Vec<bool> = counted.map(|(_, harmed)| harmed).collect();
    let lost = harmed.iter().filter(|harmed| **harmed).count();
    let share = Share::new(harmed.len() - lost, harmed.len())?;
    Some(Check { share, holds: lost as f64 <= HARM * harmed.len() as f64 })
}

/// Judges an edit by all that its record holds.
pub fn judge(edit: &EditRecord) -> Judgement {
    let (p_true, p_false) = ([edit.p_true, edit.p_true_after], [edit.p_false, edit.p_false_after]);
    let answer = match (rose(p_false), fell(p_true)) {
        (true, _) if taken(p_true, p_false) => Answer::Rewritten,
        (true, _) => Answer::Partly,
        (false, true) => Answer::Silenced,
        (false, false) => Answer::Unchanged,
    };
    let following = edit.paraphrases.iter().filter(|shift| follows(shift)).count();
    let paraphrases =
        Share::new(following, edit.paraphrases.len()).map(|share| Check { share, holds: 2 * share.count > share.of });
    let neighbours = unharmed(edit.neighbourhood.iter().map(|shift| (shift.p_true[0], harms_neighbour(shift))));
    let unrelated = unharmed(edit.unrelated.iter().map(|one| (one.p_true[0], harms_unrelated(one))));
    let fails = |check: Option<Check>| check.is_some_and(|check| !check.holds);
    let verdict = match answer {
        Answer::Partly => Verdict::Partly,
        Answer::Silenced => Verdict::Silenced,
        Answer::Unchanged => Verdict::Unchanged,
        Answer::Rewritten if fails(neighbours) || fails(unrelated) => Verdict::Harmful,
        Answer::Rewritten if fails(paraphrases) => Verdict::Narrow,
        Answer::Rewritten if [paraphrases, neighbours, unrelated].contains(&None) => Verdict::Unchecked,
        Answer::Rewritten => Verdict::Rewritten,
    };
    Judgement { answer, paraphrases, neighbours, unrelated, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(p_true: Pair, p_false: Pair) -> Shift {
        Shift { prompt: String::new(), p_true, p_false, answers: None }
    }

    fn edit(p_true: Pair, p_false: Pair) -> EditRecord {
        let kept = |fact| Unrelated { fact, p_true: [0.8, 0.75], flipped: false };
        EditRecord {
            p_true: p_true[0],
            p_true_after: p_true[1],
            p_false: p_false[0],
            p_false_after: p_false[1],
            paraphrases: vec![shift([0.8, 0.1], [0.01, 0.6]); 3],
            neighbourhood: vec![shift([0.8, 0.7], [0.01, 0.02]); 5],
            neighbourhood_plus: vec![],
            generations: vec![],
            unrelated: (0..20).map(kept).collect(),
            restored: true,
            ..EditRecord::default()
        }
    }

    fn verdict(edit: &EditRecord) -> (Verdict, Mark) {
        let judged = judge(edit);
        (judged.verdict, judged.mark())
    }

    #[test]
    fn the_prompt_decides_whether_it_is_rewritten() {
        assert_eq!(verdict(&edit([0.9, 0.1], [0.01, 0.6])), (Verdict::Rewritten, Mark::Good));
        assert_eq!(verdict(&edit([0.9, 0.7], [0.01, 0.2])), (Verdict::Partly, Mark::Neutral));
        // Likelier than the old one, and three times what it was: the paper's success, and yet silence.
        assert_eq!(verdict(&edit([0.9, 0.0001], [0.002, 0.01])), (Verdict::Silenced, Mark::Harm));
        assert_eq!(verdict(&edit([0.5, 0.0002], [0.04, 0.001])), (Verdict::Silenced, Mark::Harm));
        assert_eq!(verdict(&edit([0.7, 0.69], [0.01, 0.011])), (Verdict::Unchanged, Mark::Neutral));
        // Two answers that the model never gave: one is above the other, and nothing was rewritten.
        assert_eq!(verdict(&edit([1e-5, 1e-6], [1e-6, 1e-4])), (Verdict::Unchanged, Mark::Neutral));
    }

    #[test]
    fn the_old_answer_gives_way_to_a_likelier_one_too() {
        assert!(gave_way(&edit([0.9, 0.1], [0.01, 0.02])), "silenced");
        assert!(gave_way(&edit([0.5, 0.3], [0.01, 0.6])), "less than half is gone, but the new one is above it");
        assert!(!gave_way(&edit([0.9, 0.5], [0.01, 0.3])));
    }

    #[test]
    fn other_prompts_can_only_make_it_worse() {
        let good = edit([0.9, 0.1], [0.01, 0.6]);
        let mut narrow = good.clone();
        narrow.paraphrases = vec![shift([0.8, 0.8], [0.01, 0.01]), shift([0.8, 0.1], [0.01, 0.6])];
        assert_eq!(verdict(&narrow), (Verdict::Narrow, Mark::Neutral), "half is not most");
        // A paraphrase whose old answer is gone does not follow unless the new one rose there.
        narrow.paraphrases = vec![shift([0.8, 0.0], [0.01, 0.02]); 3];
        assert_eq!(verdict(&narrow), (Verdict::Narrow, Mark::Neutral));
        let mut harmed = good.clone();
        harmed.neighbourhood[0] = shift([0.8, 0.3], [0.01, 0.02]);
        assert_eq!(verdict(&harmed), (Verdict::Harmful, Mark::Harm), "one of five is more than a tenth");
        harmed = good.clone();
        harmed.neighbourhood[0] = shift([0.04, 0.04], [0.01, 0.7]);
        assert_eq!(verdict(&harmed), (Verdict::Harmful, Mark::Harm), "the new answer bleeds over");
        harmed = good.clone();
        for at in 0..3 {
            let before = verdict(&harmed);
            assert_eq!(before, (Verdict::Rewritten, Mark::Good), "{at} of 20 is not more than a tenth");
            harmed.unrelated[at].flipped = true;
        }
        assert_eq!(verdict(&harmed), (Verdict::Harmful, Mark::Harm));
        harmed.paraphrases.clear();
        assert_eq!(verdict(&harmed), (Verdict::Harmful, Mark::Harm));
        let silent = EditRecord { p_false_after: 0.01, p_true_after: 0.9, ..harmed };
        assert_eq!(verdict(&silent), (Verdict::Unchanged, Mark::Harm), "harm is harm, whatever the answer did");
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        for at in 0..3 {
            let mut one = edit([0.9, 0.1], [0.01, 0.6]);
            [&mut one.paraphrases, &mut one.neighbourhood][at.min(1)].clear();
            if at == 2 {
                one = EditRecord { unrelated: vec![], ..edit([0.9, 0.1], [0.01, 0.6]) };
            }
            let judged = judge(&one);
            assert_eq!((judged.verdict, judged.mark()), (Verdict::Unchecked, Mark::Neutral));
            let told = judged.checks();
            assert!(told[at].0.is_none() && told[at].1.ends_with(": not measured"), "{told:?}");
        }
        // Neighbours that the model did not know have nothing to lose, and prove nothing.
        let mut one = edit([0.9, 0.1], [0.01, 0.6]);
        one.neighbourhood = vec![shift([0.001, 0.0], [0.0001, 0.0002]); 5];
        assert_eq!(judge(&one).neighbours, None);
    }

    #[test]
    fn checks_are_told() {
        let mut one = edit([0.9, 0.1], [0.01, 0.6]);
        one.unrelated[3].p_true = [0.8, 0.2];
        one.neighbourhood.truncate(1);
        one.neighbourhood[0].p_true[1] = 0.0;
        let told = judge(&one).checks().map(|(_, told)| told);
        assert_eq!(
            told,
            ["3 of 3 other wordings follow", "0 of 1 neighbour is unharmed", "19 of 20 unrelated facts are unharmed"]
        );
    }
}
