//! The prompts of a gradient search, as token ids: each fact in its contexts with the new answer teacher-forced behind it, and
//! the prompt that says what the subject is.

use super::contexts::within;
use super::editor::EditTarget;
use crate::error::{Error, Kind, Result};
use crate::facts::{Fact, SLOT};
use crate::load::Model;
use crate::run::{Prompt, Read};
use std::ops::Range;

/// What follows the subject is to stay as it was.
const ESSENCE: &str = "{} is a";

/// One prompt that is to be continued by the new answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewritten {
    /// Prompt of the cache.
    pub(super) prompt: usize,
    /// Position of the subject's last token.
    pub(super) subject: usize,
    /// One read for each of the answer's tokens.
    pub(super) reads: Vec<Read>,
}

/// The prompts of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rewriting {
    /// The bare prompt first, then those in contexts.
    pub(super) rewritten: Vec<Rewritten>,
    /// Prompt of the cache that says what the subject is, and the position of the subject's last token in it.
    pub(super) essence: (usize, usize),
}

impl Rewriting {
    /// Its prompts stand behind so many others.
    pub(super) fn shift(&mut self, by: usize) {
        self.rewritten.iter_mut().for_each(|one| one.prompt += by);
        self.essence.0 += by;
    }
}

/// Adds a target's prompts to `prompts`. A context in which the prompt is longer than the model takes is left out.
///
/// # Errors
/// When the subject has no tokens of its own in one of them.
pub(super) fn rewriting(
    model: &Model,
    target: &EditTarget<'_>,
    contexts: &[String],
    prompts: &mut Vec<Prompt>,
) -> Result<Rewriting> {
    let answer = &target.tokens.answer_new;
    let most = model.net.shape.positions;
    let mut push = |ids: Vec<u32>| {
        prompts.push(Prompt { ids, interventions: Vec::new() });
        prompts.len() - 1
    };
    let mut rewritten = Vec::with_capacity(contexts.len() + 1);
    let plain = (target.tokens.clean.clone(), target.tokens.span.clone());
    let others = contexts.iter().map(|context| tokens_of(model, &within(context, target.fact)));
    for one in std::iter::once(Ok(plain)).chain(others) {
        let (prompt, span) = match one {
            // What one context does to one fact ends no study.
            Err(error) if error.kind == Kind::Input => {
                log::warn!("{:?}: a context is left out: {}", target.fact.prompt(), error.message());
                continue;
            }
            other => other?,
        };
        if prompt.len() + answer.len() - 1 > most {
            log::warn!("{:?}: a context is left out, the model takes {most} tokens", target.fact.prompt());
            continue;
        }
        let last = prompt.len() - 1;
        let reads = answer.iter().enumerate().map(|(i, &token)| Read { position: last + i, tokens: vec![token] });
        let ids = prompt.iter().chain(&answer[..answer.len() - 1]).copied().collect();
        rewritten.push(Rewritten { prompt: push(ids), subject: span.end - 1, reads: reads.collect() });
    }
    let (ids, span) = tokens_of(model, &Fact { template: ESSENCE.into(), ..target.fact.clone() })?;
    Ok(Rewriting { rewritten, essence: (push(ids), span.end - 1) })
}

/// A fact's prompt as tokens, and its subject's.
fn tokens_of(model: &Model, fact: &Fact) -> Result<(Vec<u32>, Range<usize>)> {
    let prompt = fact.prompt();
    let encoded = model.tokens.encode(&prompt)?;
    let span = encoded.span(&fact.subject_chars()).ok_or_else(|| {
        Error::input(format!("no token covers the subject in {prompt:?}")).hint("leave this context out (--contexts)")
    })?;
    match model.unknown(&encoded.ids) {
        None => Ok((encoded.ids, span)),
        Some(unknown) => Err(Error::input(unknown)
            .at(format!("{prompt:?}"))
            .hint(format!("give contexts that the model has tokens for, with {SLOT} for the prompt (--contexts)"))),
    }
}
