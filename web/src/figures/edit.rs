//! An edit as the Edit screen shows it: the finding in one sentence, five checks, its price prompt by prompt, and the map of
//! states before and after.

mod checks;
mod finding;
mod map;
mod meanings;
mod price;

pub use checks::{Check, checks};
pub use finding::{Finding, Piece};
pub use map::{map_after, map_before};
pub use meanings::{CHANGE, NEIGHBOURS, PARAPHRASES, UNRELATED, limits, meaning};
pub(crate) use price::unrelated as unrelated_of;
pub use price::{Group, Row, numbers, price};

use super::question::first_word;
use crate::words;
use engram_core::record::{Answers, EditRecord};

/// An edit with what its record does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Case<'a> {
    /// What was measured.
    pub record: &'a EditRecord,
    /// The prompt.
    pub prompt: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// The true answer and the new one, as they are shown.
    pub answers: [String; 2],
    /// Prompts of the record's unrelated facts with their answers, in its order.
    pub unrelated: &'a [(String, String)],
    /// What the model says to the prompt before and after, where somebody knows.
    pub says: Option<[String; 2]>,
}

/// What a model says before and after an edit, from its continuations of the prompt: one of both answers, or its own first word.
pub fn said(continuations: &[String; 2], answers: &[String; 2]) -> Option<[String; 2]> {
    let one = |said: &String| {
        let said = words::visible(said.trim());
        let is = |answer: &&String| !answer.is_empty() && (said.starts_with(*answer) || answer.starts_with(&said));
        let word = answers.iter().find(is).cloned().unwrap_or_else(|| first_word(&said));
        (!said.is_empty() && !word.is_empty()).then_some(word)
    };
    let [before, after] = continuations.each_ref().map(one);
    Some([before?, after?])
}

/// The same where a record knows of both answers whether the model gives them whole; `None` for another one.
pub fn given(found: &Answers, answers: &[String; 2]) -> [Option<String>; 2] {
    [0, 1].map(|when| {
        let whole = [found.argmax_true[when] == found.tokens[0], found.argmax_new[when] == found.tokens[1]];
        whole.iter().position(|whole| *whole).map(|at| answers[at].clone())
    })
}

/// An edit for tests: ten prompts around the sample's fact.
#[cfg(test)]
pub(crate) fn record() -> EditRecord {
    use engram_core::record::{Shift, Unrelated};
    let shift = |prompt: &str, p_true, p_false| Shift { prompt: prompt.into(), p_true, p_false, answers: None };
    EditRecord {
        layer: 2,
        p_true: 0.9,
        p_true_after: 0.1,
        p_false: 0.01,
        p_false_after: 0.6,
        paraphrases: vec![
            shift("France's capital is", [0.8, 0.1], [0.02, 0.6]),
            shift("The seat of France's government is", [0.8, 0.1], [0.02, 0.5]),
        ],
        neighbourhood: vec![
            shift("The Louvre is in", [0.8, 0.75], [0.01, 0.02]),
            shift("The Seine flows through", [0.6, 0.58], [0.01, 0.01]),
        ],
        unrelated: vec![
            Unrelated { fact: 2, p_true: [0.9, 0.88], flipped: false },
            Unrelated { fact: 3, p_true: [0.7, 0.69], flipped: false },
        ],
        restored: true,
        ..super::edited::sample_edit().record
    }
}

/// The case of a record, for tests.
#[cfg(test)]
pub(crate) fn case<'a>(record: &'a EditRecord, unrelated: &'a [(String, String)]) -> Case<'a> {
    Case {
        record,
        prompt: "The capital of France is",
        subject: "France",
        answers: ["Paris".into(), "Rome".into()],
        unrelated,
        says: Some(["Paris".into(), "Rome".into()]),
    }
}

/// The unrelated facts of [`record`], for tests.
#[cfg(test)]
pub(crate) fn unrelated() -> Vec<(String, String)> {
    vec![("The capital of Peru is".into(), "Lima".into()), ("The Kremlin is in".into(), "Moscow".into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_an_answer_or_a_word() {
        let answers = ["South Africa".to_owned(), "Sweden".to_owned()];
        let of = |before: &str, after: &str| said(&[before.into(), after.into()], &answers);
        assert_eq!(of(" South Africa, where", " Swedenborg"), Some(["South Africa".into(), "Sweden".into()]));
        assert_eq!(of(" South", " the land, which"), Some(["South Africa".into(), "the".into()]));
        assert_eq!(of("", " Sweden"), None);
    }

    #[test]
    fn whole_answers_are_known_from_their_tokens() {
        let found = Answers {
            nll_true: [0.1, 2.0],
            nll_new: [3.0, 0.2],
            argmax_true: [2, 1],
            argmax_new: [0, 0],
            tokens: [2, 1],
            kept: 1,
        };
        assert_eq!(given(&found, &["Paris".into(), "Rome".into()]), [Some("Paris".into()), None]);
    }
}
