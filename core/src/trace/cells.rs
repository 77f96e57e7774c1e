//! Stage 1's cells for a group of facts: sufficiency for every patch position and layer, and the three ablations.

use super::noise::{NoiseRows, corrupted};
use super::{Asked, TokenizedFact, mean_scores, resume, score};
use crate::error::Result;
use crate::load::Model;
use crate::model::Site;
use crate::record::{Answer, PatchPosition, Settings, Traced};
use crate::run::{ActivationCache, Edited, Intervention, PatchedRun, Prompt, Sites, with_halving};
use crate::tensor::Matrix;
use std::rc::Rc;

/// A captured group of facts: each one's clean prompt and its corrupted draws. Whatever is traced of them resumes it.
#[derive(Clone)]
pub struct Group {
    pub(super) cache: Rc<ActivationCache>,
    /// Noise rows.
    pub(super) constants: Matrix,
    pub(super) places: Vec<Place>,
}

/// Where a fact's prompts are in the captured run.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) clean: usize,
    pub(super) corrupt: Vec<usize>,
    pub(super) asked: Asked,
    pub(super) asked_corrupt: Asked,
    /// The counterfactual answer as a sequence, where it needs a prompt of its own.
    pub(super) asked_new: Option<(usize, Asked)>,
}

/// Captures the prompts of a group of facts, with `keep` of their sites.
pub async fn capture_with(model: &Model, facts: &[&TokenizedFact], settings: &Settings, keep: &Sites) -> Result<Group> {
    let width = model.net.shape.width;
    let mut noise = NoiseRows::default();
    let mut prompts: Vec<Prompt> = Vec::new();
    let mut places = Vec::new();
    for fact in facts {
        let asked = fact.asked(settings.answer);
        let asked_corrupt = fact.asked_corrupt(settings.answer);
        let clean = prompts.len();
        prompts.push(Prompt::plain(&asked.ids));
        let mut corrupt = Vec::new();
        for prompt in corrupted(fact, &asked_corrupt.ids, settings, width, &mut noise) {
            corrupt.push(prompts.len());
            prompts.push(prompt);
        }
        let asked_new = (settings.answer == Answer::Sequence).then(|| {
            let asked = Asked::new(&fact.clean, &fact.answer_new, &[], Answer::Sequence);
            prompts.push(Prompt::plain(&asked.ids));
            (prompts.len() - 1, asked)
        });
        places.push(Place { clean, corrupt, asked, asked_corrupt, asked_new });
    }
    let constants = noise.matrix(width);
    let cache = Rc::new(model.edited().capture(&prompts, &constants, keep).await?);
    Ok(Group { cache, constants, places })
}

/// Indices of a patch position: clean source, corrupted target. `None` where the corrupted prompt has no such index.
pub(super) fn positions(fact: &TokenizedFact, position: PatchPosition) -> Option<(usize, usize)> {
    let (s, s2) = (fact.span.end - 1, fact.corrupt_span.end - 1);
    match position {
        PatchPosition::SubjectLast => Some((s, s2)),
        PatchPosition::LastToken => Some((fact.clean.len() - 1, fact.corrupt.len() - 1)),
        PatchPosition::SameIndex => (s < fact.corrupt.len()).then_some((s, s)),
    }
}

/// The same with what tracing resumes from.
pub async fn capture_facts(model: &Model, facts: &[&TokenizedFact], settings: &Settings) -> Result<Group> {
    capture_with(model, facts, settings, &Sites::to_resume()).await
}

/// Traces a group of screened facts: everything of [`Traced`] but maps, lens and redundancy.
pub async fn stage1(model: &Model, facts: &[&TokenizedFact], settings: &Settings) -> Result<Vec<Traced>> {
    let group = capture_facts(model, facts, settings).await?;
    stage1_of(model, facts, settings, &group).await
}

/// [`stage1`] of facts whose prompts are captured already, with the same corruption and answers.
pub async fn stage1_of(
    model: &Model,
    facts: &[&TokenizedFact],
    settings: &Settings,
    group: &Group,
) -> Result<Vec<Traced>> {
    let layers = model.layers();
    let mut reads = Vec::new();
    for place in &group.places {
        reads.extend(place.asked.reads.iter().map(|read| (place.clean, read.clone())));
        for &corrupt in &place.corrupt {
            reads.extend(place.asked_corrupt.reads.iter().map(|read| (corrupt, read.clone())));
        }
        if let Some((prompt, asked)) = &place.asked_new {
            reads.extend(asked.reads.iter().map(|read| (*prompt, read.clone())));
        }
    }
    let asked = &reads;
    let work = |plan| async move { Edited { plan, ..model.edited() }.read(&group.cache, asked).await };
    let readouts = with_halving(model.plan, work).await?.0;
    let mut rest = readouts.as_slice();
    let mut take = |n: usize| {
        let (head, tail) = rest.split_at(n);
        rest = tail;
        head
    };
    let mut traced: Vec<Traced> = Vec::new();
    for (fact, place) in facts.iter().zip(&group.places) {
        let clean = take(place.asked.reads.len());
        let corrupt: Vec<_> = place.corrupt.iter().map(|_| take(place.asked_corrupt.reads.len()).to_vec()).collect();
        let p_false = match &place.asked_new {
            Some((_, asked)) => score(take(asked.reads.len())),
            None => clean[0].p[1],
        };
        traced.push(Traced {
            tokens: model.tokens.pieces(&fact.clean),
            subject_span: [fact.span.start, fact.span.end],
            corrupt_tokens: model.tokens.pieces(&fact.corrupt),
            corrupt_span: [fact.corrupt_span.start, fact.corrupt_span.end],
            p_clean: score(clean),
            p_corrupt: mean_scores(&corrupt, fact.draws)[0],
            p_false,
            ..Traced::default()
        });
    }

    let runs = cells(facts, group, settings, layers);
    let readouts = resume(model, group, &runs).await?;
    let mut rest = readouts.as_slice();
    for (fact, traced) in facts.iter().zip(&mut traced) {
        let mut curve = |draws: usize| {
            let (head, tail) = rest.split_at(layers * draws);
            rest = tail;
            mean_scores(head, draws)
        };
        for &position in &settings.positions {
            let values = match positions(fact, position) {
                Some(_) => curve(fact.draws),
                // Nothing to patch: the corrupted run as it is.
                None => vec![traced.p_corrupt; layers],
            };
            traced.patched.insert(position, values);
        }
        traced.without_block = curve(1);
        traced.without_attention = curve(1);
        traced.without_mlp = curve(1);
    }
    Ok(traced)
}

/// The runs in the order in which [`stage1`] takes their readouts apart.
fn cells(facts: &[&TokenizedFact], group: &Group, settings: &Settings, layers: usize) -> Vec<PatchedRun> {
    let mut runs = Vec::new();
    for (fact, place) in facts.iter().zip(&group.places) {
        for &position in &settings.positions {
            let Some((from, to)) = positions(fact, position) else { continue };
            for layer in 1..=layers {
                for &prompt in &place.corrupt {
                    let interventions = vec![Intervention::patch(layer, Site::Residual, to, place.clean, from)];
                    let reads = place.asked_corrupt.reads.clone();
                    runs.push(PatchedRun { prompt, interventions, overlay: None, reads });
                }
            }
        }
        let all = 0..place.asked.ids.len();
        for sites in [&[Site::Attention, Site::Mlp][..], &[Site::Attention], &[Site::Mlp]] {
            for layer in 1..=layers {
                let interventions = sites.iter().map(|&site| Intervention::zero(layer, site, all.clone())).collect();
                let (prompt, reads) = (place.clean, place.asked.reads.clone());
                runs.push(PatchedRun { prompt, interventions, overlay: None, reads });
            }
        }
    }
    runs
}
