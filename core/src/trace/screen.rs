//! The paper's two filters, for many facts at a time: greedy decoding gives the true target, and corruption matters.

use super::cells::{Group, Place};
use super::noise::{NoiseRows, corrupted};
use super::score;
use super::tokenize::{TokenizedFact, tokenize};
use crate::error::Result;
use crate::facts::Fact;
use crate::load::Model;
use crate::record::outcome::effect_line;
use crate::record::{Answer, Dropped, Reason, Settings};
use crate::run::{Edited, Prompt, Read, Readout, Sites, with_halving};
use std::rc::Rc;

/// What the filters say of a fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Screened {
    /// It passed.
    Passed(Box<TokenizedFact>),
    /// It was excluded.
    Dropped(Dropped),
}

/// Facts that were screened together.
pub struct Screening {
    /// What the filters say of each.
    pub facts: Vec<Screened>,
    /// Their prompts, where they were kept: a place for each that has tokens.
    kept: Option<(Group, Vec<Option<usize>>)>,
}

impl Screening {
    /// What was captured of some of the facts, to be traced; `None` where it was not kept.
    pub fn group(&self, facts: &[usize]) -> Option<Group> {
        let (group, places) = self.kept.as_ref()?;
        let places: Option<Vec<Place>> = facts.iter().map(|&fact| Some(group.places[places[fact]?].clone())).collect();
        Some(Group { places: places?, ..group.clone() })
    }
}

/// Share of the memory for activations that prompts may take which are kept after screening.
const KEPT: u64 = 8;

/// Screens facts in one batch: all clean prompts with their answers forced, all corrupted prompts. `keep` of them is kept,
/// where it is little enough.
pub async fn screen(model: &Model, facts: &[&Fact], settings: &Settings, keep: Option<&Sites>) -> Result<Screening> {
    let tokens: Result<Vec<_>> = facts.iter().map(|fact| tokenize(model, fact, settings)).collect();
    screen_tokens(model, tokens?, settings, keep).await
}

/// [`screen`] of facts that are tokenized already.
pub(super) async fn screen_tokens(
    model: &Model,
    facts: Vec<std::result::Result<TokenizedFact, Dropped>>,
    settings: &Settings,
    keep: Option<&Sites>,
) -> Result<Screening> {
    let width = model.net.shape.width;
    let mut noise = NoiseRows::default();
    let mut prompts = Vec::new();
    let mut reads: Vec<(usize, Read)> = Vec::new();
    let (mut places, mut place_of) = (Vec::new(), vec![None; facts.len()]);
    for (number, one) in facts.iter().enumerate() {
        let Ok(one) = one else { continue };
        // Teacher forcing: greedy decoding gives the answer if and only if every next token is the most probable.
        let (clean, n) = (one.clean.len(), one.answer.len());
        let ids: Vec<u32> = one.clean.iter().chain(&one.answer[..n - 1]).copied().collect();
        prompts.push(Prompt::plain(&ids));
        let at = prompts.len() - 1;
        reads.extend((0..n).map(|i| (at, Read { position: clean - 1 + i, tokens: vec![one.answer[i]] })));
        let asked = one.asked_corrupt(settings.answer);
        let mut corrupt = Vec::new();
        for prompt in corrupted(one, &asked.ids, settings, width, &mut noise) {
            prompts.push(prompt);
            corrupt.push(prompts.len() - 1);
            reads.extend(asked.reads.iter().map(|read| (prompts.len() - 1, read.clone())));
        }
        place_of[number] = Some(places.len());
        let clean = one.asked(settings.answer);
        places.push(Place { clean: at, corrupt, asked: clean, asked_corrupt: asked, asked_new: None });
    }
    let (mut readouts, mut kept) = (Vec::new(), None);
    if !prompts.is_empty() {
        let rows: usize = prompts.iter().map(|prompt| prompt.ids.len()).sum();
        // A sequence's counterfactual answer has a prompt of its own.
        let keep = keep.filter(|sites| {
            let bytes = sites.row_bytes(&model.net).saturating_mul(rows as u64);
            settings.answer == Answer::FirstToken && bytes <= model.plan.bytes / KEPT
        });
        let sites = keep.cloned().unwrap_or_else(Sites::end);
        let constants = noise.matrix(width);
        let cache = Rc::new(model.edited().capture(&prompts, &constants, &sites).await?);
        let (from, reads) = (&*cache, &reads);
        let work = |plan| async move { Edited { plan, ..model.edited() }.read(from, reads).await };
        readouts = with_halving(model.plan, work).await?.0;
        kept = keep.map(|_| (Group { cache, constants, places }, place_of));
    }
    let mut rest = readouts.as_slice();
    let mut take = |n: usize| {
        let (head, tail) = rest.split_at(n);
        rest = tail;
        head
    };
    let facts = facts
        .into_iter()
        .map(|one| match one {
            Err(dropped) => Screened::Dropped(dropped),
            Ok(one) => {
                let clean = take(one.answer.len());
                let per_draw = one.asked_corrupt(settings.answer).reads.len();
                let corrupt = take(per_draw * one.draws);
                judge(model, one, clean, corrupt, per_draw, settings)
            }
        })
        .collect();
    Ok(Screening { facts, kept })
}

fn judge(
    model: &Model,
    fact: TokenizedFact,
    clean: &[Readout],
    corrupt: &[Readout],
    per_draw: usize,
    settings: &Settings,
) -> Screened {
    let p_clean = match settings.answer {
        Answer::FirstToken => score(&clean[..1]),
        Answer::Sequence => score(clean),
    };
    let draws: Vec<f64> = corrupt.chunks(per_draw).map(|draw| f64::from(score(draw))).collect();
    let p_corrupt = (draws.iter().sum::<f64>() / draws.len() as f64) as f32;
    let drop = |reason, detail: String| {
        Screened::Dropped(Dropped { reason, detail, p_clean: Some(p_clean), p_corrupt: Some(p_corrupt) })
    };
    let wrong = clean.iter().zip(&fact.answer).find(|(readout, want)| readout.top != **want);
    if let Some((readout, want)) = wrong {
        let (got, want) = (model.tokens.show(readout.top), model.tokens.show(*want));
        return drop(Reason::NotKnown, format!("greedy decoding gives \"{got}\" where \"{want}\" is wanted"));
    }
    if p_clean - p_corrupt < settings.min_effect {
        return drop(Reason::NotSensitive, effect_line(p_clean - p_corrupt));
    }
    Screened::Passed(Box::new(fact))
}
