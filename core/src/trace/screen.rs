//! The paper's two filters, for many facts at a time: greedy decoding gives the true target, and corruption matters.

use super::noise::{NoiseRows, corrupted};
use super::prepare::{Prepared, prepare};
use super::score;
use crate::error::Result;
use crate::facts::Fact;
use crate::model::Model;
use crate::record::outcome::effect_line;
use crate::record::{Answer, Dropped, Reason, Settings};
use crate::run::{Edited, Prompt, Read, Readout, Sites, with_halving};

/// What the filters say of a fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Screened {
    /// It passed.
    Passed(Box<Prepared>),
    /// It fell out.
    Dropped(Dropped),
}

/// What the filters say of a fact that is traced whatever they say; `None` where it passes.
pub async fn filtered(model: &Model, fact: &Fact, settings: &Settings) -> Result<Option<Dropped>> {
    match screen(model, &[fact], settings).await?.pop() {
        Some(Screened::Dropped(dropped)) => Ok(Some(dropped)),
        _ => Ok(None),
    }
}

/// Screens facts in one batch: all clean prompts with their answers forced, all corrupted prompts.
pub async fn screen(model: &Model, facts: &[&Fact], settings: &Settings) -> Result<Vec<Screened>> {
    let width = model.net.shape.width;
    let mut noise = NoiseRows::default();
    let mut prompts = Vec::new();
    let mut reads: Vec<(usize, Read)> = Vec::new();
    let mut prepared = Vec::with_capacity(facts.len());
    for fact in facts {
        let one = prepare(model, fact, settings)?;
        let Ok(one) = one else {
            prepared.push(one);
            continue;
        };
        // Teacher forcing: greedy decoding gives the answer if and only if every next token is the most probable.
        let (clean, n) = (one.clean.len(), one.answer.len());
        let ids: Vec<u32> = one.clean.iter().chain(&one.answer[..n - 1]).copied().collect();
        prompts.push(Prompt::plain(&ids));
        let at = prompts.len() - 1;
        reads.extend((0..n).map(|i| (at, Read { position: clean - 1 + i, tokens: vec![one.answer[i]] })));
        let asked = one.asked_corrupt(settings.answer);
        for prompt in corrupted(&one, &asked.ids, settings, width, &mut noise) {
            prompts.push(prompt);
            reads.extend(asked.reads.iter().map(|read| (prompts.len() - 1, read.clone())));
        }
        prepared.push(Ok(one));
    }
    let readouts = match prompts.is_empty() {
        true => Vec::new(),
        false => {
            let cache = &model.edited().capture(&prompts, &noise.matrix(width), &Sites::end()).await?;
            let reads = &reads;
            let work = |plan| async move { Edited { plan, ..model.edited() }.read(cache, reads).await };
            with_halving(model.plan, work).await?.0
        }
    };
    let mut rest = readouts.as_slice();
    let mut take = |n: usize| {
        let (head, tail) = rest.split_at(n);
        rest = tail;
        head
    };
    Ok(prepared
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
        .collect())
}

fn judge(
    model: &Model,
    fact: Prepared,
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
