//! What is read before and after edits: answers behind prompts. Each distinct prompt is captured once for all edits that
//! watch it, and only at the layers that they change.

use super::editor::EditBatch;
use crate::error::Result;
use crate::load::Model;
use crate::record::Answer;
use crate::run::{ActivationCache, Edited, PatchedRun, Prompt, Read, Readout, Request, Sites, with_halving};
use crate::tensor::{Matrix, Overlay};
use crate::trace::{Asked, score};
use std::collections::HashMap;

/// A prompt of a cache: the batch's own, or the one of the other prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Spot {
    Own(usize),
    Other(usize),
}

/// Two answers behind a prompt: places among the reads.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    reads: [Vec<usize>; 2],
    /// Each token of each answer, teacher-forced; `None` where they are more than the model takes.
    whole: Option<[Vec<(usize, u32)>; 2]>,
    /// Tokens of its prompt.
    pub(super) rows: usize,
}

/// p(true), p(false), the most probable first token, and the whole answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Score {
    pub(super) p: [f32; 2],
    pub(super) top: u32,
    pub(super) whole: Option<[Whole; 2]>,
}

/// An answer with all of its tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Whole {
    /// Mean `-log p`.
    pub(super) nll: f32,
    /// Its tokens that are the most probable ones where they stand.
    pub(super) argmax: usize,
    /// The most probable token at each place.
    pub(super) tops: Vec<u32>,
}

impl Whole {
    fn of(tokens: &[(usize, u32)], readouts: &HashMap<usize, Readout>) -> Self {
        let logs = tokens.iter().map(|(read, _)| -f64::from(readouts[read].p[0].max(f32::MIN_POSITIVE)).ln());
        Self {
            nll: (logs.sum::<f64>() / tokens.len().max(1) as f64) as f32,
            argmax: tokens.iter().filter(|(read, token)| readouts[read].top == *token).count(),
            tops: tokens.iter().map(|(read, _)| readouts[read].top).collect(),
        }
    }
}

impl Probe {
    fn score(&self, readouts: &HashMap<usize, Readout>) -> Score {
        let of = |reads: &[usize]| reads.iter().map(|read| readouts[read].clone()).collect::<Vec<_>>();
        let [yes, no] = [of(&self.reads[0]), of(&self.reads[1])];
        let whole = self.whole.as_ref().map(|[yes, no]| [Whole::of(yes, readouts), Whole::of(no, readouts)]);
        Score { p: [score(&yes), score(&no)], top: yes[0].top, whole }
    }
}

/// Prompts to be read, found again by their tokens.
pub(super) struct Probes<'a> {
    batch: &'a EditBatch<'a>,
    mode: Answer,
    spots: HashMap<Vec<u32>, Spot>,
    others: Vec<Prompt>,
    reads: Vec<(Spot, Read)>,
}

impl<'a> Probes<'a> {
    pub(super) fn new(batch: &'a EditBatch<'a>, mode: Answer) -> Self {
        let own = batch.targets.iter().enumerate();
        let spots = own.map(|(at, target)| (target.tokens.clean.clone(), Spot::Own(at))).collect();
        Self { batch, mode, spots, others: Vec::new(), reads: Vec::new() }
    }

    fn model(&self) -> &'a Model {
        self.batch.model
    }

    /// Watches the answers after a prompt; `None` when an answer cannot follow it as tokens of its own, or the model has
    /// no room or no embedding for them.
    pub(super) fn add(&mut self, text: &str, answers: [&str; 2]) -> Result<Option<Probe>> {
        let tokens = &self.model().tokens;
        let (Ok(yes), Ok(no)) = (tokens.answer(text, answers[0])?, tokens.answer(text, answers[1])?) else {
            return Ok(None);
        };
        Ok(self.add_ids(&tokens.encode(text)?.ids, [&yes, &no]))
    }

    /// The same, in tokens.
    pub(super) fn add_ids(&mut self, ids: &[u32], [yes, no]: [&[u32]; 2]) -> Option<Probe> {
        let model = self.model();
        if ids.is_empty() || [ids, yes, no].into_iter().any(|ids| model.unknown(ids).is_some()) {
            return None;
        }
        let asked = [yes, no].map(|answer| Asked::new(ids, answer, &[], self.mode));
        if asked.iter().any(|asked| asked.ids.len() > model.net.shape.positions) {
            return None;
        }
        let reads = asked.map(|asked| self.reads_of(asked));
        let all = [yes, no].map(|answer| (Asked::new(ids, answer, &[], Answer::Sequence), answer));
        let fits = all.iter().all(|(asked, _)| asked.ids.len() <= model.net.shape.positions);
        let whole = fits
            .then(|| all.map(|(asked, answer)| self.reads_of(asked).into_iter().zip(answer.iter().copied()).collect()));
        Some(Probe { reads, whole, rows: ids.len() })
    }

    fn reads_of(&mut self, asked: Asked) -> Vec<usize> {
        let others = &mut self.others;
        let spot = *self.spots.entry(asked.ids).or_insert_with_key(|ids| {
            others.push(Prompt::plain(ids));
            Spot::Other(others.len() - 1)
        });
        let reads = &mut self.reads;
        let place = |read: Read| {
            let read = (spot, read);
            reads.iter().position(|known| *known == read).unwrap_or_else(|| {
                reads.push(read);
                reads.len() - 1
            })
        };
        asked.reads.into_iter().map(place).collect()
    }

    /// Tokens of the prompts that have to be captured.
    pub(super) fn rows(&self) -> usize {
        self.others.iter().map(|prompt| prompt.ids.len()).sum()
    }

    /// Captures the prompts with what runs need that carry one of these edits.
    pub(super) async fn capture(self, overlays: &[Overlay]) -> Result<Captured<'a>> {
        let model = self.model();
        let keep = Sites::for_overlays(&model.net, overlays);
        let others = match self.others.is_empty() {
            true => None,
            false => Some(model.edited().capture(&self.others, &Matrix::default(), &keep).await?),
        };
        Ok(Captured { probes: self, others })
    }
}

/// Probes whose prompts are captured.
pub(super) struct Captured<'a> {
    probes: Probes<'a>,
    others: Option<ActivationCache>,
}

impl Captured<'_> {
    /// Both caches, and how a spot is found in them.
    fn caches(&self) -> impl Iterator<Item = (&ActivationCache, fn(Spot) -> Option<usize>)> {
        let own: fn(Spot) -> Option<usize> = |spot| if let Spot::Own(at) = spot { Some(at) } else { None };
        let other: fn(Spot) -> Option<usize> = |spot| if let Spot::Other(at) = spot { Some(at) } else { None };
        std::iter::once((&self.probes.batch.cache, own)).chain(self.others.iter().map(move |cache| (cache, other)))
    }

    /// Scores of each edit's probes as the model is; what several read is read once.
    pub(super) async fn before(&self, probes: &[&[Probe]]) -> Result<Vec<Vec<Score>>> {
        let model = self.probes.model();
        let mut readouts = HashMap::new();
        for (cache, at) in self.caches() {
            let wanted = wanted(probes.iter().copied().flatten()).into_iter();
            let mine = wanted.filter_map(|read| Some((read, at(self.probes.reads[read].0)?)));
            let mine: Vec<(usize, usize)> = mine.collect();
            let reads: Vec<(usize, Read)> =
                mine.iter().map(|&(read, prompt)| (prompt, self.probes.reads[read].1.clone())).collect();
            let reads = &reads;
            let work = |plan| async move { Edited { plan, ..model.edited() }.read(cache, reads).await };
            let found = with_halving(model.plan, work).await?.0;
            readouts.extend(mine.iter().map(|(read, _)| *read).zip(found));
        }
        Ok(probes.iter().map(|probes| probes.iter().map(|probe| probe.score(&readouts)).collect()).collect())
    }

    /// Scores of probes, each list with the overlay of its place: one run for each list and prompt, all of them together.
    pub(super) async fn after(&self, overlays: &[Overlay], probes: &[(usize, &[Probe])]) -> Result<Vec<Vec<Score>>> {
        let model = self.probes.model();
        let mut readouts: Vec<HashMap<usize, Readout>> = vec![HashMap::new(); probes.len()];
        for (cache, at) in self.caches() {
            let mut runs: Vec<PatchedRun> = Vec::new();
            // Where each read is: edit, read, run, place among the run's.
            let mut places = Vec::new();
            for (edit, (overlay, probes)) in probes.iter().enumerate() {
                let mut run_of: HashMap<usize, usize> = HashMap::new();
                for read in wanted(*probes) {
                    let (spot, wanted) = &self.probes.reads[read];
                    let Some(prompt) = at(*spot) else { continue };
                    let run = *run_of.entry(prompt).or_insert_with(|| {
                        runs.push(PatchedRun { prompt, overlay: Some(*overlay), ..PatchedRun::default() });
                        runs.len() - 1
                    });
                    places.push((edit, read, run, runs[run].reads.len()));
                    runs[run].reads.push(wanted.clone());
                }
            }
            let request = &Request { overlays, ..Request::of(&runs) };
            let work = |plan| async move { Edited { plan, ..model.edited() }.resume(cache, request).await };
            let found = with_halving(model.plan, work).await?.0;
            for (edit, read, run, place) in places {
                readouts[edit].insert(read, found[run][place].clone());
            }
        }
        Ok(probes
            .iter()
            .zip(&readouts)
            .map(|((_, probes), found)| probes.iter().map(|p| p.score(found)).collect())
            .collect())
    }
}

/// All reads of some probes, once each.
fn wanted<'a>(probes: impl IntoIterator<Item = &'a Probe>) -> Vec<usize> {
    let of = |probe: &'a Probe| {
        let whole = probe.whole.iter().flatten().flatten().map(|(read, _)| *read);
        probe.reads.iter().flatten().copied().chain(whole)
    };
    let mut reads: Vec<usize> = probes.into_iter().flat_map(of).collect();
    reads.sort_unstable();
    reads.dedup();
    reads
}
