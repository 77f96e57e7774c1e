//! Several studies side by side: curves over relative depth, so that models of different depths share an axis, and
//! their settings with what differs.

use super::about;
use crate::words;
use engram_core::metrics::{Mean, MetricConvention, Summary, shown_edits, summarize};
use engram_core::record::Record;
use std::collections::HashSet;

/// What a curve shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quantity {
    /// Mean sufficiency (the paper's Figures 2 and 3).
    #[default]
    Sufficiency,
    /// Share of the localized facts with this dominant layer.
    Dominant,
    /// Mean loss from ablating the block.
    Block,
    /// Mean loss from ablating its attention.
    Attention,
    /// Mean loss from ablating its MLP.
    Mlp,
    /// Mean gain with l* ablated: the curve behind R.
    Restored,
}

impl Quantity {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::Sufficiency, Self::Dominant, Self::Block, Self::Attention, Self::Mlp, Self::Restored];

    /// Its name on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sufficiency => "sufficiency",
            Self::Dominant => "dominant layers",
            Self::Block => "block ablation",
            Self::Attention => "attention ablation",
            Self::Mlp => "MLP ablation",
            Self::Restored => "gain with l* ablated",
        }
    }

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        match self {
            Self::Sufficiency => "Probability gained by putting one layer's clean state back, mean over facts.",
            Self::Dominant => {
                "Share of the localized facts whose dominant layer this is. A fact is counted at its best layer, also where it has no peak: the paper's convention."
            }
            Self::Block => "Probability lost on the clean prompt by ablating the block, mean over facts.",
            Self::Attention => {
                "Probability lost on the clean prompt by ablating the block's attention, mean over facts."
            }
            Self::Mlp => "Probability lost on the clean prompt by ablating the block's MLP, mean over facts.",
            Self::Restored => "Probability gained by putting one layer's clean state back while block l* is ablated.",
        }
    }

    /// A value per layer; `None` where the layer has none.
    fn values(self, summary: &Summary) -> Vec<Option<Mean>> {
        let all = |means: &[Mean]| means.iter().copied().map(Some).collect();
        match self {
            Self::Sufficiency => all(&summary.sufficiency),
            Self::Block => all(&summary.maps.block),
            Self::Attention => all(&summary.maps.attention),
            Self::Mlp => all(&summary.maps.mlp),
            Self::Restored => summary.redundancy_curve.clone(),
            Self::Dominant => {
                let of = summary.distribution.localized();
                let share =
                    |count: &usize| (of > 0).then(|| Mean { mean: *count as f64 / of as f64, sem: None, n: of });
                summary.distribution.counts.iter().map(share).collect()
            }
        }
    }
}

/// One study's curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The study's name.
    pub name: String,
    /// Blocks.
    pub layers: usize,
    /// l*, where there is one.
    pub l_star: Option<usize>,
    /// Layers that have a value, lowest first.
    pub points: Vec<Point>,
}

/// A layer's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The layer, from 1.
    pub layer: usize,
    /// Its share of the way through the model; 1 for the last.
    pub depth: f64,
    /// The value.
    pub value: Mean,
}

impl Curve {
    /// The layer that is nearest to a depth, with its value.
    pub fn at(&self, depth: f64) -> Option<&Point> {
        let away = |point: &Point| (point.depth - depth).abs();
        self.points.iter().min_by(|a, b| away(a).total_cmp(&away(b)))
    }

    /// What the curve says at a depth.
    pub fn words(&self, depth: f64) -> String {
        match self.at(depth) {
            Some(point) => format!("layer {} of {}, {}", point.layer, self.layers, words::mean(&point.value)),
            None => "no values".into(),
        }
    }

    /// The highest value in a sentence.
    pub fn peak(&self) -> String {
        let highest = self.points.iter().max_by(|a, b| a.value.mean.total_cmp(&b.value.mean));
        match highest {
            Some(point) => {
                format!(
                    "{} peaks at layer {} of {} with {}",
                    self.name,
                    point.layer,
                    self.layers,
                    words::number(point.value.mean)
                )
            }
            None => format!("{} has no values", self.name),
        }
    }
}

/// A curve for each study, in their order.
pub fn curves(studies: &[(String, &Record)], view: &MetricConvention, quantity: Quantity) -> Vec<Curve> {
    let one = |(name, record): &(String, &Record)| {
        let summary = summarize(record, view);
        let layers = summary.layers.max(1);
        let point = |(layer, value): (usize, Option<Mean>)| {
            Some(Point { layer, depth: layer as f64 / layers as f64, value: value? })
        };
        let points = (1..).zip(quantity.values(&summary)).filter_map(point).collect();
        Curve { name: name.clone(), layers, l_star: summary.l_star, points }
    };
    studies.iter().map(one).collect()
}

/// Which facts the studies have edited, as a line; `None` unless two or more have edits. Every study rewrites facts that its own model
/// knows, so they may be different ones.
pub fn edited_facts(studies: &[(String, &Record)]) -> Option<String> {
    let of = |record: &Record| -> HashSet<(String, String)> {
        let edited: HashSet<usize> = shown_edits(record).into_iter().map(|edit| edit.fact).collect();
        let facts = record.facts.iter().filter(|fact| edited.contains(&fact.order));
        facts.map(|fact| (fact.prompt.clone(), fact.subject.clone())).collect()
    };
    let all: Vec<_> = studies.iter().map(|(name, record)| (name, of(record))).collect();
    let all: Vec<_> = all.into_iter().filter(|(_, facts)| !facts.is_empty()).collect();
    let (first, rest) = all.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let common = first.1.iter().filter(|fact| rest.iter().all(|(_, facts)| facts.contains(*fact))).count();
    let each: Vec<String> =
        all.iter().map(|(name, facts)| format!("{} in {name}", words::count(facts.len(), "fact"))).collect();
    let every = if all.len() == 2 { "both" } else { "all" };
    let whose = match all.iter().all(|(_, facts)| facts.len() == common) {
        true => "The comparison uses the edits of these facts.",
        false => "The comparison uses each study’s own edits, so it is of different facts.",
    };
    Some(format!("Edited: {}; {common} of them in {every}. {whose}", each.join(", ")))
}

/// A setting over all studies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value in each study; empty where it has none.
    pub values: Vec<String>,
    /// The studies do not agree.
    pub differs: bool,
}

/// Everything that decided the studies' numbers, in the order of [`about::lines`].
pub fn settings(records: &[&Record]) -> Vec<Setting> {
    let all: Vec<Vec<(&'static str, String)>> = records.iter().map(|record| about::lines(record)).collect();
    let mut names: Vec<&'static str> = Vec::new();
    for (name, _) in all.iter().flatten() {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let one = |name: &'static str| {
        let value = |lines: &Vec<(&'static str, String)>| {
            lines.iter().find(|line| line.0 == name).map(|line| line.1.clone()).unwrap_or_default()
        };
        let values: Vec<String> = all.iter().map(value).collect();
        let differs = values.windows(2).any(|two| two[0] != two[1]);
        Setting { name, values, differs }
    };
    names.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn depths_align_models_of_different_size() {
        let small = sample::record();
        let mut large = small.clone();
        large.model.layers = 8;
        for fact in &mut large.facts {
            if let Some(traced) = fact.traced_mut() {
                for curve in traced.patched.values_mut() {
                    *curve = curve.iter().flat_map(|value| [*value, *value]).collect();
                }
            }
        }
        let studies = [("small".to_owned(), &small), ("large".to_owned(), &large)];
        let found = curves(&studies, &MetricConvention::default(), Quantity::Sufficiency);
        assert_eq!([found[0].points.len(), found[1].points.len()], [4, 8]);
        let at = |curve: &Curve, depth| curve.at(depth).map(|point| (point.layer, point.depth));
        assert_eq!(at(&found[0], 0.5), Some((2, 0.5)));
        assert_eq!(at(&found[1], 0.5), Some((4, 0.5)));
        assert_eq!(at(&found[1], 9.0), Some((8, 1.0)));
        assert!(found[0].words(0.5).starts_with("layer 2 of 4, 0.2"), "{}", found[0].words(0.5));
        assert!(found[0].peak().starts_with("small peaks at layer 2 of 4"), "{}", found[0].peak());
        let dominant = curves(&studies[..1], &MetricConvention::default(), Quantity::Dominant);
        assert_eq!(dominant[0].points[1].value.mean, 1.0);
        let none = curves(&studies[..1], &MetricConvention::default(), Quantity::Restored);
        assert_eq!(none[0].words(0.5), "no values");
        assert_eq!(none[0].peak(), "small has no values");
    }

    #[test]
    fn edits_of_different_facts_are_told_apart() {
        fn said(one: &Record, other: &Record) -> Option<String> {
            edited_facts(&[("a".to_owned(), one), ("b".to_owned(), other)])
        }
        let one = sample::record();
        let edited = shown_edits(&one).len();
        assert_eq!(edited, 1, "the sample edits one fact");
        let same = "Edited: 1 fact in a, 1 fact in b; 1 of them in both. The comparison uses the edits of these facts.";
        assert_eq!(said(&one, &one).as_deref(), Some(same));
        let mut two = one.clone();
        two.facts.iter_mut().for_each(|fact| fact.prompt.push('!'));
        assert!(
            said(&one, &two)
                .is_some_and(|said| said.contains("; 0 of them in both. The comparison uses each study’s own"))
        );
        two.edits = None;
        assert_eq!(said(&one, &two), None);
    }

    #[test]
    fn settings_show_what_differs() {
        let one = sample::record();
        let mut two = one.clone();
        two.settings.n = 7;
        two.edits = None;
        let found = settings(&[&one, &two]);
        let of = |name: &str| found.iter().find(|setting| setting.name == name).map(|setting| setting.differs);
        assert_eq!([of("sample"), of("edits"), of("corruption")], [Some(true), Some(true), Some(false)]);
    }
}
