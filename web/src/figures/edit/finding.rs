//! What an edit did, in one sentence, and what counts as made.

use super::{Case, Check, checks};
use crate::figures::study::Ending;
use crate::words;
use engram_core::metrics::{Answer, Mark, harms_neighbour, harms_unrelated, judge};

/// Longest prompt that the sentence quotes whole.
const QUOTED: usize = 48;

/// A piece of the sentence, by what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Plain words.
    Text(String),
    /// The true answer.
    Old(String),
    /// The new answer.
    New(String),
}

/// The finding of an edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How it is marked.
    pub mark: Mark,
    /// The verdict in a word or two, with its sign.
    pub badge: String,
    /// What the verdict means, as a clause.
    pub meaning: &'static str,
    /// The finding, one sentence.
    pub head: Vec<Piece>,
    /// What counts as made, and what of it failed here.
    pub more: String,
}

/// What an edit must do to count as made.
const COUNTS: &str = "An edit counts as made only when the new answer rises above the old one, most paraphrases follow, \
                      and neighbours and unrelated facts stay.";

/// How an edit ended, in the word that studies have for it, too.
fn badge(ending: Ending) -> String {
    format!("{} {}", ending.sign(), words::capital(ending.word()))
}

impl Finding {
    /// The finding of a case.
    pub fn of(case: &Case) -> Self {
        if let Some(why) = &case.record.failed {
            return Self {
                mark: Mark::Neutral,
                badge: badge(Ending::NoChange),
                meaning: Ending::NoChange.meaning(),
                head: vec![Piece::Text("No edit was made: the weights are as they were.".into())],
                more: words::sentence(words::visible(why).trim_end_matches('.')),
            };
        }
        let judged = judge(case.record);
        let mut head = answers(case, judged.answer);
        let mut clauses = Vec::new();
        if judged.answer == Answer::Rewritten {
            match judged.paraphrases.map(|check| check.holds) {
                Some(true) => clauses.push(", in other wordings too".to_owned()),
                Some(false) => clauses.push(", but most other wordings do not follow".into()),
                None => {}
            }
        }
        let now = now(case, judged.answer);
        let follow = judged.paraphrases.is_none_or(|check| check.holds);
        let good = judged.answer == Answer::Rewritten && follow && now.is_none();
        let and = if good { "but" } else { "and" };
        clauses.extend(now);
        clauses.extend(hurt(case).map(|hurt| format!(", {and} {hurt}")));
        clauses.push(".".into());
        head.push(Piece::Text(clauses.concat()));
        let more = format!("{COUNTS} {}", here(&checks(case)));
        let ending = Ending::of(case.record);
        Self { mark: judged.mark(), badge: badge(ending), meaning: ending.meaning(), head, more }
    }

    /// The sentence as plain text.
    pub fn text(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) | Piece::Old(text) | Piece::New(text) => text.clone(),
        };
        self.head.iter().map(piece).collect()
    }
}

/// What became of both answers.
fn answers(case: &Case, answer: Answer) -> Vec<Piece> {
    let [old, new] = case.answers.clone();
    let (old, new) = (Piece::Old(old), Piece::New(new));
    let text = |text: &str| Piece::Text(text.into());
    match answer {
        Answer::Rewritten => vec![new, text(" replaced "), old],
        Answer::Partly => {
            let to = words::percent_of(case.record.p_false_after.into());
            vec![new, Piece::Text(format!(" rose to {to}, but ")), old, text(" is still likelier")]
        }
        Answer::Silenced => vec![old, text(" is gone, but "), new, text(" did not come")],
        Answer::Unchanged => vec![new, text(" did not rise")],
    }
}

/// What the model says now, unless the sentence has said so.
fn now(case: &Case, answer: Answer) -> Option<String> {
    let [before, after] = case.says.as_ref()?;
    let [old, new] = &case.answers;
    let expected = match answer {
        Answer::Rewritten => after == new,
        Answer::Partly => after == old,
        _ => false,
    };
    let how = if before == after { "still" } else { "now" };
    (!expected).then(|| format!("; the model {how} says {after}"))
}

/// What else was hurt.
fn hurt(case: &Case) -> Option<String> {
    let neighbours = case.record.neighbourhood.iter().filter(|shift| harms_neighbour(shift));
    let neighbours: Vec<String> = neighbours.map(|shift| words::visible(&shift.prompt)).collect();
    let unrelated = case.record.unrelated.iter().enumerate().filter(|(_, one)| harms_unrelated(one));
    let unrelated: Vec<String> = unrelated
        .map(|(at, one)| {
            let prompt = case.unrelated.get(at).map(|(prompt, _)| words::visible(prompt));
            prompt.filter(|prompt| !prompt.is_empty()).unwrap_or_else(|| format!("fact {}", one.fact))
        })
        .collect();
    if let [one] = [neighbours.as_slice(), unrelated.as_slice()].concat().as_slice() {
        return Some(format!("“{}” was hurt", words::short(one, QUOTED)));
    }
    let count = |hurt: &[String], name| (!hurt.is_empty()).then(|| words::count(hurt.len(), name));
    let counts: Vec<String> =
        [count(&neighbours, "neighbour"), count(&unrelated, "unrelated fact")].into_iter().flatten().collect();
    (!counts.is_empty()).then(|| format!("{} were hurt", counts.join(" and ")))
}

/// What of it failed, and what was not measured.
fn here(checks: &[Check; 5]) -> String {
    let of = |holds: Option<bool>| -> Vec<&str> {
        checks.iter().filter(|check| check.holds == holds).map(|check| check.short).collect()
    };
    let (fail, open) = (of(Some(false)), of(None));
    let failed = match fail.as_slice() {
        [] if open.is_empty() => "Here all of it holds.".to_owned(),
        [] => "Here what was measured holds.".into(),
        _ if fail.len() == 4 && !fail.contains(&"the old answer") => {
            "Here only the old answer lost probability.".into()
        }
        fail => format!("Here it fails at {}.", list(fail)),
    };
    match open.as_slice() {
        [] => failed,
        open => format!("{failed} {} were not measured.", words::capital(&list(open))),
    }
}

/// Names as a list.
fn list(names: &[&str]) -> String {
    match names {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        names => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{case, record, unrelated};
    use super::*;
    use engram_core::record::EditRecord;

    fn found(record: &EditRecord, says: [&str; 2]) -> Finding {
        let known = unrelated();
        Finding::of(&Case { says: Some(says.map(str::to_owned)), ..case(record, &known) })
    }

    #[test]
    fn a_fact_that_is_rewritten_says_so() {
        let found = found(&record(), ["Paris", "Rome"]);
        assert_eq!((found.mark, found.badge.as_str()), (Mark::Good, "✓ Held"));
        assert_eq!(found.text(), "Rome replaced Paris, in other wordings too.");
        assert!(found.more.ends_with("Here all of it holds."), "{}", found.more);
        let mut harmful = record();
        harmful.unrelated[1].flipped = true;
        let text = "Rome replaced Paris, in other wordings too, but “The Kremlin is in” was hurt.";
        assert_eq!(self::found(&harmful, ["Paris", "Rome"]).text(), text);
    }

    #[test]
    fn silence_names_what_came_instead_and_what_was_hurt() {
        let mut one = record();
        one.p_false_after = 0.006;
        one.paraphrases.iter_mut().for_each(|shift| shift.p_false[1] = 0.02);
        one.unrelated[1].p_true[1] = 0.2;
        let told = found(&one, ["Paris", "Lyon"]);
        assert_eq!((told.mark, told.badge.as_str()), (Mark::Harm, "✕ Silenced"));
        assert_eq!(
            told.text(),
            "Paris is gone, but Rome did not come; the model now says Lyon, and “The Kremlin is in” was hurt."
        );
        assert!(told.more.ends_with("Here it fails at the new answer, paraphrases and unrelated facts."));
        one.neighbourhood[0].p_true[1] = 0.1;
        one.neighbourhood[1].p_true[1] = 0.1;
        let told = found(&one, ["Paris", "Lyon"]);
        assert!(told.text().ends_with(", and 2 neighbours and 1 unrelated fact were hurt."), "{}", told.text());
        assert!(told.more.ends_with("Here only the old answer lost probability."), "{}", told.more);
    }

    #[test]
    fn half_a_success_is_none() {
        let mut one = record();
        (one.p_true_after, one.p_false_after) = (0.6, 0.3);
        let told = found(&one, ["Paris", "Paris"]);
        assert_eq!(
            (told.badge.as_str(), told.text().as_str()),
            ("– Partly", "Rome rose to 30.0 %, but Paris is still likelier.")
        );
        one.p_false_after = 0.01;
        let told = found(&one, ["Paris", "Paris"]);
        let words = "Rome did not rise; the model still says Paris.";
        assert_eq!((told.badge.as_str(), told.text().as_str()), ("– No change", words));
        one.unrelated[0].flipped = true;
        assert_eq!(found(&one, ["Paris", "Paris"]).badge, "✕ Harm", "harm is harm, whatever the answer did");
        let mut narrow = record();
        narrow.paraphrases.iter_mut().for_each(|shift| shift.p_false[1] = 0.02);
        let told = found(&narrow, ["Paris", "Rome"]);
        assert_eq!(told.badge, "– One wording");
        assert_eq!(told.text(), "Rome replaced Paris, but most other wordings do not follow.");
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let mut one = record();
        one.paraphrases.clear();
        one.neighbourhood.clear();
        let told = found(&one, ["Paris", "Rome"]);
        assert_eq!((told.mark, told.badge.as_str()), (Mark::Neutral, "– Unchecked"));
        assert_eq!(told.text(), "Rome replaced Paris.");
        let more = "Here what was measured holds. Paraphrases and neighbours were not measured.";
        assert!(told.more.ends_with(more), "{}", told.more);
        one.failed = Some("the second moment is singular".into());
        let told = found(&one, ["Paris", "Rome"]);
        assert_eq!(told.more, "The second moment is singular.");
    }
}
