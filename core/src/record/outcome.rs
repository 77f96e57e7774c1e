//! What became of a fact: validated, dropped, or traced although a filter drops it.

use super::{Record, Traced};
use serde::{Deserialize, Serialize};

/// What became of a fact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It passed both filters and was traced.
    Validated(Box<Traced>),
    /// A filter drops it, and a single question traced it all the same.
    NotValidated(Box<NotValidated>),
    /// It was excluded.
    Dropped(Dropped),
}

impl Outcome {
    /// What became of a traced fact, by what the filters say of it.
    pub fn of(traced: Traced, dropped: Option<&Dropped>) -> Self {
        match dropped {
            None => Self::Validated(Box::new(traced)),
            Some(Dropped { reason, detail, .. }) => {
                Self::NotValidated(Box::new(NotValidated { reason: *reason, detail: detail.clone(), traced }))
            }
        }
    }

    /// The name used in records and tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Validated(_) => "validated",
            Self::NotValidated(_) => "not-validated",
            Self::Dropped(_) => "dropped",
        }
    }

    /// Why it is not validated: the reason, and a line for people.
    pub fn why(&self) -> Option<(Reason, &str)> {
        match self {
            Self::Validated(_) => None,
            Self::NotValidated(fact) => Some((fact.reason, &fact.detail)),
            Self::Dropped(dropped) => Some((dropped.reason, &dropped.detail)),
        }
    }
}

/// A fact that one of the filters drops, with the raw values of its trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct NotValidated {
    /// The filter: [`Reason::NotKnown`] or [`Reason::NotSensitive`].
    pub reason: Reason,
    /// One line for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Raw values.
    #[serde(flatten)]
    pub traced: Traced,
}

/// Why a fact was excluded, with the numbers that decided.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Dropped {
    /// The reason.
    pub reason: Reason,
    /// One line for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// `p_clean`, where it was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_clean: Option<f32>,
    /// `p_corrupt`, where it was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_corrupt: Option<f32>,
}

impl Dropped {
    /// The error for a single question that cannot be `done` for this reason.
    pub fn refusal(&self, done: &str) -> crate::Error {
        let hint = match self.reason {
            Reason::TooLong => "shorten the prompt, or name a shorter text in the subject's place",
            Reason::SubjectNotFound => "spell the subject as in the prompt, or write {} where it stands",
            Reason::AnswerMerges => "end the prompt without a space, where a new word begins",
            Reason::SharedFirstToken => "name another answer, or compare whole answers",
            Reason::UnknownToken => "leave the token out, or take the model's own tokenizer.json",
            Reason::Empty | Reason::NotKnown | Reason::NotSensitive => "check prompt, subject and answers",
        };
        crate::Error::input(format!("this cannot be {done}: {}", self.detail)).hint(hint)
    }
}

/// Reasons for which facts are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Greedy decoding does not give the true target.
    NotKnown,
    /// `p_clean - p_corrupt` is below the threshold.
    NotSensitive,
    /// The subject has no tokens of its own in the prompt.
    SubjectNotFound,
    /// Both targets begin with the same token.
    SharedFirstToken,
    /// The prompt has more tokens than allowed.
    TooLong,
    /// The answer's first token merges with the prompt's last characters.
    AnswerMerges,
    /// A field is empty.
    Empty,
    /// A text cannot be tokenized, or has a token that the model has no embedding for.
    UnknownToken,
}

impl Reason {
    /// The fact itself is at fault, or does not fit the model's tokenizer: not a finding about what the model knows.
    pub fn is_defect(self) -> bool {
        match self {
            Self::NotKnown | Self::NotSensitive | Self::SharedFirstToken => false,
            Self::SubjectNotFound | Self::TooLong | Self::AnswerMerges | Self::Empty | Self::UnknownToken => true,
        }
    }

    /// The name used in records and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotKnown => "not-known",
            Self::NotSensitive => "not-sensitive",
            Self::SubjectNotFound => "subject-not-found",
            Self::SharedFirstToken => "shared-first-token",
            Self::TooLong => "too-long",
            Self::AnswerMerges => "answer-merges",
            Self::Empty => "empty",
            Self::UnknownToken => "unknown-token",
        }
    }
}

impl Record {
    /// Gives the fact of a single question the outcome that its own numbers show. Programs before `not-validated` called
    /// every such fact validated.
    pub(crate) fn settle(&mut self) {
        if !self.is_question() {
            return;
        }
        for fact in &mut self.facts {
            let Outcome::Validated(traced) = &mut fact.outcome else { continue };
            let rank = traced.lens.as_ref().and_then(|lens| lens.rank_true.last().copied());
            let effect = traced.p_clean - traced.p_corrupt;
            let (reason, detail) = match rank {
                Some(rank) if rank > 1 => (Reason::NotKnown, String::new()),
                _ if effect < self.settings.min_effect => (Reason::NotSensitive, effect_line(effect)),
                _ => continue,
            };
            let traced = std::mem::take(&mut **traced);
            fact.outcome = Outcome::NotValidated(Box::new(NotValidated { reason, detail, traced }));
        }
    }
}

/// The line for a fact whose answer hardly depends on its subject.
pub(crate) fn effect_line(effect: f32) -> String {
    match effect < 0.0 {
        true => format!("p rises by {:.4}", -effect),
        false => format!("p falls by {effect:.4} only"),
    }
}
