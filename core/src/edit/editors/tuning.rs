//! Fine-tuning baselines: FT-M, which trains every weight of the layer's `down_proj` on the new answer alone, and LoRA, which
//! trains a low-rank change of it (Hu et al. 2022). All facts take their steps together; one whose loss is small enough rests.

use super::taught::{Taught, evidence, groups, size};
use crate::edit::editor::{EditBatch, Editor, Evidence, OnStep, Solved, Step};
use crate::edit::solve::Adam;
use crate::error::Result;
use crate::record::{FineTuning, Lora, Settings};
use crate::tensor::{Matrix, Overlay, Term, simd};
use std::ops::Range;

/// A change of a matrix `[d, f]` in training.
trait Trained {
    /// What it adds to values, `[tokens, d]`, for keys `[tokens, f]`.
    fn added(&self, keys: &Matrix) -> Vec<f32>;
    /// One step down, from gradients on the values.
    fn step(&mut self, keys: &Matrix, slope: &Matrix, lr: f32);
    /// The change.
    fn term(self, tensor: &str) -> Term;
}

impl Editor for FineTuning {
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
        train(batch, settings, *self, 3, Whole::zeros, told).await
    }
}

impl Editor for Lora {
    async fn solve(&self, batch: &EditBatch<'_>, settings: &Settings, told: OnStep<'_>) -> Result<Vec<Solved>> {
        let start = |d, f| Factors::start(self, d, f);
        train(batch, settings, self.tuning, 1, start, told).await
    }
}

/// Trains each target's change. `copies` of the matrix say how much memory that takes.
async fn train<T: Trained>(
    batch: &EditBatch<'_>,
    settings: &Settings,
    tuning: FineTuning,
    copies: u64,
    start: impl Fn(usize, usize) -> T,
    told: OnStep<'_>,
) -> Result<Vec<Solved>> {
    let groups = groups(batch, copies);
    let of = groups.len() * tuning.steps;
    let mut solved = Vec::with_capacity(batch.targets.len());
    for (at, group) in groups.into_iter().enumerate() {
        let mut step = |step: Step<'_>| told(Step { done: at * tuning.steps + step.done, of, losses: step.losses });
        solved.extend(train_group(batch, group, settings, tuning, &start, &mut step).await?);
    }
    Ok(solved)
}

async fn train_group<T: Trained>(
    batch: &EditBatch<'_>,
    group: Range<usize>,
    settings: &Settings,
    FineTuning { steps, lr, stop }: FineTuning,
    start: &impl Fn(usize, usize) -> T,
    told: OnStep<'_>,
) -> Result<Vec<Solved>> {
    let model = batch.model;
    let targets = &batch.targets[group.clone()];
    let taught = Taught::capture(batch, targets, false).await?;
    let mut keys = Vec::with_capacity(taught.count());
    for at in 0..taught.count() {
        keys.push(taught.keys(at).await?);
    }
    let (d, f) = (model.net.shape.width, model.net.shape.ff);
    let mut trained: Vec<T> = (0..targets.len()).map(|_| start(d, f)).collect();
    let mut losses = vec![Vec::new(); targets.len()];
    let mut failed: Vec<Option<String>> = vec![None; targets.len()];
    let mut active: Vec<usize> = (0..targets.len()).collect();
    let mut plan = model.plan;
    for step in 0..steps {
        let added: Vec<Vec<f32>> = active.iter().map(|&at| trained[at].added(&keys[at])).collect();
        let (slopes, used) = taught.slopes(&active, &added, plan).await?;
        plan = used;
        let mut next = Vec::with_capacity(active.len());
        for (&at, slope) in active.iter().zip(slopes) {
            match slope {
                Ok((loss, slope)) => {
                    losses[at].push(loss);
                    if loss >= stop {
                        trained[at].step(&keys[at], &slope, lr);
                        next.push(at);
                    }
                }
                Err(error) => failed[at] = Some(error.message().to_owned()),
            }
        }
        let now: Vec<f32> = losses.iter().map(|all: &Vec<f32>| all.last().copied().unwrap_or(f32::NAN)).collect();
        told(Step { done: step + 1, of: steps, losses: &now })?;
        active = next;
        if active.is_empty() {
            break;
        }
    }
    let mut solved = Vec::with_capacity(targets.len());
    for (at, (trained, loss)) in trained.into_iter().zip(losses).enumerate() {
        let tensor = &model.net.down(targets[at].layer).tensor;
        let seed = settings.seed;
        let overlay = Overlay { terms: vec![trained.term(tensor)] };
        let made = match failed[at].take() {
            Some(failed) => Err(failed),
            None => size(model, &overlay).await.map_err(|error| error.message().to_owned()),
        };
        let (overlay, evidence) = match made {
            Ok(size) => {
                let evidence = evidence(&taught.subject(at).await?, (&overlay, size), loss, seed);
                (overlay, evidence)
            }
            Err(failed) => (Overlay::default(), Evidence { seed, failed: Some(failed), loss, ..Evidence::default() }),
        };
        solved.push(Solved { targets: vec![group.start + at], overlay, evidence: vec![evidence], ..Solved::default() });
    }
    Ok(solved)
}

/// Every weight of the matrix.
struct Whole {
    change: Adam,
    width: usize,
}

impl Whole {
    fn zeros(d: usize, f: usize) -> Self {
        Self { change: Adam::new(vec![0.0; d * f]), width: f }
    }
}

impl Trained for Whole {
    fn added(&self, keys: &Matrix) -> Vec<f32> {
        let rows = self.change.values.chunks_exact(self.width);
        let mut out = vec![0.0; keys.rows() * rows.len()];
        simd::vectorized(
            #[inline(always)]
            || {
                for (at, out) in out.chunks_exact_mut(rows.len()).enumerate() {
                    out.iter_mut().zip(rows.clone()).for_each(|(out, row)| *out = simd::dot(keys.row(at), row));
                }
            },
        );
        out
    }

    fn step(&mut self, keys: &Matrix, slope: &Matrix, lr: f32) {
        let mut gradient = vec![0.0; self.change.values.len()];
        simd::vectorized(
            #[inline(always)]
            || {
                for (out, row) in gradient.chunks_exact_mut(self.width).enumerate() {
                    for at in 0..keys.rows() {
                        simd::add_scaled(row, slope.row(at)[out], keys.row(at));
                    }
                }
            },
        );
        self.change.step(&gradient, lr);
    }

    fn term(self, tensor: &str) -> Term {
        Term::dense(tensor, self.change.values.chunks_exact(self.width).map(<[f32]>::to_vec).collect())
    }
}

/// `scale · B A`.
struct Factors {
    /// `[rank, f]`.
    a: Adam,
    /// Its columns, `[rank, d]`: zero at first.
    b: Adam,
    scale: f32,
    widths: [usize; 2],
}

impl Factors {
    /// `A` is the same at every start, so that anyone can compute the same edit: `A[i, j] = sin(1 + i f + j) / √f`, from 0.
    fn start(lora: &Lora, d: usize, f: usize) -> Self {
        let rank = lora.rank.min(d).min(f);
        let a = (0..rank * f).map(|at| (((1 + at) as f64).sin() / (f as f64).sqrt()) as f32).collect();
        let b = vec![0.0; rank * d];
        Self { a: Adam::new(a), b: Adam::new(b), scale: lora.alpha / lora.rank as f32, widths: [d, f] }
    }

    fn rows(&self) -> impl Iterator<Item = (&[f32], &[f32])> + Clone {
        let [d, f] = self.widths;
        self.a.values.chunks_exact(f).zip(self.b.values.chunks_exact(d))
    }
}

impl Trained for Factors {
    fn added(&self, keys: &Matrix) -> Vec<f32> {
        let [d, _] = self.widths;
        let mut out = vec![0.0; keys.rows() * d];
        for (at, row) in out.chunks_exact_mut(d).enumerate() {
            for (a, b) in self.rows() {
                simd::add_scaled(row, self.scale * simd::dot(keys.row(at), a), b);
            }
        }
        out
    }

    fn step(&mut self, keys: &Matrix, slope: &Matrix, lr: f32) {
        let [d, f] = self.widths;
        let (mut on_a, mut on_b) = (vec![0.0; self.a.values.len()], vec![0.0; self.b.values.len()]);
        let gradients = on_a.chunks_exact_mut(f).zip(on_b.chunks_exact_mut(d));
        for ((a, b), (on_a, on_b)) in self.rows().zip(gradients) {
            for at in 0..keys.rows() {
                let (key, slope) = (keys.row(at), slope.row(at));
                simd::add_scaled(on_a, self.scale * simd::dot(slope, b), key);
                simd::add_scaled(on_b, self.scale * simd::dot(key, a), slope);
            }
        }
        self.a.step(&on_a, lr);
        self.b.step(&on_b, lr);
    }

    fn term(self, tensor: &str) -> Term {
        let scaled = |b: &[f32]| b.iter().map(|x| self.scale * x).collect();
        let (u, v) = self.rows().map(|(a, b)| (scaled(b), a.to_vec())).unzip();
        Term { tensor: tensor.to_owned(), u, v }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, width: usize, seed: usize) -> Matrix {
        Matrix::new((0..rows * width).map(|i| ((i * 37 + seed) % 23) as f32 / 11.0 - 1.0).collect(), width)
    }

    /// `Σ slope · added` of keys, whose derivative by what is added is `slope`: steps must lower it.
    fn value(trained: &impl Trained, keys: &Matrix, slope: &Matrix) -> f32 {
        trained.added(keys).iter().zip(&slope.values).map(|(x, g)| x * g).sum()
    }

    fn goes_down(mut trained: impl Trained, steps: usize) {
        let (keys, slope) = (matrix(3, 7, 1), matrix(3, 5, 2));
        let mut before = value(&trained, &keys, &slope);
        for _ in 0..steps {
            trained.step(&keys, &slope, 1e-2);
            let now = value(&trained, &keys, &slope);
            assert!(now < before, "{now} {before}");
            before = now;
        }
        let added = trained.added(&keys);
        let term = trained.term("w");
        for at in 0..3 {
            for out in 0..5 {
                let want: f64 = term.row(out).iter().zip(keys.row(at)).map(|(w, k)| w * f64::from(*k)).sum();
                assert!((f64::from(added[at * 5 + out]) - want).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn steps_go_down_and_the_term_is_what_was_added() {
        goes_down(Whole::zeros(5, 7), 4);
        goes_down(Factors::start(&Lora { rank: 2, ..Lora::default() }, 5, 7), 4);
    }
}
