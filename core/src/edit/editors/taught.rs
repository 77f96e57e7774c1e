//! Prompts with the new answer behind them, teacher-forced, and the gradient of its loss: what editors train on that change
//! weights by the answer alone. The keys of a layer do not depend on its own matrix, so a change `ΔW` of it acts on a prompt by
//! `ΔW K` alone: those rows are put in place, and the layers below are computed once.

use crate::edit::editor::{EditBatch, EditTarget, Evidence};
use crate::edit::rank_one::{moved, norm};
use crate::edit::size::size_of;
use crate::error::{Error, Kind, Result};
use crate::load::Model;
use crate::model::Site;
use crate::record::Search;
use crate::run::{
    ActivationCache, Change, Edited, Intervention, Metric, PatchedRun, Plan, Prompt, Read, Request, Sites, Source,
    Weighted, with_halving,
};
use crate::tensor::{Matrix, Overlay};
use std::ops::Range;

/// Most tokens of the prompts that are captured together.
const MOST_TOKENS: usize = 4096;
/// Share of the memory for activations that a group's matrices in training may take.
const KEPT: u64 = 4;

/// Facts' prompts, captured up to the layers that are edited.
pub(super) struct Taught<'a> {
    model: &'a Model,
    cache: ActivationCache,
    all: Vec<One>,
}

/// A fact's prompt.
struct One {
    layer: usize,
    tokens: usize,
    /// Position of the subject's last token.
    subject: usize,
    reads: Vec<Read>,
}

/// The loss of one fact, and its gradient on the values of the layer, `[tokens, d]`.
pub(super) type Slope = (f32, Matrix);

impl<'a> Taught<'a> {
    /// Captures targets' prompts; `whole`, with the answer's last token too, which nothing reads.
    pub(super) async fn capture(batch: &EditBatch<'a>, targets: &[EditTarget<'_>], whole: bool) -> Result<Self> {
        let model = batch.model;
        let (mut prompts, mut all, mut keep) = (Vec::new(), Vec::new(), Sites::end());
        for target in targets {
            let (clean, answer) = (&target.tokens.clean, &target.tokens.answer_new);
            let last = clean.len() - 1;
            let end = (answer.len() - usize::from(!whole)).min(model.net.shape.positions - clean.len());
            let ids: Vec<u32> = clean.iter().chain(&answer[..end]).copied().collect();
            let reads = answer.iter().enumerate();
            let reads = reads.map(|(i, &token)| Read { position: last + i, tokens: vec![token] }).collect();
            all.push(One { layer: target.layer, tokens: ids.len(), subject: target.subject_last(), reads });
            prompts.push(Prompt::plain(&ids));
            keep = keep.to_change(target.layer, Site::MlpValue).with(Site::MlpKey, target.layer..=target.layer);
            keep = keep.with(Site::MlpValue, target.layer..=target.layer);
        }
        let cache = model.edited().capture(&prompts, &Matrix::default(), &keep).await?;
        Ok(Self { model, cache, all })
    }

    /// How many facts they are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    /// A fact's keys, `[tokens, f]`.
    pub(super) async fn keys(&self, at: usize) -> Result<Matrix> {
        let One { layer, tokens, .. } = self.all[at];
        self.cache.values(at, layer, Site::MlpKey, 0..tokens).await
    }

    /// Losses of some facts, each with rows `[tokens, d]` added to its values, and their gradients; an error where a number is
    /// none.
    pub(super) async fn slopes(
        &self,
        some: &[usize],
        added: &[Vec<f32>],
        plan: Plan,
    ) -> Result<(Vec<Result<Slope>>, Plan)> {
        match self.slopes_at_once(some, added, plan).await {
            Ok((slopes, plan)) => Ok((slopes.into_iter().map(Ok).collect(), plan)),
            // One that runs away does not stop the others.
            Err(error) if error.kind == Kind::Numeric && some.len() > 1 => {
                let mut slopes = Vec::with_capacity(some.len());
                for (at, added) in some.iter().zip(added) {
                    slopes.push(match self.slopes_at_once(&[*at], std::slice::from_ref(added), plan).await {
                        Ok((one, _)) => Ok(one.into_iter().next().expect("one fact, one slope")),
                        Err(error) if error.kind == Kind::Numeric => Err(error),
                        Err(error) => return Err(error),
                    });
                }
                Ok((slopes, plan))
            }
            Err(error) if error.kind == Kind::Numeric => Ok((vec![Err(error)], plan)),
            Err(error) => Err(error),
        }
    }

    async fn slopes_at_once(&self, some: &[usize], added: &[Vec<f32>], plan: Plan) -> Result<(Vec<Slope>, Plan)> {
        let width = self.model.net.shape.width;
        let (mut runs, mut terms, mut first) = (Vec::new(), Vec::new(), 0);
        for (run, &at) in some.iter().enumerate() {
            let One { layer, tokens, reads, .. } = &self.all[at];
            let change = Change::Add(Source::Constant(first));
            let interventions = vec![Intervention::new(*layer, Site::MlpValue, 0..*tokens, change)];
            runs.push(PatchedRun { prompt: at, interventions, overlay: None, reads: reads.clone() });
            let weight = -1.0 / reads.len() as f32;
            terms.extend(reads.iter().enumerate().map(|(read, one)| Weighted {
                run,
                read,
                metric: Metric::LogProb { token: one.tokens[0] },
                weight,
            }));
            first += tokens;
        }
        let constants = &Matrix::new(added.concat(), width);
        let (request, terms) = (&Request { constants, ..Request::of(&runs) }, &terms);
        let edited = self.model.edited();
        let work = |plan| async move { Edited { plan, ..edited }.gradient(&self.cache, request, terms, &[]).await };
        let (found, plan) = with_halving(plan, work).await?;
        let (mut values, mut rows) = (found.values.as_slice(), found.constants.values.as_slice());
        let mut slopes = Vec::with_capacity(some.len());
        for &at in some {
            let (own, others) = values.split_at(self.all[at].reads.len());
            let (slope, rest) = rows.split_at(self.all[at].tokens * width);
            let loss = -own.iter().map(|&x| f64::from(x)).sum::<f64>() / own.len() as f64;
            slopes.push((loss as f32, Matrix::new(slope.to_vec(), width)));
            (values, rows) = (others, rest);
        }
        Ok((slopes, plan))
    }

    /// A fact's key and value at its subject's last token.
    pub(super) async fn subject(&self, at: usize) -> Result<[Vec<f32>; 2]> {
        let One { layer, subject, .. } = self.all[at];
        let row = |site| self.cache.values(at, layer, site, subject..subject + 1);
        Ok([row(Site::MlpKey).await?.values, row(Site::MlpValue).await?.values])
    }
}

/// Targets whose prompts are captured together: as many as there is room for, also for so many copies of the matrix of each. On
/// the CPU no number depends on that.
pub(super) fn groups(batch: &EditBatch<'_>, copies: u64) -> Vec<Range<usize>> {
    let (shape, plan) = (&batch.model.net.shape, &batch.model.plan);
    let each = copies.saturating_mul(4 * (shape.width * shape.ff) as u64).max(1);
    let most = (plan.bytes / KEPT / each).max(1) as usize;
    // A device computes a capture in one piece.
    let room = if batch.model.compute.is_cpu() { MOST_TOKENS } else { MOST_TOKENS.min(plan.rows) };
    let (mut groups, mut tokens): (Vec<Range<usize>>, usize) = (Vec::new(), 0);
    for (at, target) in batch.targets.iter().enumerate() {
        let own = target.tokens.clean.len() + target.tokens.answer_new.len();
        match groups.last_mut() {
            Some(group) if group.len() < most && tokens + own <= room => {
                group.end = at + 1;
                tokens += own;
            }
            _ => {
                groups.push(at..at + 1);
                tokens = own;
            }
        }
    }
    groups
}

/// How a change was found: its losses, and what it adds to the value at the subject's last token.
pub(super) fn evidence(
    [key, value]: &[Vec<f32>; 2],
    (overlay, relative_norm): (&Overlay, f32),
    loss: Vec<f32>,
    seed: u64,
) -> Evidence {
    let tensor = overlay.terms.first().map_or("", |term| &term.tensor);
    let (before, moved) = (norm(value), moved(overlay, tensor, key));
    let search = Search { value_norm: before as f32, delta_norm: moved as f32, nll: loss.clone(), ..Search::default() };
    Evidence {
        seed,
        relative_change: (moved / before.max(f64::MIN_POSITIVE)) as f32,
        relative_norm,
        search: Some(search),
        loss,
        ..Evidence::default()
    }
}

/// The size of a change of one matrix.
///
/// # Errors
/// When it is no finite number.
pub(super) async fn size(model: &Model, overlay: &Overlay) -> Result<f32> {
    let finite = |rows: &[Vec<f32>]| rows.iter().flatten().all(|x| x.is_finite());
    if overlay.terms.iter().any(|term| !finite(&term.u) || !finite(&term.v)) {
        return Err(Error::numeric("the update is no finite number")
            .hint("use a smaller learning rate (--lr)")
            .in_page("use a smaller learning rate"));
    }
    Ok(size_of(model, overlay).await?.1)
}
