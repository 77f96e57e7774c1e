//! ROME (Meng et al. 2022) and its variants with one key for both of its places (R-ROME, Gupta et al. 2024): a rank-one term
//! along `C⁻¹ k` that stores a value found by gradients.

use super::neighbour::neighbours;
use super::search::{Searched, Wish};
use crate::edit::editor::{EditBatch, Editor, Evidence, LastSearch, OnStep, Solved};
use crate::edit::rank_one::{RankOne, norm};
use crate::error::Result;
use crate::load::Model;
use crate::model::Site;
use crate::record::{EditKey, Rome, Search, SearchStart, Settings};
use std::sync::{Arc, PoisonError};

impl Editor for Rome {
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
        let (model, searched) = (batch.model, self.searched(batch, settings, told).await?);
        let mut solved = Vec::with_capacity(batch.targets.len());
        for (target, searched) in searched.iter().enumerate() {
            let change = self.change(model, batch.targets[target].layer, searched);
            let search = Search {
                division: Some(change.division() as f32),
                update_norm: change.factor().ok().map(|factor| norm(&factor) as f32),
                ..searched.record()
            };
            let loss = searched.found.loss.clone();
            let evidence = Evidence { seed: settings.seed, loss, search: Some(search), ..Evidence::default() };
            solved.push(Solved::rank_one(model, target, &change, evidence).await?);
        }
        Ok(solved)
    }
}

impl Rome {
    /// What is searched. It does not depend on keys: variants that differ in these alone share it.
    async fn searched(
        &self,
        batch: &EditBatch<'_>,
        settings: &Settings,
        told: OnStep<'_>,
    ) -> Result<Arc<Vec<Searched>>> {
        let wanted = (self.search, self.start);
        let known = |last: &Option<LastSearch>| {
            last.as_ref().filter(|(search, _)| *search == wanted).map(|(_, found)| Arc::clone(found))
        };
        let last = || batch.searched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known(&last()) {
            return Ok(found);
        }
        let model = batch.model;
        let wish = Wish {
            model,
            edited: model.edited(),
            targets: batch.targets,
            contexts: &settings.edit.contexts,
            site: Site::MlpValue,
            search: &self.search,
            seed: settings.seed,
            neighbours: match self.start {
                SearchStart::Zero => vec![None; batch.targets.len()],
                SearchStart::Neighbour => neighbours(batch, settings).await?,
            },
        };
        let found = Arc::new(wish.search(told).await?);
        *last() = Some((wanted, Arc::clone(&found)));
        Ok(found)
    }

    /// The update that stores the value.
    fn change(&self, model: &Model, layer: usize, searched: &Searched) -> RankOne {
        let [bare, mean] = [&searched.bare, &searched.mean];
        let along: Vec<f64> = match self.key {
            EditKey::Prompt => &bare[0],
            EditKey::Published | EditKey::Averaged => &mean[0],
        }
        .iter()
        .map(|&x| f64::from(x))
        .collect();
        let direction = unit(match self.covariance {
            true => model.second_moments.factor(layer).solve(&along),
            false => along,
        });
        let [key, value] = match self.key {
            EditKey::Published | EditKey::Prompt => bare.clone(),
            EditKey::Averaged => mean.clone(),
        };
        RankOne { layer, key, direction, value, target: searched.goal() }
    }
}

/// A vector of length one in the same direction; a zero one stays.
fn unit(values: Vec<f64>) -> Vec<f32> {
    let length = values.iter().map(|x| x * x).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    values.into_iter().map(|x| (x * scale) as f32).collect()
}
