//! How many facts peak at each layer, and the run of layers at which most of them do.

use super::{Line, Place};

/// Counts of a study's peaks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peaks {
    /// Facts per layer; layer `l` at `l - 1`.
    pub counts: Vec<usize>,
    /// Traced facts without a peak.
    pub none: usize,
}

/// Neighbouring layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The first one.
    pub from: usize,
    /// The last one.
    pub to: usize,
    /// Facts that peak there.
    pub facts: usize,
}

impl Peaks {
    /// The peaks of some lines, of a model with so many layers.
    pub fn of(lines: &[Line], layers: usize) -> Self {
        let mut peaks = Self { counts: vec![0; layers], none: 0 };
        for line in lines {
            match line.place {
                Place::Peak { layer, .. } => {
                    if let Some(count) = layer.checked_sub(1).and_then(|at| peaks.counts.get_mut(at)) {
                        *count += 1;
                    }
                }
                Place::NoPeak(_) => peaks.none += 1,
                Place::Untraced | Place::Excluded { .. } => {}
            }
        }
        peaks
    }

    /// Facts with a peak.
    pub fn peaked(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The highest count of a layer.
    pub fn most(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// The layer at which most facts peak, the lowest of several.
    pub fn mode(&self) -> Option<usize> {
        let most = *self.counts.iter().max().filter(|most| **most > 0)?;
        self.counts.iter().position(|count| *count == most).map(|at| at + 1)
    }

    /// The narrowest run of layers at which at least three quarters of the peaks are; of several, the one with the most facts, then
    /// the lowest. It only names what the bars show: no index is computed from it.
    pub fn run(&self) -> Option<Run> {
        let all = self.peaked();
        let mut best: Option<Run> = None;
        let (mut from, mut facts) = (0, 0);
        for to in 0..self.counts.len() {
            facts += self.counts[to];
            // What can be left out at the lower end is left out.
            while from < to && (facts - self.counts[from]) * 4 >= all * 3 {
                facts -= self.counts[from];
                from += 1;
            }
            let found = Run { from: from + 1, to: to + 1, facts };
            let width = |run: &Run| run.to - run.from;
            let better = best.as_ref().is_none_or(|best| {
                width(&found) < width(best) || (width(&found) == width(best) && found.facts > best.facts)
            });
            if all > 0 && facts * 4 >= all * 3 && better {
                best = Some(found);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::lines;
    use super::*;
    use engram_core::metrics::MetricConvention;

    fn run(counts: &[usize]) -> Option<(usize, usize, usize)> {
        Peaks { counts: counts.to_vec(), none: 0 }.run().map(|run| (run.from, run.to, run.facts))
    }

    #[test]
    fn peaks_are_counted_apart_from_none() {
        let record = sample::record();
        let peaks = Peaks::of(&lines(&record, &MetricConvention::default()), 4);
        assert_eq!(peaks, Peaks { counts: vec![0, 1, 0, 0], none: 1 });
        assert_eq!((peaks.peaked(), peaks.most(), peaks.mode()), (1, 1, Some(2)));
        assert_eq!(Peaks::of(&lines(&record, &MetricConvention::default()), 1).peaked(), 0, "a damaged record");
    }

    #[test]
    fn the_run_is_the_narrowest_with_three_quarters() {
        let mut places = [0; 30];
        for (layer, count) in [(1, 1), (3, 2), (8, 4), (9, 1), (11, 5), (12, 8), (14, 2), (16, 1)] {
            places[layer - 1] = count;
        }
        assert_eq!(run(&places), Some((8, 12, 18)));
        assert_eq!(run(&[0, 3, 0]), Some((2, 2, 3)));
        assert_eq!(run(&[1, 1]), Some((1, 2, 2)));
        assert_eq!(run(&[3, 1, 3]), Some((1, 3, 7)), "six of seven need both ends");
        assert_eq!(run(&[4, 0, 1, 4, 0]), Some((1, 4, 9)));
        assert_eq!(run(&[0, 0]), None);
        assert_eq!(run(&[]), None);
    }
}
