//! The search for the values that many facts want, in their contexts: what ROME, MEMIT and AlphaEdit share.

use super::neighbour::Neighbour;
use crate::edit::editor::{EditTarget, OnStep, Step};
use crate::edit::objective::Objective;
use crate::edit::rank_one::norm;
use crate::edit::rewriting::{Rewriting, rewriting};
use crate::edit::solve::{Found, Problem, Solver};
use crate::error::Result;
use crate::load::Model;
use crate::model::Site;
use crate::record::{Search, ValueSearch};
use crate::run::{ActivationCache, Edited, Prompt, Sites};
use crate::tensor::Matrix;
use std::ops::Range;

/// Share of the memory for activations that the prompts of a group of facts may take.
const KEPT: u64 = 4;
/// Most rows of the captured prompts of a group: far more than keep every core busy.
const MOST_ROWS: usize = 16_384;

/// What is searched, and where.
pub(super) struct Wish<'a> {
    pub(super) model: &'a Model,
    /// The model with the edits that are in force.
    pub(super) edited: Edited<'a>,
    pub(super) targets: &'a [EditTarget<'a>],
    pub(super) contexts: &'a [String],
    /// The vector is added here, at the subject's last token.
    pub(super) site: Site,
    pub(super) search: &'a ValueSearch,
    /// For each target the fact whose activation the search starts from; without one it starts where it is.
    pub(super) neighbours: Vec<Option<Neighbour>>,
    pub(super) seed: u64,
}

/// What was found for one target.
pub(in crate::edit) struct Searched {
    /// The activation of the bare prompt.
    pub(super) start: Vec<f32>,
    /// `order` of the fact whose activation the search started from.
    pub(super) neighbour: Option<usize>,
    /// What was added to it.
    pub(super) found: Found,
    /// Key and value at the subject's last token of the bare prompt, and their means over the contexts and the bare prompt.
    pub(super) bare: [Vec<f32>; 2],
    pub(super) mean: [Vec<f32>; 2],
}

impl Searched {
    /// The activation that was searched.
    pub(super) fn goal(&self) -> Vec<f32> {
        self.start.iter().zip(&self.found.vector).map(|(v, d)| v + d).collect()
    }

    /// For the record; what only some updates have is left out.
    pub(super) fn record(&self) -> Search {
        Search {
            value_norm: norm(&self.start) as f32,
            delta_norm: norm(&self.found.vector) as f32,
            clamped: self.found.clamped,
            neighbour: self.neighbour,
            nll: self.found.parts.iter().map(|[nll, _]| *nll).collect(),
            kl: self.found.parts.iter().map(|[_, kl]| *kl).collect(),
            ..Search::default()
        }
    }
}

/// Facts that are searched together, with their prompts.
struct Group {
    targets: Range<usize>,
    prompts: Vec<Prompt>,
    rewritings: Vec<Rewriting>,
    sites: Sites,
}

impl Wish<'_> {
    /// Searches all targets, as many at a time as there is room for. On the CPU no number depends on that.
    pub(super) async fn search(&self, told: OnStep<'_>) -> Result<Vec<Searched>> {
        let groups = self.groups()?;
        let steps = self.search.steps;
        let of = groups.len() * steps;
        let mut all = Vec::with_capacity(self.targets.len());
        for (at, group) in groups.into_iter().enumerate() {
            let mut step = |step: Step<'_>| told(Step { done: at * steps + step.done, of, losses: step.losses });
            all.extend(self.group(&group, &mut step).await?);
        }
        Ok(all)
    }

    async fn group(&self, group: &Group, told: OnStep<'_>) -> Result<Vec<Searched>> {
        let cache = self.edited.capture(&group.prompts, &Matrix::default(), &group.sites).await?;
        let (mut objectives, mut starts) = (Vec::new(), Vec::new());
        for (target, rewriting) in self.targets[group.targets.clone()].iter().zip(&group.rewritings) {
            let place = (target.tokens.id.as_str(), target.layer, self.site);
            objectives.push(Objective::rewriting(place, rewriting, self.search));
            starts.push(at(&cache, rewriting, 0, target.layer, self.site).await?);
        }
        let norms = starts.iter().map(|start| norm(start)).collect();
        let neighbours = &self.neighbours[group.targets.clone()];
        let first = |(start, neighbour): (&Vec<f32>, &Option<Neighbour>)| match neighbour {
            Some(neighbour) => neighbour.value.iter().zip(start).map(|(goal, start)| goal - start).collect(),
            None => vec![0.0; start.len()],
        };
        let first = starts.iter().zip(neighbours).map(first).collect();
        let Self { model, edited, seed, .. } = *self;
        let problem = Problem { model, edited, cache: &cache, objectives, norms, seed };
        let found = self.search.minimise(&problem, first, told).await?;
        let mut all = Vec::with_capacity(starts.len());
        let targets = self.targets[group.targets.clone()].iter().zip(&group.rewritings);
        for (((target, rewriting), (start, found)), neighbour) in
            targets.zip(starts.into_iter().zip(found)).zip(neighbours)
        {
            let layer = target.layer;
            let mut both = [Vec::new(), Vec::new()];
            let mut means = [Vec::new(), Vec::new()];
            for (i, site) in [Site::MlpKey, Site::MlpValue].into_iter().enumerate() {
                both[i] = at(&cache, rewriting, 0, layer, site).await?;
                means[i] = mean(&cache, rewriting, layer, site).await?;
            }
            all.push(Searched {
                start,
                neighbour: neighbour.as_ref().map(|one| one.order),
                found,
                bare: both,
                mean: means,
            });
        }
        Ok(all)
    }

    /// Whether there is room for a group's prompts and some more.
    fn fits(&self, sites: &Sites, prompts: &[Prompt], more: &[Prompt], room: u64) -> bool {
        let rows: usize = prompts.iter().chain(more).map(|prompt| prompt.ids.len()).sum();
        // A device computes a capture in one piece.
        let most = if self.edited.device.is_none() { MOST_ROWS } else { self.edited.plan.rows };
        rows <= most && sites.row_bytes(self.edited.net).saturating_mul(rows as u64) <= room
    }

    fn groups(&self) -> Result<Vec<Group>> {
        let mut groups = Vec::<Group>::new();
        let room = self.edited.plan.bytes / KEPT;
        for (at, target) in self.targets.iter().enumerate() {
            let layer = target.layer;
            let keep = |sites: Sites| {
                let both = |sites: Sites, site| sites.with(site, layer..=layer);
                both(both(sites.to_change(layer, self.site), Site::MlpKey), Site::MlpValue)
            };
            // A fact that is edited at several layers has the same prompts at each.
            if let Some(group) = groups.last_mut()
                && self.targets[at - 1].order == target.order
            {
                let sites = keep(group.sites.clone());
                if self.fits(&sites, &group.prompts, &[], room) {
                    let own = group.rewritings.last().expect("a group has a target").clone();
                    group.targets.end = at + 1;
                    group.sites = sites;
                    group.rewritings.push(own);
                    continue;
                }
            }
            let mut prompts = Vec::new();
            let mut own = rewriting(self.model, target, self.contexts, &mut prompts)?;
            if let Some(group) = groups.last_mut() {
                let sites = keep(group.sites.clone());
                if self.fits(&sites, &group.prompts, &prompts, room) {
                    own.shift(group.prompts.len());
                    group.targets.end = at + 1;
                    group.sites = sites;
                    group.prompts.append(&mut prompts);
                    group.rewritings.push(own);
                    continue;
                }
            }
            groups.push(Group { targets: at..at + 1, prompts, rewritings: vec![own], sites: keep(Sites::end()) });
        }
        Ok(groups)
    }
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
