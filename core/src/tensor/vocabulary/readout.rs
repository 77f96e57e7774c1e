//! What a head says of rows, tile by tile of the vocabulary: whole logits are never in memory.

use super::super::product::{PANEL, Panels};
use super::super::{Buffer, MIXED, Rows, simd};
use super::{Data, Finish, Vocabulary};

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

impl Vocabulary {
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
        self.sum += simd::sum_exp(logits, self.max);
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
    use super::super::super::tests::numbers;
    use super::super::Vector;
    use super::*;

    #[test]
    fn readouts_are_those_of_whole_logits() {
        let (vocab, width, rows) = (2 * TILE + 39, 24, 5);
        let mut table = numbers(vocab * width, 1);
        // Two tokens with equal logits, in different tiles.
        let copied = table[7 * width..8 * width].to_vec();
        table[2000 * width..2001 * width].copy_from_slice(&copied);
        let table = Vocabulary::on_host("", Panels::from_out_in(&table, vocab, width));
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
        let table = Vocabulary::on_host("", Panels::from_out_in(&table, vocab, width));
        let x = Rows::on_host(numbers(width, 2), width);
        let finish = Finish { bias: None, cap: None };
        assert!(!table.read(&x, &[&[3]], false, finish)[0].1.is_finite());
    }
}
