//! Derivatives of predictions: with respect to the constants that runs are changed with, and to activations; of a loss,
//! with respect to weights. Patched runs go through the blocks as they do without derivatives, keep what the way back
//! needs, and go back as far as their lowest entry: blocks and positions that a run leaves as they were cost nothing.

use super::back::{Back, Found, Whose, marks};
use super::check::{self, Scope};
use super::metric::{Metric, Term, Values, Weighted, metric_gradients};
use super::pass::{Ground, Pass};
use super::schedule::{self, Schedule};
use super::{ActivationCache, Change, Edited, Intervention, PatchedRun, Prompt, Request, Sites, plan};
use crate::error::{Error, Kind, Result};
use crate::memory;
use crate::model::Site;
use crate::tensor::gradients::Gradients;
use crate::tensor::{Matrix, Vector};
use std::collections::BTreeMap;
use std::ops::Range;

/// Activations whose gradients are wanted: those of a run, after its own changes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Run of the request.
    pub run: usize,
    /// Layer, `1..=L`; 0 for the embedding.
    pub layer: usize,
    /// Site.
    pub site: Site,
    /// Positions.
    pub positions: Range<usize>,
}

/// Derivatives of an objective, the weighted sum of its terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// Each term's metric, without its weight.
    pub values: Vec<f32>,
    /// With respect to the request's constants: as many rows of the same width. A row that several changes take has the sum.
    pub constants: Matrix,
    /// With respect to what was wanted, each `[positions, width of the site]`.
    pub sites: Vec<Matrix>,
}

/// A token that a loss counts: what should follow a prompt's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Prompt.
    pub prompt: usize,
    /// Its position.
    pub position: usize,
    /// The token that follows.
    pub token: u32,
}

/// What a pass there and back leaves.
struct Turned {
    values: Values,
    found: Found,
    weights: Option<Gradients>,
}

/// A pass there and back, and what it is for.
#[derive(Clone, Copy)]
struct Trip<'a> {
    ground: Ground<'a>,
    wanted: &'a [Wanted],
    /// Tokens of the prompts, where they are computed from the embedding on.
    prompts: Option<&'a [Prompt]>,
    /// Gradients of weights are wanted.
    weights: bool,
    skip: &'a [bool],
}

impl<'a> Trip<'a> {
    fn ids(&self, schedule: &Schedule) -> Option<Vec<u32>> {
        self.prompts.map(|prompts| schedule.ids(prompts))
    }

    fn out(&self, schedule: &'a Schedule) -> Pass<'a> {
        Pass::new(self.ground, schedule, self.ids(schedule).as_deref()).turning(self.skip)
    }

    /// Turns round at the end.
    fn turn(&self, pass: Pass<'a>, terms: &[Term]) -> (Values, Back<'a>) {
        let edited = self.ground.edited;
        let (end, state, kept) = pass.turned();
        let mut weights = self.weights.then(Gradients::default);
        let (values, g) =
            metric_gradients(edited.net, self.ground.cache, &end, terms, edited.plan.head_rows, weights.as_mut());
        let marks = marks(state.schedule, self.wanted);
        (values, Back::new((state, kept), g, marks, weights))
    }

    fn back(&self, schedule: &Schedule, (values, back): (Values, Back<'a>)) -> Turned {
        let (found, weights) = back.finish(self.ids(schedule).as_deref());
        Turned { values, found, weights }
    }
}

impl Edited<'_> {
    /// The gradient of `objective`, terms that each weigh a metric of a run's read, with respect to the request's constants
    /// and to the activations that are `wanted`. A run that is only looked at needs no change of its own.
    ///
    /// On the CPU no number depends on batches or threads.
    ///
    /// # Errors
    /// As [`Self::resume`], and when a term or a wanted activation lies outside its run.
    pub async fn gradient(
        self,
        cache: &ActivationCache,
        request: &Request<'_>,
        objective: &[Weighted],
        wanted: &[Wanted],
    ) -> Result<Gradient> {
        let &Request { constants, overlays, .. } = request;
        let runs = &with_wanted(request.runs, wanted)?;
        let request = &Request { runs, ..*request };
        let scope = self.resumable(cache, request)?;
        let at = objective.iter().map(|term| scope.term(runs, term)).collect::<Result<Vec<usize>>>()?;
        let (all, blocks) = schedule::rows(&scope, request);
        let bytes = plan::kept_bytes(self.net).saturating_mul(blocks as u64);
        let most = self.plan.turned_rows(all, bytes);
        let schedules = schedule::resumes(&scope, request, most);
        if self.plan.cpu {
            let rows = all.min(most.saturating_mul(plan::threads()));
            let bytes = (self.net.shape.row_bytes() + bytes).saturating_mul(rows as u64);
            memory::reserve_batch(bytes, &format!("computing gradients of {rows} rows at once"))?;
        }
        let keep = Sites::end();
        let ground = Ground { edited: self, cache: Some(cache), constants, overlays, keep: &keep };
        let trip = Trip { ground, wanted, prompts: None, weights: false, skip: &[] };
        let mut of_run: Vec<Vec<usize>> = vec![Vec::new(); runs.len()];
        objective.iter().enumerate().for_each(|(at, term)| of_run[term.run].push(at));
        let terms = |schedule: &Schedule| -> Vec<Term> {
            let of = |run: &schedule::GroupRun| {
                let term = |&number: &usize| {
                    let Weighted { metric, weight, .. } = objective[number];
                    Term { at: number, row: schedule.end_row(run, at[number]), metric, weight }
                };
                of_run[run.at].iter().map(term).collect::<Vec<_>>()
            };
            schedule.runs.iter().flat_map(of).collect()
        };
        let turned = self.there_and_back(&schedules, trip, terms).await?;
        let mut values = vec![0.0; objective.len()];
        let mut found = Vec::new();
        for one in turned {
            one.values.read().await?.into_iter().for_each(|(at, value)| values[at] = value);
            found.extend(one.found.read().await?);
        }
        let (constants, sites) = self.collected(constants, wanted, found);
        let gradient = Gradient { values, constants, sites };
        match gradient.is_finite() {
            true => Ok(gradient),
            false => {
                cache.check_finite().await?;
                Err(not_finite())
            }
        }
    }

    /// The mean cross-entropy of labels, in nats, and its gradients with respect to the model's tensors, by their names.
    /// Blocks that `skip` names are left out (stochastic depth); empty, none is.
    ///
    /// Rows are divided by prompts alone, so on the CPU no number depends on threads.
    ///
    /// # Errors
    /// When a prompt cannot be run or lacks a label's position, memory is short, or the work was cancelled.
    pub async fn loss(
        self,
        prompts: &[Prompt],
        labels: &[Label],
        skip: &[bool],
    ) -> Result<(f32, BTreeMap<String, Vector>)> {
        let constants = &Matrix::default();
        let scope = Scope { net: self.net, cache: None, constants, overlays: &[] };
        prompts.iter().try_for_each(|prompt| scope.prompt(prompt))?;
        for label in labels {
            let len = prompts.get(label.prompt).map_or(0, |prompt| prompt.ids.len());
            scope.read(&super::Read { position: label.position, tokens: vec![label.token] }, len)?;
        }
        // On a device rows that prompts share would be several keys at once.
        let share = self.device.is_none();
        let all: usize = prompts.iter().map(|prompt| prompt.ids.len()).sum();
        let bytes = plan::kept_bytes(self.net).saturating_mul(self.net.shape.layers as u64);
        // What passes find is added up pass by pass, so on the CPU their size is the same for any memory.
        let most = if share { plan::MOST_PASS } else { self.plan.turned_rows(all, bytes) };
        if share {
            let rows = all.min(most.saturating_mul(plan::threads()));
            let bytes = (self.net.shape.row_bytes() + bytes).saturating_mul(rows as u64);
            memory::reserve_batch(bytes, &format!("computing gradients of {rows} tokens at once"))?;
        }
        let mut schedules = schedule::captures(&scope, prompts, most, share);
        let last = !skip.last().is_some_and(|&skip| skip);
        let mut of_prompt: Vec<Vec<usize>> = vec![Vec::new(); prompts.len()];
        labels.iter().enumerate().for_each(|(at, label)| of_prompt[label.prompt].push(at));
        for schedule in schedules.iter_mut().filter(|_| last) {
            let of = |run: &schedule::GroupRun| -> Vec<Option<u32>> {
                of_prompt[run.at].iter().map(|&at| run.live[labels[at].position]).collect()
            };
            let rows: std::collections::HashSet<u32> = schedule.runs.iter().flat_map(of).flatten().collect();
            schedule.narrow(|row| rows.contains(&row));
        }
        let keep = Sites::end();
        let ground = Ground { edited: self, cache: None, constants, overlays: &[], keep: &keep };
        let trip = Trip { ground, wanted: &[], prompts: Some(prompts), weights: true, skip };
        let weight = -1.0 / labels.len().max(1) as f32;
        let terms = |schedule: &Schedule| -> Vec<Term> {
            let of = |run: &schedule::GroupRun| {
                let term = |&at: &usize| {
                    let Label { position, token, .. } = labels[at];
                    Term { at, row: schedule.end_row(run, position), metric: Metric::LogProb { token }, weight }
                };
                of_prompt[run.at].iter().map(term).collect::<Vec<_>>()
            };
            schedule.runs.iter().flat_map(of).collect()
        };
        let turned = self.there_and_back(&schedules, trip, terms).await?;
        let (mut values, mut weights) = (vec![0.0; labels.len()], Vec::new());
        for one in turned {
            one.values.read().await?.into_iter().for_each(|(at, value)| values[at] = value);
            weights.extend(one.weights);
        }
        let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
        Ok(((-sum / labels.len().max(1) as f64) as f32, Gradients::whole(weights)))
    }

    /// All schedules' passes, there and back, in their order.
    async fn there_and_back<'s>(
        self,
        schedules: &'s [Schedule],
        trip: Trip<'s>,
        terms: impl Fn(&Schedule) -> Vec<Term> + Sync,
    ) -> Result<Vec<Turned>> {
        #[cfg(not(target_family = "wasm"))]
        if self.device.is_none() {
            let run = |schedule: &'s Schedule| {
                let mut pass = trip.out(schedule);
                while pass.step() {}
                let (values, mut back) = trip.turn(pass, &terms(schedule));
                while back.step() {}
                Ok(trip.back(schedule, (values, back)))
            };
            return super::waves(schedules, run).await;
        }
        let mut out = Vec::with_capacity(schedules.len());
        for schedule in schedules {
            let mut pass = trip.out(schedule);
            super::stepping(|| pass.step()).await?;
            let (values, mut back) = trip.turn(pass, &terms(schedule));
            super::stepping(|| back.step()).await?;
            out.push(trip.back(schedule, (values, back)));
        }
        Ok(out)
    }

    /// Rows to their owners. What several changes took of a constant is added up in the order of the request, whatever
    /// the passes were.
    fn collected(self, constants: &Matrix, wanted: &[Wanted], found: Vec<(Whose, Vec<f32>)>) -> (Matrix, Vec<Matrix>) {
        let width = |wanted: &Wanted| wanted.site.width(&self.net.shape, self.net.heads(wanted.layer.max(1)));
        let zeros = |wanted: &Wanted| {
            let width = width(wanted);
            Matrix::new(vec![0.0; wanted.positions.len() * width], width)
        };
        let mut sites: Vec<Matrix> = wanted.iter().map(zeros).collect();
        let mut taken = Vec::new();
        for (whose, values) in found {
            match whose {
                Whose::Wanted { at, offset } => {
                    let matrix = &mut sites[at];
                    matrix.values[offset * matrix.width..][..matrix.width].copy_from_slice(&values);
                }
                Whose::Constant { row, first, columns, run, place } => {
                    taken.push(((row, run, place, first), values[columns].to_vec()));
                }
            }
        }
        taken.sort_by_key(|(key, _)| *key);
        let mut sums = vec![0.0f64; constants.values.len()];
        for ((row, _, _, first), values) in taken {
            let at = row as usize * constants.width + first as usize;
            sums[at..].iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(value));
        }
        let values = sums.into_iter().map(|sum| sum as f32).collect();
        (Matrix { values, width: constants.width }, sites)
    }
}

/// Runs whose wanted activations are computed: multiplied by one, they count as changed.
fn with_wanted(runs: &[PatchedRun], wanted: &[Wanted]) -> Result<Vec<PatchedRun>> {
    let mut runs = runs.to_vec();
    for Wanted { run, layer, site, positions } in wanted {
        let all = runs.len();
        let run = runs.get_mut(*run).ok_or_else(|| {
            Error::input(format!("a gradient of run {run} of {all} is wanted")).hint("runs count from 0")
        })?;
        run.interventions.push(Intervention::new(*layer, *site, positions.clone(), Change::Scale(1.0)));
    }
    Ok(runs)
}

impl Scope<'_> {
    /// The position that a term reads, when all that it names is there.
    fn term(&self, runs: &[PatchedRun], term: &Weighted) -> Result<usize> {
        let read = runs.get(term.run).and_then(|run| run.reads.get(term.read)).ok_or_else(|| {
            Error::input(format!("a term of the objective names read {} of run {}", term.read, term.run))
                .hint("runs and reads count from 0")
        })?;
        if !term.weight.is_finite() {
            return Err(
                Error::input(format!("a term of the objective weighs {}", term.weight)).hint("weigh by a number")
            );
        }
        match (term.metric, self.cache) {
            (Metric::KlTo { prompt, position }, Some(cache)) => {
                self.read(&super::Read { position, tokens: Vec::new() }, check::tokens(cache, prompt)?)?;
            }
            (metric, _) => {
                self.read(&super::Read { position: 0, tokens: metric.tokens() }, 1)?;
            }
        }
        Ok(read.position)
    }
}

impl Gradient {
    fn is_finite(&self) -> bool {
        let sites = self.sites.iter().flat_map(|one| &one.values);
        self.values.iter().chain(&self.constants.values).chain(sites).all(|x| x.is_finite())
    }
}

fn not_finite() -> Error {
    Error::new(Kind::Numeric, "a gradient is not a finite number")
        .hint("the weights are damaged, or the device computes wrong numbers: run `engram doctor`")
        .in_page(crate::device::WRONG_NUMBERS)
}
