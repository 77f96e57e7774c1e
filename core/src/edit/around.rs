//! What is watched around a person's edit: a question has no paraphrases, neighbours and unrelated facts of its own, the
//! bundled facts have.

use crate::error::Result;
use crate::facts::{Fact, FactFile, shuffled};
use crate::load::Model;
use crate::metrics::OwnLayer;
use crate::record::{PatchPosition, Settings};
use crate::trace::{Screened, TokenizedFact, screen, stage1};

/// Unrelated facts that are watched.
const UNRELATED: usize = 10;
/// Facts that are looked at to find them; a slow device should not screen for long.
const LOOKED_AT: usize = 32;

/// The fact of a file that a question asks for, with its paraphrases and neighbours and the question's own new answer; else
/// the question alone.
pub fn known_fact(facts: &FactFile, asked: Fact) -> Fact {
    let same = |fact: &&Fact| {
        let answer = fact.target_true.trim() == asked.target_true.trim();
        fact.subject == asked.subject && answer && fact.template == asked.template
    };
    match facts.facts.iter().find(same) {
        Some(fact) => Fact { target_new: asked.target_new, answer_ids: asked.answer_ids, ..fact.clone() },
        None => asked,
    }
}

/// Places of facts that the model knows, enough to find unrelated ones to any fact; the first ones in study order.
pub async fn known(model: &Model, facts: &FactFile) -> Result<Vec<usize>> {
    let settings = Settings::default();
    let mut known = Vec::new();
    let order = shuffled(facts.facts.len(), settings.seed);
    for chunk in order[..order.len().min(LOOKED_AT)].chunks(8) {
        let asked: Vec<&Fact> = chunk.iter().map(|&at| &facts.facts[at]).collect();
        let screened = screen(model, &asked, &settings, None).await?.facts;
        let passed = chunk.iter().zip(screened).filter(|(_, one)| matches!(one, Screened::Passed(_)));
        known.extend(passed.map(|(&at, _)| at));
        if known.len() >= 2 * UNRELATED {
            break;
        }
    }
    Ok(known)
}

/// Those of the known facts that are watched: of other relations and about other subjects.
pub fn unrelated(facts: &FactFile, known: &[usize], fact: &Fact) -> Vec<usize> {
    let other = |at: &usize| {
        let candidate = &facts.facts[*at];
        candidate.subject != fact.subject && (fact.relation.is_empty() || candidate.relation != fact.relation)
    };
    known.iter().copied().filter(other).take(UNRELATED).collect()
}

/// Known facts of a file that have a fact's relation and its new answer, with their places ([`EditTarget::alike`]).
///
/// [`EditTarget::alike`]: super::EditTarget::alike
pub async fn alike<'a>(model: &Model, facts: &'a FactFile, fact: &Fact) -> Result<Vec<(usize, &'a Fact)>> {
    let known = facts.facts.iter().enumerate().filter(|(_, other)| other.has_wanted_answer_of(fact));
    let all: Vec<(usize, &Fact)> = known.take(LOOKED_AT).collect();
    let asked: Vec<&Fact> = all.iter().map(|(_, fact)| *fact).collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let screened = screen(model, &asked, &Settings::default(), None).await?.facts;
    let known = all.into_iter().zip(screened).filter(|(_, one)| matches!(one, Screened::Passed(_)));
    Ok(known.map(|(one, _)| one).collect())
}

/// The fact's own layer under `subject-last`; `None` where no patch at the subject helps.
pub async fn own_layer(model: &Model, fact: &TokenizedFact, settings: &Settings) -> Result<Option<OwnLayer>> {
    let settings = Settings { positions: vec![PatchPosition::SubjectLast], ..settings.clone() };
    let traced = stage1(model, &[fact], &settings).await?.pop().expect("one fact, one trace");
    Ok(OwnLayer::of(&traced))
}
