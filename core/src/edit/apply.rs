//! The rank-one update (eq. 4) and what it does. It is an overlay of single runs: the model is never changed.

use super::{EditTarget, MeasuredEdit, Target};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::model::Site;
use crate::record::{Answer, EditRecord, Settings, Shift, Unrelated};
use crate::run::{ActivationCache, Edited, PatchedRun, Prompt, Read, Readout, Request, Sites, with_halving};
use crate::tensor::{Matrix, Overlay, Rows};
use crate::trace::{Asked, score};

/// `W' = W + u kᵀ` with `u = (v* - v) / (kᵀ k)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Edited block, `1..=L`.
    pub layer: usize,
    /// The matrix's name in the checkpoint.
    pub tensor: String,
    /// `u`, `[d]`.
    pub u: Vec<f32>,
    /// `k`, `[ff]`.
    pub k: Vec<f32>,
}

impl Update {
    /// As an overlay.
    pub fn overlay(&self) -> Overlay {
        Overlay::rank_one(&self.tensor, &self.u, &self.k)
    }
}

/// The update that makes `W' k = v*`. The division is in f64.
pub fn update(model: &Model, target: &Target) -> Result<Update> {
    let squared: f64 = target.key.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if squared <= f64::from(f32::MIN_POSITIVE) {
        return Err(Error::numeric(format!("layer {}: the subject's key is zero", target.layer))
            .hint("choose another layer with --layer")
            .in_page("choose another layer"));
    }
    let u = target
        .target
        .iter()
        .zip(&target.value)
        .map(|(new, old)| ((f64::from(*new) - f64::from(*old)) / squared) as f32);
    let tensor = model.net.down(target.layer).tensor.clone();
    Ok(Update { layer: target.layer, tensor, u: u.collect(), k: target.key.clone() })
}

/// A prompt and what is read after it.
struct Watched {
    /// Prompt of the captured run for the true and, where it needs its own, the counterfactual answer.
    at: [usize; 2],
    reads: [Vec<Read>; 2],
}

#[derive(Default)]
struct Watch {
    prompts: Vec<Prompt>,
    watched: Vec<Watched>,
}

impl Watch {
    /// Watches the answers after a prompt; `None` when an answer cannot follow it as tokens of its own, or the model has
    /// no room or no embedding for them.
    fn add(&mut self, model: &Model, text: &str, answers: [&str; 2], mode: Answer) -> Result<Option<usize>> {
        let (Ok(yes), Ok(no)) = (model.tokens.answer(text, answers[0])?, model.tokens.answer(text, answers[1])?) else {
            return Ok(None);
        };
        self.add_ids(model, model.tokens.encode(text)?.ids, [yes, no], mode)
    }

    /// The same, in tokens.
    fn add_ids(
        &mut self,
        model: &Model,
        ids: Vec<u32>,
        [yes, no]: [Vec<u32>; 2],
        mode: Answer,
    ) -> Result<Option<usize>> {
        let most = model.net.shape.positions;
        if ids.is_empty() || [&ids, &yes, &no].into_iter().any(|ids| model.unknown(ids).is_some()) {
            return Ok(None);
        }
        let mut push = |ids: Vec<u32>| {
            self.prompts.push(Prompt::plain(&ids));
            self.prompts.len() - 1
        };
        let [yes, no] = [Asked::new(&ids, &yes, &[], mode), Asked::new(&ids, &no, &[], mode)];
        if yes.ids.len().max(no.ids.len()) > most {
            return Ok(None);
        }
        let first = push(yes.ids.clone());
        let second = if no.ids == yes.ids { first } else { push(no.ids) };
        self.watched.push(Watched { at: [first, second], reads: [yes.reads, no.reads] });
        Ok(Some(self.watched.len() - 1))
    }

    fn reads(&self) -> Vec<(usize, Read)> {
        let of = |watched: &Watched, i: usize| {
            watched.reads[i].iter().map(move |read| (watched.at[i], read.clone())).collect::<Vec<_>>()
        };
        self.watched.iter().flat_map(|watched| [of(watched, 0), of(watched, 1)].concat()).collect()
    }

    /// Per watched prompt: p(true), p(false), the most probable first token.
    fn scores(&self, readouts: &[Readout]) -> Vec<(f32, f32, u32)> {
        let mut rest = readouts;
        let mut take = |n: usize| {
            let (head, tail) = rest.split_at(n);
            rest = tail;
            head
        };
        let one = |watched: &Watched| {
            let (yes, no) = (take(watched.reads[0].len()), take(watched.reads[1].len()));
            (score(yes), score(no), yes[0].top)
        };
        self.watched.iter().map(one).collect()
    }

    /// Readouts of runs that carry an edit, resumed from the prompts as they are without it.
    async fn after(&self, model: &Model, cache: &ActivationCache, overlay: &Overlay) -> Result<Vec<Readout>> {
        // One run a prompt, however many reads it has.
        let mut runs: Vec<PatchedRun> = Vec::new();
        let mut place = Vec::new();
        for (prompt, read) in self.reads() {
            let at = runs.iter().position(|other| other.prompt == prompt).unwrap_or(runs.len());
            if at == runs.len() {
                runs.push(PatchedRun { prompt, overlay: Some(0), ..PatchedRun::default() });
            }
            place.push((at, runs[at].reads.len()));
            runs[at].reads.push(read);
        }
        let overlays = std::slice::from_ref(overlay);
        let request = &Request { overlays, ..Request::of(&runs) };
        let work = |plan| async move { Edited { plan, ..model.edited() }.resume(cache, request).await };
        let readouts = with_halving(model.plan, work).await?.0;
        Ok(place.into_iter().map(|(run, read)| readouts[run][read].clone()).collect())
    }
}

/// Measures what an edit does to its prompt, its paraphrases and neighbours and to unrelated facts.
pub async fn measure(
    model: &Model,
    job: &EditTarget<'_>,
    target: &Target,
    settings: &Settings,
) -> Result<MeasuredEdit> {
    let (fact, prepared) = (job.fact, job.tokens.clone());
    let mode = settings.answer;
    let answers = [fact.target_true.as_str(), fact.target_new.as_str()];
    let mut watch = Watch::default();
    let missing = || Error::input(format!("\"{}\" is too long", fact.prompt())).hint("shorten the prompt");
    let own_answers = [prepared.answer, prepared.answer_new];
    let own = watch.add_ids(model, prepared.clean, own_answers, mode)?.ok_or_else(missing)?;
    let mut texts = |prompts: &[String]| -> Result<Vec<(String, usize)>> {
        let mut out = Vec::new();
        for text in prompts {
            if let Some(at) = watch.add(model, text, answers, mode)? {
                out.push((text.clone(), at));
            }
        }
        Ok(out)
    };
    let paraphrases = texts(&fact.paraphrases)?;
    let neighbourhood = texts(&fact.neighbourhood)?;
    let mut unrelated = Vec::new();
    for (order, other) in &job.unrelated {
        let answers = [other.target_true.as_str(), other.target_new.as_str()];
        if let Some(at) = watch.add(model, &other.prompt(), answers, mode)? {
            unrelated.push((*order, at));
        }
    }
    let update = update(model, target)?;
    let keep = Sites::to_resume().with(Site::MlpKey, job.layer..=job.layer);
    let cache = &model.edited().capture(&watch.prompts, &Matrix::default(), &keep).await?;
    let reads = &watch.reads();
    let work = |plan| async move { Edited { plan, ..model.edited() }.read(cache, reads).await };
    let before = watch.scores(&with_halving(model.plan, work).await?.0);
    let residual = miss(model, &update, target).await?;
    let after = watch.scores(&watch.after(model, cache, &update.overlay()).await?);

    let shifts = |prompts: Vec<(String, usize)>| {
        prompts.into_iter().map(|(prompt, at)| {
            let (before, after) = (before[at], after[at]);
            Shift { prompt, p_true: [before.0, after.0], p_false: [before.1, after.1] }
        })
    };
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let change = norm(&mut target.target.iter().zip(&target.value).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let size = norm(&mut target.value.iter().map(|&x| f64::from(x)));
    let record = EditRecord {
        fact: job.order,
        layer: job.layer,
        seed: target.seed,
        p_true: before[own].0,
        p_false: before[own].1,
        p_true_after: after[own].0,
        p_false_after: after[own].1,
        loss: target.loss.clone(),
        relative_change: (change / size.max(f64::MIN_POSITIVE)) as f32,
        residual,
        // No weight was changed.
        restored: true,
        paraphrases: shifts(paraphrases).collect(),
        neighbourhood: shifts(neighbourhood).collect(),
        unrelated: unrelated
            .into_iter()
            .map(|(fact, at)| Unrelated {
                fact,
                p_true: [before[at].0, after[at].0],
                flipped: before[at].2 != after[at].2,
            })
            .collect(),
    };
    Ok(MeasuredEdit { record, update })
}

/// `max |W'k - v*| / max |v*|` with the edit in force.
async fn miss(model: &Model, update: &Update, target: &Target) -> Result<f32> {
    let down = model.net.down(target.layer);
    let key = Rows::new(target.key.clone(), target.key.len(), model.compute.device.as_ref());
    let own = update.overlay();
    let terms = model.overlays.iter().chain([&own]).flat_map(|overlay| &overlay.terms);
    let terms = terms.filter(|term| term.tensor == down.tensor);
    let got = terms.fold(down.forward(&key), |y, term| down.add_term(&key, y, term, None)).values().await?;
    let most = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0f32, f32::max);
    let miss = most(&mut got.iter().zip(&target.target).map(|(got, want)| (got - want).abs()));
    Ok(miss / most(&mut target.target.iter().map(|x| x.abs())).max(f32::MIN_POSITIVE))
}
