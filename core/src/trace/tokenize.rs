//! A fact as tokens: clean and corrupted prompt, subject spans, answers; or the reason why it is dropped.

use super::Asked;
use crate::error::{Kind, Result};
use crate::facts::{Fact, SLOT};
use crate::load::Model;
use crate::record::{Answer, Corruption, Dropped, Reason, Settings};
use crate::tokens::AnswerError;
use std::ops::Range;

/// A fact ready to be traced by one model.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenizedFact {
    /// Clean prompt.
    pub clean: Vec<u32>,
    /// Subject span `[b, e)` in it.
    pub span: Range<usize>,
    /// Corrupted prompt; under noise the clean one again.
    pub corrupt: Vec<u32>,
    /// Subject span in it.
    pub corrupt_span: Range<usize>,
    /// Leading positions that both prompts share and the corruption leaves alone.
    pub shared: usize,
    /// Tokens of the true answer.
    pub answer: Vec<u32>,
    /// Tokens of the counterfactual answer.
    pub answer_new: Vec<u32>,
    /// Corrupted draws: 1 under `replace`.
    pub draws: usize,
    /// Seeds the draws: the fact's id.
    pub id: String,
}

impl TokenizedFact {
    /// Tokens that the longer prompt and the longer answer take together; an answer's last token is only read.
    pub fn longest(&self) -> usize {
        self.clean.len().max(self.corrupt.len()) + self.answer.len().max(self.answer_new.len()) - 1
    }

    /// The true answer after the clean prompt; with `first-token` the counterfactual's token is read too.
    pub fn asked(&self, mode: Answer) -> Asked {
        Asked::new(&self.clean, &self.answer, &self.answer_new[..1], mode)
    }

    /// The true answer after the corrupted prompt.
    pub fn asked_corrupt(&self, mode: Answer) -> Asked {
        Asked::new(&self.corrupt, &self.answer, &[], mode)
    }
}

/// Tokenizes a fact for a model, or says why it is dropped.
pub fn tokenize(model: &Model, fact: &Fact, settings: &Settings) -> Result<Result<TokenizedFact, Dropped>> {
    crate::run::counts::fact();
    match tokenized(model, fact, settings) {
        // A text that the tokenizer cannot take is this fact's affair, and no end of a study.
        Err(error) if error.kind == Kind::Input => Ok(Err(dropped(Reason::UnknownToken, error.message()))),
        other => other,
    }
}

fn tokenized(model: &Model, fact: &Fact, settings: &Settings) -> Result<Result<TokenizedFact, Dropped>> {
    let tokens = &model.tokens;
    let drop = |reason, detail: &str| Ok(Err(dropped(reason, detail)));
    let prompt = fact.prompt();
    let fields = [&fact.subject, &fact.target_true, &fact.target_new];
    if prompt.trim().is_empty() || fields.iter().any(|field| field.trim().is_empty()) {
        return drop(Reason::Empty, "a field is empty");
    }
    let most = settings.max_tokens.min(model.net.shape.positions);
    let too_long = |what: &str, count: usize| {
        let whose = if most < settings.max_tokens { "the model takes" } else { "allowed are" };
        dropped(Reason::TooLong, &format!("{what} has {count} tokens, {whose} {most}"))
    };
    let clean = tokens.encode(&prompt)?;
    if clean.ids.len() > most {
        return Ok(Err(too_long("the prompt", clean.ids.len())));
    }
    match fact.template.matches(SLOT).count() {
        1 => {}
        0 => return drop(Reason::SubjectNotFound, "the subject is not in the prompt"),
        places => return drop(Reason::SubjectNotFound, &format!("the prompt has {places} places for the subject")),
    }
    let Some(span) = clean.span(&fact.subject_chars()) else {
        return drop(Reason::SubjectNotFound, "no token covers the subject");
    };
    let (corrupt, corrupt_span, shared, draws) = match &settings.corruption {
        Corruption::Replace { with } => {
            let (text, chars) = fact.corrupted(with);
            let corrupt = tokens.encode(&text)?;
            if corrupt.ids.len() > most {
                return Ok(Err(too_long(&format!("the prompt with \"{with}\" as its subject"), corrupt.ids.len())));
            }
            let Some(corrupt_span) = corrupt.span(&chars) else {
                return drop(Reason::SubjectNotFound, "no token covers the replacement");
            };
            let shared = clean.common_prefix(&corrupt).min(span.start).min(corrupt_span.start);
            (corrupt.ids, corrupt_span, shared, 1)
        }
        Corruption::Noise { draws, .. } => (clean.ids.clone(), span.clone(), span.start, *draws),
    };
    let mut answers = Vec::new();
    for (target, given) in [&fact.target_true, &fact.target_new].into_iter().zip(&fact.answer_ids) {
        if !given.is_empty() {
            answers.push(given.clone());
            continue;
        }
        match tokens.answer(&prompt, target)? {
            Ok(ids) => answers.push(ids),
            Err(AnswerError::Empty) => return drop(Reason::Empty, "a target is empty"),
            Err(AnswerError::Merges) => {
                return drop(Reason::AnswerMerges, &format!("\"{target}\" merges with the prompt's last token"));
            }
        }
    }
    let [answer, answer_new]: [Vec<u32>; 2] = answers.try_into().expect("an answer for each of two targets");
    if let Some(unknown) = [&clean.ids, &corrupt, &answer, &answer_new].into_iter().find_map(|ids| model.unknown(ids)) {
        return drop(Reason::UnknownToken, &unknown);
    }
    if settings.answer == Answer::FirstToken && answer[0] == answer_new[0] {
        let token = tokens.show(answer[0]);
        return drop(Reason::SharedFirstToken, &format!("both targets begin with \"{token}\""));
    }
    let prepared = TokenizedFact {
        clean: clean.ids,
        span,
        corrupt,
        corrupt_span,
        shared,
        answer,
        answer_new,
        draws,
        id: fact.id.clone(),
    };
    let longest = model.net.shape.positions;
    match prepared.longest() <= longest {
        true => Ok(Ok(prepared)),
        false => {
            let what = format!("prompt and answers have {} tokens together", prepared.longest());
            drop(Reason::TooLong, &format!("{what}, the model takes {longest}"))
        }
    }
}

/// A dropped fact without numbers.
pub(super) fn dropped(reason: Reason, detail: &str) -> Dropped {
    Dropped { reason, detail: detail.to_string(), p_clean: None, p_corrupt: None }
}
