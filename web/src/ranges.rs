//! Which bytes of a file are here.

use serde::{Deserialize, Serialize};

/// Disjoint ranges in ascending order, none touching the next.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Adds `[start, end)`.
    pub fn add(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut start, mut end) = (start, end);
        self.0.retain(|&(from, to)| {
            let apart = to < start || from > end;
            if !apart {
                start = start.min(from);
                end = end.max(to);
            }
            apart
        });
        let at = self.0.partition_point(|&(from, _)| from < start);
        self.0.insert(at, (start, end));
    }

    /// The first part of `[start, end)` that is missing.
    pub fn missing(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let mut from = start;
        for &(begin, stop) in &self.0 {
            if stop <= from {
                continue;
            }
            if begin > from {
                return Some((from, begin.min(end))).filter(|(from, to)| from < to);
            }
            from = stop;
            if from >= end {
                return None;
            }
        }
        (from < end).then_some((from, end))
    }

    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|(start, end)| end - start).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_tell_what_is_missing() {
        let mut ranges = Ranges::default();
        assert_eq!(ranges.missing(0, 10), Some((0, 10)));
        for (start, end) in [(20, 30), (0, 5), (5, 8), (28, 40), (7, 7)] {
            ranges.add(start, end);
        }
        assert_eq!(ranges, Ranges(vec![(0, 8), (20, 40)]));
        assert_eq!(ranges.missing(0, 8), None);
        assert_eq!(ranges.missing(2, 50), Some((8, 20)));
        assert_eq!(ranges.missing(25, 50), Some((40, 50)));
        assert_eq!(ranges.missing(10, 12), Some((10, 12)));
        assert_eq!(ranges.bytes(), 28);
    }

    #[test]
    fn random_ranges_agree_with_a_bitmap() {
        let mut state = 1u32;
        let mut next = |most: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u64::from((state >> 16) % most)
        };
        for _ in 0..200 {
            let (mut ranges, mut bitmap) = (Ranges::default(), [false; 64]);
            for _ in 0..8 {
                let start = next(64);
                let end = start + next(64 - start as u32 + 1);
                ranges.add(start, end);
                bitmap[start as usize..end as usize].fill(true);
                let (from, to) = (next(32), 32 + next(32));
                let first = (from..to).find(|&at| !bitmap[at as usize]);
                assert_eq!(ranges.missing(from, to).map(|found| found.0), first);
                assert_eq!(ranges.bytes(), bitmap.iter().filter(|here| **here).count() as u64);
            }
        }
    }
}
