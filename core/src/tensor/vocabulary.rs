//! Vocabulary tables: the embedding, and the output head with what is read from it.

use super::product::{PANEL, Panels};
use super::{Buffer, MIXED, Rows, Vector, rows::indices, simd};
use burn::tensor::Tensor;

/// A table `[vocab, width]`.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    width: usize,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Host(Panels),
    /// Split by rows where one buffer cannot hold it.
    Device(Vec<Tensor<2>>),
}

/// Tokens whose logits are computed at a time: they stay in the cache.
const TILE: usize = 1024;

/// What a head says of one row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Readout {
    /// Probabilities of the asked tokens: softmax over the whole vocabulary, in f32.
    pub p: Vec<f32>,
    /// Their logits.
    pub logits: Vec<f32>,
    /// Their ranks, from 1; of equal logits the lower token first. Empty where they were not asked for.
    pub rank: Vec<u32>,
    /// The most probable token.
    pub top: u32,
}

/// What becomes of products with the table before they are logits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finish<'a> {
    pub(crate) bias: Option<&'a Vector>,
    pub(crate) cap: Option<f64>,
}

impl Finish<'_> {
    /// On the host, of the tokens from `first` on.
    #[inline(always)]
    fn apply(&self, first: usize, logits: &mut [f32]) {
        if let Some(bias) = self.bias {
            simd::add(logits, &bias.host()[first..]);
        }
        if let Some(cap) = self.cap {
            let cap = cap as f32;
            logits.iter_mut().for_each(|x| *x = simd::tanh(*x / cap) * cap);
        }
    }
}

impl Vocabulary {
    /// On the host.
    pub(crate) fn on_host(table: Panels) -> Self {
        Self { width: table.input(), data: Data::Host(table) }
    }

    /// On a device, from its shards.
    pub(crate) fn on_device(shards: Vec<Tensor<2>>, width: usize) -> Self {
        Self { width, data: Data::Device(shards) }
    }

    /// Tokens.
    pub fn vocab(&self) -> usize {
        match &self.data {
            Data::Host(table) => table.out(),
            Data::Device(shards) => shards.iter().map(|shard| shard.dims()[0]).sum(),
        }
    }

    /// The table, on the host.
    ///
    /// # Panics
    /// Where it is on a device.
    pub fn values(&self) -> Vec<f32> {
        match &self.data {
            Data::Host(table) => table.out_in(),
            Data::Device(_) => panic!("{MIXED}"),
        }
    }

    /// The rows of these ids: `[ids, width]`.
    pub(crate) fn lookup(&self, ids: &[u32]) -> Rows {
        let shards = match &self.data {
            _ if ids.is_empty() => return Rows::empty(self.width),
            Data::Host(table) => {
                let mut out = Buffer::scratch(ids.len() * self.width);
                for (row, &id) in out.chunks_exact_mut(self.width).zip(ids) {
                    table.row(id as usize, row);
                }
                return Rows::on_host(out, self.width);
            }
            Data::Device(shards) => shards,
        };
        let device = shards[0].device();
        if let [table] = shards.as_slice() {
            return Rows::on_device(table.clone().select(0, indices(ids, &device)));
        }
        // Each shard gives its own ids' rows; `place` puts them in the asked order.
        let (mut start, mut found) = (0, 0);
        let mut place = vec![0u32; ids.len()];
        let mut pieces = Vec::new();
        for shard in shards {
            let rows = shard.dims()[0] as u32;
            let mut local = Vec::new();
            for (slot, &id) in ids.iter().enumerate() {
                if (start..start + rows).contains(&id) {
                    place[slot] = found;
                    found += 1;
                    local.push(id - start);
                }
            }
            if !local.is_empty() {
                pieces.push(shard.clone().select(0, indices(&local, &device)));
            }
            start += rows;
        }
        Rows::on_device(Tensor::cat(pieces, 0).select(0, indices(&place, &device)))
    }

    /// As an output head: normed rows `[rows, width]` to logits `[rows, vocab]`.
    pub(crate) fn logits(&self, x: &Rows, finish: Finish<'_>) -> Rows {
        let vocab = self.vocab();
        match &self.data {
            _ if x.count() == 0 => Rows::empty(vocab),
            Data::Host(table) => {
                let mut y = Buffer::scratch(x.count() * vocab);
                table.forward(x.host(), 0..table.count(), &mut y);
                simd::vectorized(
                    #[inline(always)]
                    || y.chunks_exact_mut(vocab).for_each(|row| finish.apply(0, row)),
                );
                Rows::on_host(y, vocab)
            }
            Data::Device(shards) => {
                let x = x.device().expect(MIXED);
                let mut parts: Vec<_> =
                    shards.iter().map(|shard| x.clone().matmul(shard.clone().transpose())).collect();
                let mut y = if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 1) };
                if let Some(bias) = finish.bias {
                    y = y + bias.device().unsqueeze::<2>();
                }
                if let Some(cap) = finish.cap {
                    y = (y / cap).tanh() * cap;
                }
                Rows::on_device(y)
            }
        }
    }

    /// Reads normed rows on the host, without their whole logits in memory: what `asked` names of each, and the sum under
    /// each softmax, which is no number where a logit is none.
    pub(crate) fn read(&self, x: &Rows, asked: &[&[u32]], ranks: bool, finish: Finish<'_>) -> Vec<(Readout, f32)> {
        let Data::Host(table) = &self.data else { panic!("{MIXED}") };
        let mut reading: Vec<Reading> =
            asked.iter().enumerate().map(|(row, tokens)| Reading::new(table, x.row(row), tokens, finish)).collect();
        let mut tile = Buffer::default();
        for first in (0..table.count()).step_by(TILE / PANEL) {
            let panels = first..(first + TILE / PANEL).min(table.count());
            let start = first * PANEL;
            let width = table.out().min(panels.end * PANEL) - start;
            if tile.len() != x.count() * width {
                tile = Buffer::scratch(x.count() * width);
            }
            table.forward(x.host(), panels, &mut tile);
            simd::vectorized(
                #[inline(always)]
                || {
                    for ((row, reading), tokens) in tile.chunks_exact_mut(width).zip(&mut reading).zip(asked) {
                        finish.apply(start, row);
                        reading.add(row, start);
                        if ranks {
                            reading.rank(row, start, tokens);
                        }
                    }
                },
            );
        }
        reading.into_iter().map(|reading| reading.finish(ranks)).collect()
    }
}

/// A row's readout, tile by tile.
struct Reading {
    max: f32,
    /// Of `exp(logit - max)`.
    sum: f64,
    top: u32,
    logits: Vec<f32>,
    above: Vec<u32>,
}

impl Reading {
    /// The asked tokens' logits come first, from the same chains as in their tiles, so that ranks compare equal bits.
    fn new(table: &Panels, x: &[f32], tokens: &[u32], finish: Finish<'_>) -> Self {
        let one = |&token: &u32| {
            let panel = token as usize / PANEL;
            let width = PANEL.min(table.out() - panel * PANEL);
            let mut logits = [0.0; PANEL];
            table.forward(x, panel..panel + 1, &mut logits[..width]);
            finish.apply(panel * PANEL, &mut logits[..width]);
            logits[token as usize % PANEL]
        };
        Self {
            max: f32::NEG_INFINITY,
            sum: 0.0,
            top: 0,
            logits: tokens.iter().map(one).collect(),
            above: vec![0; tokens.len()],
        }
    }

    #[inline(always)]
    fn add(&mut self, logits: &[f32], start: usize) {
        let mut maxima = [f32::NEG_INFINITY; simd::LANES];
        let (blocks, rest) = logits.as_chunks::<{ simd::LANES }>();
        for block in blocks {
            for i in 0..simd::LANES {
                // A comparison, not `f32::max`: NaN must not vanish.
                maxima[i] = if block[i] <= maxima[i] { maxima[i] } else { block[i] };
            }
        }
        let max = maxima.iter().chain(rest).copied().fold(f32::NEG_INFINITY, |max, x| if x <= max { max } else { x });
        // Greater, or no number.
        if max.partial_cmp(&self.max).is_none_or(std::cmp::Ordering::is_gt) {
            self.sum *= f64::from(self.max - max).exp();
            self.max = max;
            self.top = (start + logits.iter().position(|&x| x == max).unwrap_or(0)) as u32;
        }
        let mut sums = [0.0f32; simd::LANES];
        for block in blocks {
            for i in 0..simd::LANES {
                sums[i] += simd::exp(block[i] - self.max);
            }
        }
        for &x in rest {
            sums[0] += simd::exp(x - self.max);
        }
        self.sum += sums.iter().map(|&x| f64::from(x)).sum::<f64>();
    }

    #[inline(always)]
    fn rank(&mut self, logits: &[f32], start: usize, tokens: &[u32]) {
        for ((above, &logit), &token) in self.above.iter_mut().zip(&self.logits).zip(tokens) {
            let before = (token as usize).saturating_sub(start).min(logits.len());
            let higher = logits.iter().filter(|&&x| x > logit).count();
            *above += (higher + logits[..before].iter().filter(|&&x| x == logit).count()) as u32;
        }
    }

    fn finish(self, ranks: bool) -> (Readout, f32) {
        let sum = self.sum as f32;
        let p = self.logits.iter().map(|&logit| simd::exp(logit - self.max) / sum).collect();
        let rank = if ranks { self.above.iter().map(|above| above + 1).collect() } else { Vec::new() };
        (Readout { p, logits: self.logits, rank, top: self.top }, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::numbers;
    use super::*;

    #[test]
    fn readouts_are_those_of_whole_logits() {
        let (vocab, width, rows) = (2 * TILE + 39, 24, 5);
        let mut table = numbers(vocab * width, 1);
        // Two tokens with equal logits, in different tiles.
        let copied = table[7 * width..8 * width].to_vec();
        table[2000 * width..2001 * width].copy_from_slice(&copied);
        let table = Vocabulary::on_host(Panels::from_out_in(&table, vocab, width));
        let bias = Vector::Host(vec![0.25; vocab]);
        let finish = Finish { bias: Some(&bias), cap: Some(3.0) };
        let x = Rows::on_host(numbers(rows * width, 2).iter().map(|x| 8.0 * x).collect::<Vec<f32>>(), width);
        let asked = [vec![7, 2000], vec![0], vec![], vec![vocab as u32 - 1, 1024, 5], vec![2000, 7]];
        let asked: Vec<&[u32]> = asked.iter().map(Vec::as_slice).collect();
        let logits = table.logits(&x, finish);
        for (row, (got, _)) in table.read(&x, &asked, true, finish).into_iter().enumerate() {
            let all = logits.row(row);
            let max = all.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = all.iter().map(|x| f64::from(x - max).exp()).sum();
            assert_eq!(all[got.top as usize], max);
            for (at, &token) in asked[row].iter().enumerate() {
                let logit = all[token as usize];
                assert_eq!(got.logits[at], logit);
                let p = f64::from(logit - max).exp() / sum;
                assert!((f64::from(got.p[at]) - p).abs() < 1e-6 * p.max(1e-3), "{} {p}", got.p[at]);
                let above = all.iter().enumerate().filter(|&(i, x)| *x > logit || (*x == logit && i < token as usize));
                assert_eq!(got.rank[at] as usize, above.count() + 1);
            }
        }
        let ranks = table.read(&x, &asked, true, finish);
        assert_eq!(ranks[0].0.rank[0] + 1, ranks[0].0.rank[1], "of equals the lower token first");
        let mut lookup = vec![0.0; width];
        let Data::Host(panels) = &table.data else { unreachable!("it is on the host") };
        panels.row(2000, &mut lookup);
        assert_eq!(table.lookup(&[2000, 7]).host(), [lookup.clone(), lookup].concat());
    }

    #[test]
    fn what_is_no_number_shows() {
        let (vocab, width) = (1500, 8);
        let mut table = numbers(vocab * width, 1);
        table[1300 * width] = f32::NAN;
        let table = Vocabulary::on_host(Panels::from_out_in(&table, vocab, width));
        let x = Rows::on_host(numbers(width, 2), width);
        let finish = Finish { bias: None, cap: None };
        assert!(!table.read(&x, &[&[3]], false, finish)[0].1.is_finite());
    }
}
