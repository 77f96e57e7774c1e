//! ROME (Meng et al. 2022) and its variants with one key for both of its places (R-ROME, Gupta et al. 2024). The value is
//! searched by gradients, for many facts together; the update is a rank-one term along `C⁻¹ k`.

use crate::edit::editor::{EditBatch, Editor, Evidence, OnStep, Solved, Step};
use crate::edit::objective::Objective;
use crate::edit::rank_one::{RankOne, norm};
use crate::edit::rewriting::{Rewriting, rewriting};
use crate::edit::solve::{Found, Problem, Solver};
use crate::error::Result;
use crate::model::Site;
use crate::record::{EditKey, Rome, Search, Settings};
use crate::run::{ActivationCache, Prompt, Sites};
use crate::tensor::Matrix;
use std::ops::Range;

/// Share of the memory for activations that the prompts of a group of facts may take.
const KEPT: u64 = 4;
/// Most rows of the captured prompts of a group: far more than keep every core busy.
const MOST_ROWS: usize = 16_384;

/// Facts that are searched together, with their prompts.
struct Group {
    targets: Range<usize>,
    prompts: Vec<Prompt>,
    rewritings: Vec<Rewriting>,
    sites: Sites,
}

impl Editor for Rome {
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
        let groups = groups(batch, &settings.edit.contexts)?;
        let (of, mut done) = (groups.len() * self.search.steps, 0);
        let mut solved = Vec::with_capacity(batch.targets.len());
        for group in groups {
            let mut step = |step: Step<'_>| told(Step { done: done + step.done, of, losses: step.losses });
            self.group(batch, settings, &group, &mut step, &mut solved).await?;
            done += self.search.steps;
        }
        Ok(solved)
    }
}

impl Rome {
    async fn group(
        &self,
        batch: &EditBatch<'_>,
        settings: &Settings,
        group: &Group,
        told: OnStep<'_>,
        solved: &mut Vec<Solved>,
    ) -> Result<()> {
        let model = batch.model;
        let cache = model.edited().capture(&group.prompts, &Matrix::default(), &group.sites).await?;
        let mut objectives = Vec::new();
        let mut values = Vec::new();
        for (target, rewriting) in group.targets.clone().zip(&group.rewritings) {
            let target = &batch.targets[target];
            objectives.push(Objective::rewriting(
                (&target.tokens.id, target.layer, Site::MlpValue),
                rewriting,
                &self.search,
            ));
            values.push(at(&cache, rewriting, 0, target.layer, Site::MlpValue).await?);
        }
        let norms: Vec<f64> = values.iter().map(|value| norm(value)).collect();
        let start = values.iter().map(|value| vec![0.0; value.len()]).collect();
        let problem = Problem { model, cache: &cache, objectives, norms, seed: settings.seed };
        let found = self.search.minimise(&problem, start, told).await?;
        let all = group.targets.clone().zip(&group.rewritings).zip(values).zip(found);
        for (((target, rewriting), value), found) in all {
            let layer = batch.targets[target].layer;
            let change = self.change(model, (&cache, rewriting, layer), &value, &found).await?;
            let search = Search {
                value_norm: norm(&value) as f32,
                delta_norm: norm(&found.vector) as f32,
                clamped: found.clamped,
                division: change.division() as f32,
                update_norm: change.factor().map_or(0.0, |factor| norm(&factor) as f32),
                nll: found.parts.iter().map(|[nll, _]| *nll).collect(),
                kl: found.parts.iter().map(|[_, kl]| *kl).collect(),
            };
            let evidence =
                Evidence { seed: settings.seed, loss: found.loss, search: Some(search), ..Evidence::default() };
            solved.push(Solved::rank_one(model, target, &change, evidence).await?);
        }
        Ok(())
    }

    /// The update that stores `v + δ`.
    async fn change(
        &self,
        model: &crate::load::Model,
        (cache, rewriting, layer): (&ActivationCache, &Rewriting, usize),
        value: &[f32],
        found: &Found,
    ) -> Result<RankOne> {
        let target = value.iter().zip(&found.vector).map(|(v, d)| v + d).collect();
        let bare = at(cache, rewriting, 0, layer, Site::MlpKey).await?;
        let averaged = match self.key {
            EditKey::Prompt => bare.clone(),
            EditKey::Published | EditKey::Averaged => mean(cache, rewriting, layer, Site::MlpKey).await?,
        };
        let direction = unit(match self.covariance {
            true => {
                let key: Vec<f64> = averaged.iter().map(|&x| f64::from(x)).collect();
                model.second_moments.factor(layer).solve(&key)
            }
            false => averaged.iter().map(|&x| f64::from(x)).collect(),
        });
        let (key, value) = match self.key {
            EditKey::Published | EditKey::Prompt => (bare, value.to_vec()),
            EditKey::Averaged => (averaged, mean(cache, rewriting, layer, Site::MlpValue).await?),
        };
        Ok(RankOne { layer, key, direction, value, target })
    }
}

/// As many facts at a time as there is room for what their prompts keep. On the CPU no number depends on it.
fn groups(batch: &EditBatch<'_>, contexts: &[String]) -> Result<Vec<Group>> {
    let (model, mut groups) = (batch.model, Vec::<Group>::new());
    let room = batch.model.plan.bytes / KEPT;
    for (at, target) in batch.targets.iter().enumerate() {
        let mut prompts = Vec::new();
        let mut own = rewriting(model, target, contexts, &mut prompts)?;
        if let Some(group) = groups.last_mut() {
            let sites = group
                .sites
                .clone()
                .to_change(target.layer, Site::MlpValue)
                .with(Site::MlpKey, target.layer..=target.layer);
            let rows: usize = group.prompts.iter().chain(&prompts).map(|prompt| prompt.ids.len()).sum();
            if rows <= MOST_ROWS && sites.row_bytes(&model.net).saturating_mul(rows as u64) <= room {
                own.shift(group.prompts.len());
                group.targets.end = at + 1;
                group.sites = sites;
                group.prompts.append(&mut prompts);
                group.rewritings.push(own);
                continue;
            }
        }
        let sites =
            Sites::end().to_change(target.layer, Site::MlpValue).with(Site::MlpKey, target.layer..=target.layer);
        groups.push(Group { targets: at..at + 1, prompts, rewritings: vec![own], sites });
    }
    Ok(groups)
}

/// An activation of one of a target's prompts at the subject's last token.
async fn at(cache: &ActivationCache, of: &Rewriting, which: usize, layer: usize, site: Site) -> Result<Vec<f32>> {
    let one = &of.rewritten[which];
    Ok(cache.values(one.prompt, layer, site, one.subject..one.subject + 1).await?.values)
}

/// Its mean over the contexts and the bare prompt.
async fn mean(cache: &ActivationCache, of: &Rewriting, layer: usize, site: Site) -> Result<Vec<f32>> {
    let mut sum: Vec<f64> = Vec::new();
    for which in 0..of.rewritten.len() {
        let one = at(cache, of, which, layer, site).await?;
        sum.resize(one.len(), 0.0);
        sum.iter_mut().zip(one).for_each(|(sum, x)| *sum += f64::from(x));
    }
    Ok(sum.iter().map(|sum| (sum / of.rewritten.len() as f64) as f32).collect())
}

/// A vector of length one in the same direction; a zero one stays.
fn unit(values: Vec<f64>) -> Vec<f32> {
    let length = values.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    values.into_iter().map(|x| (x * scale) as f32).collect()
}
