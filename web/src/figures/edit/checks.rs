//! The five checks of an edit: both answers on its own prompt, paraphrases, neighbours, unrelated facts.

use super::Case;
use super::meanings::{NEIGHBOURS, NEW, OLD, PARAPHRASES, UNRELATED};
use super::price::largest;
use crate::words;
use engram_core::metrics::{self, Answer, Judgement, gave_way, judge};

/// A check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is checked.
    pub name: String,
    /// The same within a sentence.
    pub short: &'static str,
    /// What it means, as a clause.
    pub about: &'static str,
    /// Whether it holds; `None` where it was not measured.
    pub holds: Option<bool>,
    /// Its number.
    pub value: String,
    /// What else is to be said of it.
    pub note: String,
}

impl Check {
    /// The sign before its number.
    pub fn sign(&self) -> &'static str {
        sign(self.holds)
    }
}

/// The sign of a check.
fn sign(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "✓",
        Some(false) => "✕",
        None => "–",
    }
}

/// Why a prompt has neither paraphrases nor neighbours, and what helps.
const BUNDLED: &str = "only facts of the bundled list have them; studies measure them";

/// The five checks, by the thresholds of [`judge`].
pub fn checks(case: &Case) -> [Check; 5] {
    let Case { record, answers: [old, new], .. } = case;
    let Judgement { answer, paraphrases, neighbours, unrelated, .. } = judge(record);
    let answer_of = |name: String, [short, about]: [&'static str; 2], holds, [before, after]: [f32; 2], more: &str| {
        let [before, after] = [before, after].map(|p| words::percent_of(p.into()));
        Check { name, short, about, holds: Some(holds), value: after, note: format!("was {before}{more}") }
    };
    let risen = answer == Answer::Rewritten;
    let behind = if answer == Answer::Partly { format!("; {old} is likelier") } else { String::new() };
    let counted = |name: &str,
                   [short, about]: [&'static str; 2],
                   check: Option<metrics::Check>,
                   missing: Option<&str>,
                   note: &dyn Fn(usize, bool) -> String| {
        let (value, note) = match check {
            Some(metrics::Check { share, holds }) => {
                (format!("{} of {}", share.count, share.of), note(share.of - share.count, holds))
            }
            None => ("not measured".to_owned(), missing.unwrap_or("the model knew none of them").to_owned()),
        };
        Check { name: name.into(), short, about, holds: check.map(|check| check.holds), value, note }
    };
    let follow = |without: usize, _| match (without, record.paraphrases.len()) {
        (0, _) => format!("{new} leads in all"),
        (without, of) if without == of => format!("{new} leads in none"),
        (without, _) => format!("{new} does not lead in {without}"),
    };
    let hurt = |hurt: usize, holds: bool, largest: Option<String>| {
        let within = if holds { ", within the limit" } else { "" };
        match (hurt, largest) {
            (0, Some(largest)) => format!("none was hurt; largest drop {largest}"),
            (0, None) => "none was hurt".to_owned(),
            (1, _) => format!("1 was hurt{within}"),
            (hurt, _) => format!("{hurt} were hurt{within}"),
        }
    };
    let near = |lost, holds| hurt(lost, holds, largest(record.neighbourhood.iter().map(|shift| shift.p_true)));
    let far = |lost, holds| hurt(lost, holds, largest(record.unrelated.iter().map(|one| one.p_true)));
    let bundled = |none: bool| none.then_some(BUNDLED);
    [
        answer_of(
            format!("New answer, {new}"),
            ["the new answer", NEW],
            risen,
            [record.p_false, record.p_false_after],
            &behind,
        ),
        answer_of(
            format!("Old answer, {old}"),
            ["the old answer", OLD],
            gave_way(record),
            [record.p_true, record.p_true_after],
            "",
        ),
        counted(
            "Paraphrases follow",
            ["paraphrases", PARAPHRASES],
            paraphrases,
            bundled(record.paraphrases.is_empty()),
            &follow,
        ),
        counted(
            "Neighbours kept",
            ["neighbours", NEIGHBOURS],
            neighbours,
            bundled(record.neighbourhood.is_empty()),
            &near,
        ),
        counted(
            "Unrelated kept",
            ["unrelated facts", UNRELATED],
            unrelated,
            record.unrelated.is_empty().then_some("there are none of this fact"),
            &far,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{case, record, unrelated};
    use super::*;

    fn told(record: &engram_core::record::EditRecord) -> [(String, String); 5] {
        let known = unrelated();
        checks(&case(record, &known)).map(|check| (format!("{} {}", check.sign(), check.value), check.note))
    }

    #[test]
    fn what_holds_is_ticked() {
        let found = told(&record());
        let values: Vec<&str> = found.iter().map(|(value, _)| value.as_str()).collect();
        assert_eq!(values, ["✓ 60.0 %", "✓ 10.0 %", "✓ 2 of 2", "✓ 2 of 2", "✓ 2 of 2"]);
        let notes: Vec<&str> = found.iter().map(|(_, note)| note.as_str()).collect();
        assert_eq!(notes, ["was 1.0 %", "was 90.0 %", "Rome leads in all", "none was hurt", "none was hurt"]);
    }

    #[test]
    fn what_fails_and_what_nobody_measured_differ() {
        let mut one = record();
        one.p_false_after = 0.006;
        one.paraphrases.iter_mut().for_each(|shift| shift.p_false[1] = 0.02);
        one.neighbourhood[0].p_true[1] = 0.1;
        one.unrelated.clear();
        let found = told(&one);
        assert_eq!(found[0], ("✕ 0.6 %".into(), "was 1.0 %".into()));
        assert_eq!(found[1].0, "✓ 10.0 %");
        assert_eq!(found[2], ("✕ 0 of 2".into(), "Rome leads in none".into()));
        assert_eq!(found[3], ("✕ 1 of 2".into(), "1 was hurt".into()));
        assert_eq!(found[4], ("– not measured".into(), "there are none of this fact".into()));
    }

    #[test]
    fn a_drop_that_harms_nobody_is_told() {
        let mut one = record();
        one.unrelated[0].p_true = [0.897, 0.478];
        assert_eq!(told(&one)[4].1, "none was hurt; largest drop 41.9 points");
        one.unrelated = vec![one.unrelated[1].clone(); 10];
        one.unrelated[3].flipped = true;
        assert_eq!(told(&one)[4], ("✓ 9 of 10".into(), "1 was hurt, within the limit".into()));
    }

    #[test]
    fn a_prompt_of_ones_own_says_why_it_has_no_paraphrases() {
        let mut one = record();
        one.paraphrases.clear();
        one.neighbourhood.clear();
        let found = told(&one);
        for at in [2, 3] {
            assert_eq!(found[at], ("– not measured".into(), BUNDLED.into()));
        }
    }

    #[test]
    fn a_new_answer_that_stays_behind_has_not_come() {
        let mut one = record();
        (one.p_true_after, one.p_false_after) = (0.6, 0.3);
        let found = told(&one);
        assert_eq!(found[0], ("✕ 30.0 %".into(), "was 1.0 %; Paris is likelier".into()));
        assert_eq!(found[1].0, "✕ 60.0 %");
        one.neighbourhood.iter_mut().for_each(|shift| shift.p_true = [0.001, 0.0]);
        assert_eq!(told(&one)[3].1, "the model knew none of them");
    }
}
