//! How many facts have each layer as their dominant one, and how many none.

use super::bars::{Bar, Bars};
use crate::words;
use engram_core::metrics::{Distribution, Summary};

/// The counts with what is said about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Facts per layer; layer `l` at `l - 1`.
    pub counts: Vec<usize>,
    /// Facts that are not localized.
    pub not_localized: usize,
    /// The most frequent layer.
    pub l_star: Option<usize>,
    /// What the chart shows, in a sentence.
    pub sentence: String,
}

impl Histogram {
    /// Dominant layers of a study's facts.
    pub fn of(summary: &Summary) -> Self {
        let Distribution { counts, not_localized } = summary.distribution.clone();
        let sentence = sentence(summary);
        Self { counts, not_localized, l_star: summary.l_star, sentence }
    }

    /// The counts as bars, the most frequent layer marked.
    pub fn bars(&self) -> Bars {
        let bar = |count: &usize| Bar { value: Some(*count as f64), sem: None, n: 0 };
        Bars {
            bars: self.counts.iter().map(bar).collect(),
            mark: self.l_star.map(|layer| (layer, "l*, the most frequent dominant layer".to_owned())),
            // Facts are whole.
            least: 1.0,
            sentence: self.sentence.clone(),
            ..Bars::default()
        }
    }

    /// The highest bar.
    pub fn most(&self) -> usize {
        self.counts.iter().copied().max().unwrap_or(0).max(self.not_localized)
    }
}

fn sentence(summary: &Summary) -> String {
    let total = summary.distribution.localized() + summary.distribution.not_localized;
    let Some(layer) = summary.l_star else {
        return format!("Dominant layers of {}: no fact is localized.", words::count(total, "fact"));
    };
    let at = summary.at_l_star.map_or(0, |share| share.count);
    let spread = summary.distribution.counts.iter().filter(|count| **count > 0).count();
    let flat = summary.no_peak.filter(|share| share.count > 0);
    let flat = flat.map(|share| format!("; {} of these without a peak", share.count)).unwrap_or_default();
    format!(
        "Dominant layers of {}: {at} at layer {layer}, {} at {}{flat}; {} not localized.",
        words::count(total, "fact"),
        summary.distribution.localized() - at,
        words::count(spread.saturating_sub(1), "other layer"),
        summary.distribution.not_localized
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::metrics::{MetricConvention, summarize};

    #[test]
    fn counts_and_sentence() {
        let record = sample::record();
        let found = Histogram::of(&summarize(&record, &MetricConvention::default()));
        assert_eq!((found.counts.clone(), found.not_localized, found.l_star), (vec![0, 1, 0, 0], 1, Some(2)));
        assert_eq!(found.most(), 1);
        assert_eq!(found.sentence, "Dominant layers of 2 facts: 1 at layer 2, 0 at 0 other layers; 1 not localized.");
        let always = MetricConvention { argmax_always: true, ..MetricConvention::default() };
        assert_eq!(Histogram::of(&summarize(&record, &always)).counts, [0, 1, 0, 1]);
    }
}
