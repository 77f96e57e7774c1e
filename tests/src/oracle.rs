//! Patched runs computed both ways: by naive full forwards on the CPU, and resumed on a device in batches of any size.

use crate::fixtures::model;
use crate::naive::{Plain, Run};
use engram_core::device::Compute;
use engram_core::load::Model;
use engram_core::model::Site;
use engram_core::run::{
    ActivationCache, Change, Edited, Intervention, PatchedRun, Plan, Prompt, Read, Readout, Request, Sites, Source,
};
use engram_core::tensor::{Matrix, Overlay};
use pollster::block_on;

/// The sites of a block that can be changed, in the order of computation.
pub const SITES: [Site; 9] = [
    Site::Query,
    Site::Key,
    Site::Value,
    Site::Heads,
    Site::Attention,
    Site::MlpKey,
    Site::MlpValue,
    Site::Mlp,
    Site::Residual,
];

/// Every place that can be changed: the embedding, and the sites of every block.
pub fn places(layers: usize) -> impl Iterator<Item = (usize, Site)> {
    let blocks = (1..=layers).flat_map(|layer| SITES.map(|site| (layer, site)));
    std::iter::once((0, Site::Residual)).chain(blocks)
}

/// Prompts, the rows that changes may take, and the naive runs of the prompts.
pub struct Oracle {
    /// On the CPU.
    pub model: Model,
    /// Its data.
    pub plain: Plain,
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
    /// The run with the largest relative logit difference.
    pub run: usize,
}

impl Worst {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        let run = if self.logits >= other.logits { self.run } else { other.run };
        let most = |a: f32, b: f32| if a >= b || a.is_nan() { a } else { b };
        Self {
            p: most(self.p, other.p),
            logits: most(self.logits, other.logits),
            absolute: most(self.absolute, other.absolute),
            run,
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
        let plain = Plain::of(&model, &[]);
        let runs = prompts.iter().map(|p| plain.forward(&p.ids, &p.interventions, &[], &[], &kept)).collect();
        Self { model, plain, prompts, kept, runs }
    }

    /// What naive full forwards say about patched runs: the prompt's own changes and the run's, from the embedding on.
    pub fn wanted(&self, runs: &[PatchedRun], given: &[Vec<f32>], overlays: &[Overlay]) -> Vec<Vec<Wanted>> {
        let rows: Vec<_> = self.kept.iter().chain(given).cloned().collect();
        let sources: Vec<&Run> = self.runs.iter().collect();
        let edited: Vec<Plain> = overlays.iter().map(|one| Plain::of(&self.model, std::slice::from_ref(one))).collect();
        let mut earlier: Vec<Run> = Vec::with_capacity(runs.len());
        let mut out = Vec::with_capacity(runs.len());
        for run in runs {
            let prompt = &self.prompts[run.prompt];
            let own = run.interventions.iter().map(|change| shifted(change, self.kept.len()));
            let changes: Vec<Intervention> = prompt.interventions.iter().cloned().chain(own).collect();
            let plain = run.overlay.map_or(&self.plain, |overlay| &edited[overlay]);
            let naive = plain.forward(&prompt.ids, &changes, &sources, &earlier, &rows);
            let read = |read: &Read| Wanted {
                p: read.tokens.iter().map(|&token| naive.p(read.position, token)).collect(),
                logits: naive.logits[read.position].clone(),
            };
            out.push(run.reads.iter().map(read).collect());
            earlier.push(naive);
        }
        out
    }

    /// Captures the prompts on a model's device, with every site that can be changed.
    pub fn capture(&self, model: &Model) -> ActivationCache {
        let all = Site::ALL.into_iter().filter(|&site| site != Site::Pattern);
        let keep = all.fold(Sites::to_resume(), |keep, site| keep.with(site, 1..=model.layers()));
        self.capture_with(model, &keep)
    }

    /// The same, with chosen sites.
    pub fn capture_with(&self, model: &Model, keep: &Sites) -> ActivationCache {
        let captured = block_on(model.edited().capture(&self.prompts, &matrix(&self.kept), keep));
        captured.unwrap_or_else(|error| panic!("capture: {error}"))
    }
}

/// The same change with its constant rows `by` rows later.
fn shifted(change: &Intervention, by: usize) -> Intervention {
    let shift = |source| match source {
        Source::Constant(row) => Source::Constant(row + by),
        other => other,
    };
    let made = match change.change {
        Change::Replace(source) => Change::Replace(shift(source)),
        Change::Add(source) => Change::Add(shift(source)),
        other => other,
    };
    Intervention { change: made, ..change.clone() }
}

/// Rows as the engine takes them.
pub fn matrix(rows: &[Vec<f32>]) -> Matrix {
    Matrix::new(rows.concat(), rows.first().map_or(0, Vec::len))
}

/// Patched runs on a cache, `rows` rows at a time.
pub fn resumed(
    model: &Model,
    cache: &ActivationCache,
    runs: &[PatchedRun],
    given: &[Vec<f32>],
    overlays: &[Overlay],
    rows: usize,
) -> Vec<Vec<Readout>> {
    let plan = Plan { rows, head_rows: rows.min(model.plan.head_rows), ..model.plan };
    let request = Request { runs, constants: &matrix(given), overlays };
    let done = block_on(Edited { plan, ..model.edited() }.resume(cache, &request));
    done.unwrap_or_else(|error| panic!("resume: {error}"))
}

/// Resumed against naive. Panics where a run's readouts are not its reads, or its top token is not one of the best.
pub fn against(runs: &[PatchedRun], got: &[Vec<Readout>], want: &[Vec<Wanted>]) -> Worst {
    assert_eq!((got.len(), want.len()), (runs.len(), runs.len()));
    let mut worst = Worst::default();
    for (at, run) in runs.iter().enumerate() {
        assert_eq!(got[at].len(), run.reads.len(), "{run:?}");
        for ((read, got), want) in run.reads.iter().zip(&got[at]).zip(&want[at]) {
            let logits: Vec<f32> = read.tokens.iter().map(|&token| want.logits[token as usize]).collect();
            let absolute = crate::fixtures::difference(&got.logits, &logits);
            let p = crate::fixtures::difference(&got.p, &want.p);
            let best = want.logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let top = best - want.logits[got.top as usize];
            assert!(top <= 1e-4 * want.scale(), "top token {} is {top:e} below the best: {run:?}", got.top);
            worst = worst.max(Worst { p, logits: absolute / want.scale(), absolute, run: at });
        }
    }
    worst
}

/// One way of batching against another; `want` says how large the logits are.
pub fn between(a: &[Vec<Readout>], b: &[Vec<Readout>], want: &[Vec<Wanted>]) -> Worst {
    assert_eq!((a.len(), want.len()), (b.len(), b.len()));
    let mut worst = Worst::default();
    for (run, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a.len(), b.len(), "run {run}");
        for ((a, b), want) in a.iter().zip(b).zip(&want[run]) {
            let absolute = crate::fixtures::difference(&a.logits, &b.logits);
            let p = crate::fixtures::difference(&a.p, &b.p);
            worst = worst.max(Worst { p, logits: absolute / want.scale(), absolute, run });
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
