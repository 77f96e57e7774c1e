//! MEMIT (Meng et al. 2023) and AlphaEdit (Fang et al. 2025): many facts at once, spread over several layers. The activation
//! that each fact wants after the last of them is searched by gradients; then every layer, from the lowest on, takes its share of
//! what is missing, with keys measured again above the layers that are changed already.

use super::search::{Searched, Wish};
use crate::edit::contexts::within;
use crate::edit::editor::{EditBatch, EditTarget, Editor, Evidence, OnStep, Solved, Step};
use crate::edit::rank_one::norm;
use crate::edit::size::size_of;
use crate::error::{Error, Result};
use crate::load::Model;
use crate::model::Site;
use crate::record::{AlphaEdit, Memit, Settings, ValueSearch};
use crate::run::{Edited, Prompt, Sites};
use crate::second_moment::ridge_inverse;
use crate::tensor::{Matrix, Overlay, Term};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Facts whose keys are measured at a time: a few hundred rows.
const AT_ONCE: usize = 8;
/// Contexts that keys are averaged over, beside the bare prompt.
const CONTEXTS: usize = 5;

impl Editor for Memit {
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
        let spread = Spread::of(batch, self.layers, &self.search, settings)?;
        let all: Vec<usize> = (0..batch.targets.len()).collect();
        let goals = spread.goals(&all, &Overlay::default(), told).await?;
        let mut overlay = Overlay::default();
        let missing = spread
            .write(&all, &goals, &mut overlay, |layer, keys| {
                // (λC + KKᵀ) X = K, by way of the n × n matrix I + Kᵀ(λC)⁻¹K.
                let factor = batch.model.second_moments.factor(layer);
                let solved =
                    keys.iter().map(|key| factor.solve(key).iter().map(|x| x / f64::from(self.lambda)).collect());
                let solved: Vec<Vec<f64>> = solved.collect();
                ridge_inverse(&solved, keys, 1.0, keys.len())
            })
            .await?;
        spread.solved(vec![(all, goals, missing)], overlay).await.map(|solved| vec![solved])
    }
}

impl Editor for AlphaEdit {
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
        let spread = Spread::of(batch, self.layers, &self.search, settings)?;
        let mut spaces = BTreeMap::new();
        for layer in spread.layers.clone() {
            spaces.insert(layer, batch.model.second_moments.null_space(layer, self.threshold)?);
        }
        let all: Vec<usize> = (0..batch.targets.len()).collect();
        let (mut overlay, mut past) = (Overlay::default(), batch.past.clone());
        let mut parts = Vec::new();
        let batches = all.chunks(self.batch.max(1));
        let (count, steps) = (batches.len(), self.search.steps);
        for (at, some) in batches.enumerate() {
            let mut step = |step: Step<'_>| {
                let (done, of) = (at * steps + step.done * steps / step.of.max(1), count * steps);
                told(Step { done, of, losses: step.losses })
            };
            let goals = spread.goals(some, &overlay, &mut step).await?;
            let missing = spread
                .write(some, &goals, &mut overlay, |layer, keys| {
                    // (P(KKᵀ + S) + L₂) Y = PK for the columns of this batch, by way of AᵀPA + L₂ with A = [past, K].
                    let earlier = past.get(&layer).map_or(&[][..], Vec::as_slice);
                    let every: Vec<Vec<f64>> = earlier.iter().chain(keys).cloned().collect();
                    let projected: Vec<Vec<f64>> = every.iter().map(|key| spaces[&layer].project(key)).collect();
                    ridge_inverse(&projected, &every, f64::from(self.l2), keys.len())
                })
                .await?;
            for layer in spread.layers.clone() {
                let (keys, _) = spread.keys(some, layer, &overlay).await?;
                past.entry(layer).or_default().extend(keys);
            }
            parts.push((some.to_vec(), goals, missing));
        }
        // Those of edits that were in force already come first.
        for (layer, before) in &batch.past {
            past.entry(*layer).or_default().drain(..before.len());
        }
        let solved = spread.solved(parts, overlay).await?;
        Ok(vec![Solved { keys: past, ..solved }])
    }
}

/// What both share: the layers, and where the searched activation is.
struct Spread<'a> {
    batch: &'a EditBatch<'a>,
    layers: RangeInclusive<usize>,
    site: Site,
    contexts: Vec<String>,
    search: &'a ValueSearch,
    seed: u64,
}

/// Targets, what was searched for them, and how much of it was missing before each layer's update and after the last.
type Part = (Vec<usize>, Vec<Searched>, Vec<Vec<f32>>);

impl<'a> Spread<'a> {
    fn of(batch: &'a EditBatch<'a>, layers: usize, search: &'a ValueSearch, settings: &Settings) -> Result<Self> {
        let layer = batch.targets[0].layer;
        if batch.targets.iter().any(|target| target.layer != layer) {
            return Err(Error::input("many facts are edited at once, and their layers differ")
                .hint("choose one for all with --edit-layers")
                .in_page("choose a layer"));
        }
        // Through a norm behind the MLP no linear map writes a difference of the stream: there the value itself is searched,
        // and one layer takes all of it.
        let normed = batch.model.net.block(layer).after_mlp.is_some();
        let (first, site) = match normed {
            true => (layer, Site::MlpValue),
            false => ((layer + 1).saturating_sub(layers.max(1)).max(1), Site::Residual),
        };
        let contexts = few(&settings.edit.contexts);
        Ok(Self { batch, layers: first..=layer, site, contexts, search, seed: settings.seed })
    }

    fn model(&self) -> &'a Model {
        self.batch.model
    }

    fn targets(&self, some: &[usize]) -> Vec<EditTarget<'a>> {
        some.iter().map(|&at| self.batch.targets[at].clone()).collect()
    }

    async fn goals(&self, some: &[usize], overlay: &Overlay, told: OnStep<'_>) -> Result<Vec<Searched>> {
        let overlays = self.overlays(overlay);
        let wish = Wish {
            model: self.model(),
            edited: Edited { overlays: &overlays, ..self.model().edited() },
            targets: &self.targets(some),
            contexts: &self.contexts,
            site: self.site,
            search: self.search,
            seed: self.seed,
            neighbours: vec![None; some.len()],
        };
        wish.search(told).await
    }

    /// The edits in force, and these.
    fn overlays(&self, overlay: &Overlay) -> Vec<Overlay> {
        let own = (!overlay.terms.is_empty()).then_some(overlay);
        self.model().overlays.iter().chain(own).cloned().collect()
    }

    /// Changes layer after layer; `solve` gives the other factor from a layer's keys, a vector a key.
    async fn write(
        &self,
        some: &[usize],
        goals: &[Searched],
        overlay: &mut Overlay,
        solve: impl Fn(usize, &[Vec<f64>]) -> Result<Vec<Vec<f64>>>,
    ) -> Result<Vec<Vec<f32>>> {
        let goals: Vec<Vec<f32>> = goals.iter().map(Searched::goal).collect();
        let mut missing = vec![Vec::new(); some.len()];
        let mut left = self.layers.clone().count();
        for layer in self.layers.clone() {
            let (keys, now) = self.keys(some, layer, overlay).await?;
            let rest = rests(&goals, &now, &mut missing);
            let share = |rest: &Vec<f32>| rest.iter().map(|x| x / left as f32).collect::<Vec<f32>>();
            let tensor = self.model().net.down(layer).tensor.clone();
            let narrow = |vector: Vec<f64>| vector.into_iter().map(|x| x as f32).collect::<Vec<f32>>();
            let v: Vec<Vec<f32>> = solve(layer, &keys)?.into_iter().map(narrow).collect();
            if v.iter().flatten().any(|x| !x.is_finite()) {
                return Err(Error::numeric(format!("layer {layer}: the update is no finite number"))
                    .hint("take another layer, or a larger ridge (--ridge)")
                    .in_page("take another layer, or a larger ridge"));
            }
            overlay.terms.push(Term { tensor, u: rest.iter().map(share).collect(), v });
            left -= 1;
        }
        let (_, now) = self.keys(some, *self.layers.end(), overlay).await?;
        rests(&goals, &now, &mut missing);
        Ok(missing)
    }

    /// Each target's key in a layer, half of the bare prompt and half of the mean over contexts; and its activation where
    /// the search was. Prompts end with their subjects: what follows changes nothing there.
    async fn keys(&self, some: &[usize], layer: usize, overlay: &Overlay) -> Result<(Vec<Vec<f64>>, Vec<Vec<f32>>)> {
        let (mut keys, mut now) = (Vec::new(), Vec::new());
        for some in some.chunks(AT_ONCE) {
            let found = self.keys_of(some, layer, overlay).await?;
            keys.extend(found.0);
            now.extend(found.1);
        }
        Ok((keys, now))
    }

    async fn keys_of(&self, some: &[usize], layer: usize, overlay: &Overlay) -> Result<(Vec<Vec<f64>>, Vec<Vec<f32>>)> {
        let overlays = self.overlays(overlay);
        let edited = Edited { overlays: &overlays, ..self.model().edited() };
        let last = *self.layers.end();
        let keep = Sites::end().with(Site::MlpKey, layer..=layer).with(self.site, last..=last);
        let (mut prompts, mut counts) = (Vec::new(), Vec::new());
        for target in self.targets(some) {
            let before = prompts.len();
            prompts.push(Prompt::plain(&target.tokens.clean[..target.tokens.span.end]));
            for context in &self.contexts {
                let fact = within(context, target.fact);
                let encoded = self.model().tokens.encode(&fact.prompt())?;
                let span = encoded.span(&fact.subject_chars());
                let end = span.map_or(encoded.ids.len(), |span| span.end);
                if encoded.ids.len() + target.tokens.answer_new.len() - 1 <= self.model().net.shape.positions {
                    prompts.push(Prompt::plain(&encoded.ids[..end]));
                }
            }
            counts.push(prompts.len() - before);
        }
        let cache = edited.capture(&prompts, &Matrix::default(), &keep).await?;
        let (mut keys, mut now, mut at) = (Vec::new(), Vec::new(), 0);
        for count in counts {
            let mut key: Vec<f64> = Vec::new();
            for (i, prompt) in (at..at + count).enumerate() {
                let s = prompts[prompt].ids.len() - 1;
                let row = cache.values(prompt, layer, Site::MlpKey, s..s + 1).await?.values;
                let weight = match (i, count) {
                    (0, 1) => 1.0,
                    (0, _) => 0.5,
                    _ => 0.5 / (count - 1) as f64,
                };
                key.resize(row.len(), 0.0);
                key.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * f64::from(x));
            }
            let s = prompts[at].ids.len() - 1;
            now.push(cache.values(at, last, self.site, s..s + 1).await?.values);
            keys.push(key);
            at += count;
        }
        Ok((keys, now))
    }

    async fn solved(&self, parts: Vec<Part>, overlay: Overlay) -> Result<Solved> {
        let (_, relative_norm) = size_of(self.model(), &overlay).await?;
        let (mut targets, mut evidence) = (Vec::new(), Vec::new());
        for (some, goals, missing) in parts {
            for ((target, goal), missing) in some.into_iter().zip(goals).zip(missing) {
                let mut search = goal.record();
                let scale = norm(&goal.goal()).max(f64::MIN_POSITIVE);
                search.missing = missing.iter().map(|rest| (f64::from(*rest) / scale) as f32).collect();
                targets.push(target);
                evidence.push(Evidence {
                    seed: self.seed,
                    relative_change: (f64::from(search.delta_norm)
                        / f64::from(search.value_norm).max(f64::MIN_POSITIVE))
                        as f32,
                    residual: search.missing.last().copied().unwrap_or_default(),
                    loss: goal.found.loss,
                    relative_norm,
                    search: Some(search),
                    failed: None,
                });
            }
        }
        Ok(Solved { targets, overlay, evidence, ..Solved::default() })
    }
}

/// What is missing of each goal; its length is kept.
fn rests(goals: &[Vec<f32>], now: &[Vec<f32>], lengths: &mut [Vec<f32>]) -> Vec<Vec<f32>> {
    let apart = |(goal, now): (&Vec<f32>, &Vec<f32>)| goal.iter().zip(now).map(|(goal, now)| goal - now).collect();
    let rests: Vec<Vec<f32>> = goals.iter().zip(now).map(apart).collect();
    rests.iter().zip(lengths).for_each(|(rest, lengths)| lengths.push(norm(rest) as f32));
    rests
}

/// Five contexts, as MEMIT has one for each word that contexts begin with: of more, from the longer half at equal steps.
fn few(contexts: &[String]) -> Vec<String> {
    if contexts.len() <= CONTEXTS {
        return contexts.to_vec();
    }
    let half = contexts.len() / 2;
    let longer = &contexts[half.min(contexts.len() - CONTEXTS)..];
    (0..CONTEXTS).map(|i| longer[i * longer.len() / CONTEXTS].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_contexts_are_taken_of_twenty() {
        let all: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        assert_eq!(few(&all), ["10", "12", "14", "16", "18"]);
        assert_eq!(few(&all[..7]), ["2", "3", "4", "5", "6"]);
        assert_eq!(few(&all[..3]).len(), 3);
    }
}
