//! Lanes computed both ways: by naive full forwards on the CPU, and resumed on a device in batches of any size.

use crate::fixtures::model;
use crate::naive::{Run, forward};
use burn::tensor::{Tensor, TensorData};
use engram_core::device::Compute;
use engram_core::model::Model;
use engram_core::run::{self, Action, Base, Lane, Limits, Op, Prompt, Readout, Source};
use pollster::block_on;

/// Prompts, the rows that changes may take, and the naive runs of the prompts.
pub struct Oracle {
    /// On the CPU.
    pub model: Model,
    /// What is captured.
    pub prompts: Vec<Prompt>,
    /// Rows for the prompts' own changes.
    pub kept: Vec<Vec<f32>>,
    /// Naive runs of the prompts.
    pub runs: Vec<Run>,
}

/// What a naive run says about one read, and how large the logits there are.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Probabilities of the wanted tokens.
    pub p: Vec<f32>,
    /// All logits of the position.
    pub logits: Vec<f32>,
}

impl Wanted {
    fn scale(&self) -> f32 {
        self.logits.iter().fold(1.0, |most, x| most.max(x.abs()))
    }
}

/// Largest differences: of probabilities, and of logits relative to the largest logit of their position (at least 1).
#[derive(Debug, Clone, Copy, Default)]
pub struct Worst {
    /// Of probabilities.
    pub p: f32,
    /// Of logits, relative.
    pub logits: f32,
    /// Of logits, absolute.
    pub absolute: f32,
    /// The lane with the largest relative logit difference.
    pub lane: usize,
}

impl Worst {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let lane = if self.logits >= other.logits { self.lane } else { other.lane };
        let most = |a: f32, b: f32| if a >= b || a.is_nan() { a } else { b };
        Self {
            p: most(self.p, other.p),
            logits: most(self.logits, other.logits),
            absolute: most(self.absolute, other.absolute),
            lane,
        }
    }
}

impl std::fmt::Display for Worst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { p, logits, absolute, .. } = self;
        write!(f, "max |Δp| = {p:.1e}, |Δlogit| = {absolute:.1e} ({logits:.1e} of the largest)")
    }
}

impl Oracle {
    /// A fixture model with prompts.
    pub fn new(name: &str, prompts: Vec<Prompt>, kept: Vec<Vec<f32>>) -> Self {
        Self::of(model(name, &Compute::cpu("oracle")), prompts, kept)
    }

    /// Any model on the CPU with prompts.
    pub fn of(model: Model, prompts: Vec<Prompt>, kept: Vec<Vec<f32>>) -> Self {
        let runs = prompts.iter().map(|p| forward(&model, &p.ids, &p.actions, &[], &kept)).collect();
        Self { model, prompts, kept, runs }
    }

    /// What naive full forwards say about lanes: the prompt's own changes and the lane's, from the embedding on.
    pub fn wanted(&self, lanes: &[Lane], given: &[Vec<f32>]) -> Vec<Vec<Wanted>> {
        let rows: Vec<_> = self.kept.iter().chain(given).cloned().collect();
        let sources: Vec<&Run> = self.runs.iter().collect();
        let one = |lane: &Lane| {
            let prompt = &self.prompts[lane.prompt];
            let own = lane.actions.iter().map(|action| shifted(action, self.kept.len()));
            let actions: Vec<Action> = prompt.actions.iter().cloned().chain(own).collect();
            let run = forward(&self.model, &prompt.ids, &actions, &sources, &rows);
            let read = |read: &run::Read| Wanted {
                p: read.tokens.iter().map(|&token| run.p(read.position, token)).collect(),
                logits: run.logits[read.position].clone(),
            };
            lane.reads.iter().map(read).collect()
        };
        lanes.iter().map(one).collect()
    }

    /// Captures the prompts on a model's device.
    pub fn capture(&self, model: &Model) -> Base {
        let kept = matrix(&self.kept, model);
        block_on(run::capture(model.decoder.as_ref(), &model.compute.device, &self.prompts, kept.as_ref(), true))
            .unwrap_or_else(|error| panic!("capture: {error}"))
    }
}

/// The same change with its given rows `by` rows later.
fn shifted(action: &Action, by: usize) -> Action {
    let shift = |source| match source {
        Source::Given(row) => Source::Given(row + by),
        other => other,
    };
    let op = match action.op {
        Op::Replace(source) => Op::Replace(shift(source)),
        Op::Add(source) => Op::Add(shift(source)),
    };
    Action { op, ..action.clone() }
}

/// Rows as a matrix on a model's device.
pub fn matrix(rows: &[Vec<f32>], model: &Model) -> Option<Tensor<2>> {
    let shape = [rows.len(), rows.first()?.len()];
    Some(Tensor::from_data(TensorData::new(rows.concat(), shape), &model.compute.device))
}

/// Lanes resumed on a base run, `rows` rows at a time.
pub fn resumed(model: &Model, base: &Base, lanes: &[Lane], given: &[Vec<f32>], rows: usize) -> Vec<Vec<Readout>> {
    let limits = Limits { rows, head_rows: rows.min(model.limits.head_rows), ..model.limits };
    let given = matrix(given, model);
    let device = &model.compute.device;
    block_on(run::resume(model.decoder.as_ref(), device, base, lanes, given.as_ref(), &limits))
        .unwrap_or_else(|error| panic!("resume: {error}"))
}

/// Resumed against naive. Panics where a lane's readouts are not its reads, or its top token is not one of the best.
pub fn against(lanes: &[Lane], got: &[Vec<Readout>], want: &[Vec<Wanted>]) -> Worst {
    assert_eq!((got.len(), want.len()), (lanes.len(), lanes.len()));
    let mut worst = Worst::default();
    for (at, lane) in lanes.iter().enumerate() {
        assert_eq!(got[at].len(), lane.reads.len(), "{lane:?}");
        for ((read, got), want) in lane.reads.iter().zip(&got[at]).zip(&want[at]) {
            let logits: Vec<f32> = read.tokens.iter().map(|&token| want.logits[token as usize]).collect();
            let absolute = crate::fixtures::difference(&got.logits, &logits);
            let p = crate::fixtures::difference(&got.p, &want.p);
            let best = want.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let top = best - want.logits[got.top as usize];
            assert!(top <= 1e-4 * want.scale(), "top token {} is {top:e} below the best: {lane:?}", got.top);
            worst = worst.max(Worst { p, logits: absolute / want.scale(), absolute, lane: at });
        }
    }
    worst
}

/// One way of batching against another; `want` says how large the logits are.
pub fn between(a: &[Vec<Readout>], b: &[Vec<Readout>], want: &[Vec<Wanted>]) -> Worst {
    assert_eq!((a.len(), want.len()), (b.len(), b.len()));
    let mut worst = Worst::default();
    for (lane, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a.len(), b.len(), "lane {lane}");
        for ((a, b), want) in a.iter().zip(b).zip(&want[lane]) {
            let absolute = crate::fixtures::difference(&a.logits, &b.logits);
            let p = crate::fixtures::difference(&a.p, &b.p);
            worst = worst.max(Worst { p, logits: absolute / want.scale(), absolute, lane });
        }
    }
    worst
}

/// Numbers that look random and are the same everywhere (SplitMix64).
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    /// Rows of numbers between -½ and ½.
    pub fn rows(&mut self, rows: usize, width: usize) -> Vec<Vec<f32>> {
        (0..rows).map(|_| (0..width).map(|_| self.below(1 << 20) as f32 / (1 << 20) as f32 - 0.5).collect()).collect()
    }
}
