//! One layer of one fact: what its state brings back, what the answer loses without it, and which half of it matters.

use super::lens::LensChart;
use crate::words;
use engram_core::metrics::{
    Finding, MetricConvention, Part, drop_at, fact_redundancy, finding, mlp_ratio_of, sufficiency,
};
use engram_core::record::FactRecord;

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Its number, from 1.
    pub layer: usize,
    /// Blocks of the model.
    pub of: usize,
    /// What is measured at it, each with its value where the record has one.
    pub values: Vec<(&'static str, Option<f64>)>,
    /// Share of the MLP in what both halves lose; `None` when neither loses or gains anything.
    pub mlp_share: Option<f64>,
    /// The same in a sentence.
    pub split: String,
    /// It is the fact's dominant layer.
    pub dominant: bool,
    /// The logit lens after it, where there is one.
    pub lens: Option<String>,
}

/// The layer that is shown first: the fact's dominant one, or else the one without which it loses most.
pub fn first(fact: &FactRecord, view: &MetricConvention) -> Option<usize> {
    let traced = fact.traced()?;
    let found = finding(fact, view).and_then(Finding::layer);
    let losses = (1..=traced.without_block.len()).filter_map(|at| Some((at, drop_at(traced, Part::Block, at)?)));
    let most = || losses.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|best| best.0);
    found.or_else(most)
}

/// What other layers still restore when the dominant one is removed, in a sentence; `None` without a second pass.
pub fn redundancy(fact: &FactRecord, view: &MetricConvention) -> Option<String> {
    // Without an effect nothing can be restored.
    let traced = fact.validated()?;
    let (restored, lost) = fact_redundancy(traced, view.position)?;
    let ablated = traced.redundancy.get(&view.position)?.ablated;
    Some(format!(
        "Without layer {ablated} the answer loses {} on the clean prompt. With the subject hidden and layer {ablated} \
         removed, a clean state after another layer brings back {} at most.",
        words::number(lost),
        words::number(restored)
    ))
}

impl Layer {
    /// A layer of a traced fact; `None` when it was not traced, or has no such layer.
    pub fn of(fact: &FactRecord, view: &MetricConvention, layer: usize) -> Option<Self> {
        let traced = fact.traced()?;
        let of = traced.without_block.len();
        let at = layer.checked_sub(1).filter(|at| *at < of)?;
        let curve = sufficiency(traced, view.position);
        let [block, attention, mlp] =
            [Part::Block, Part::Attention, Part::Mlp].map(|part| drop_at(traced, part, layer));
        let values = vec![
            ("Gained by its clean state", curve.and_then(|curve| curve.get(at).copied())),
            ("Lost without the block", block),
            ("Lost without its attention", attention),
            ("Lost without its MLP", mlp),
        ];
        let both = attention.zip(mlp).filter(|(attention, mlp)| attention.abs() + mlp.abs() > 0.0);
        let mlp_share = both.map(|(attention, mlp)| mlp_ratio_of(attention, mlp));
        let split = match mlp_share {
            None => "Neither its attention nor its MLP changes the answer's probability.".into(),
            Some(share) => format!(
                "Of what its two halves change, {} % is the MLP's and {} % the attention's.",
                words::fixed(share * 100.0, 0),
                words::fixed((1.0 - share) * 100.0, 0)
            ),
        };
        let found = finding(fact, view).and_then(Finding::layer);
        let lens = LensChart::of(fact).map(|chart| chart.at(layer));
        Some(Self { layer, of, values, mlp_share, split, dominant: found == Some(layer), lens })
    }

    /// A value in words.
    pub fn words(value: Option<f64>) -> String {
        value.map_or("–".into(), words::signed)
    }

    /// Largest distance of a value from zero: full length of a bar.
    pub fn span(&self) -> f64 {
        self.values.iter().filter_map(|(_, value)| *value).map(f64::abs).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::record::{PatchPosition, RedundancyCurve};

    #[test]
    fn a_layer_is_told() {
        let record = sample::record();
        let (fact, view) = (&record.facts[0], MetricConvention::default());
        assert_eq!(first(fact, &view), Some(2));
        let Some(layer) = Layer::of(fact, &view, 2) else { panic!("the fact has a second layer") };
        assert!(layer.dominant && layer.of == 4 && layer.lens.is_none());
        let said: Vec<String> = layer.values.iter().map(|(_, value)| Layer::words(*value)).collect();
        assert_eq!(said, ["+0.5000", "+0.4000", "+0.1000", "−0.0500"]);
        assert!(layer.split.contains("33 % is the MLP's and 67 % the attention's"), "{}", layer.split);
        assert!((layer.span() - 0.5).abs() < 1e-6);
    }

    #[test]
    fn redundancy_is_told_where_it_was_measured() {
        let mut fact = sample::record().facts.swap_remove(0);
        assert_eq!(redundancy(&fact, &MetricConvention::default()), None);
        if let Some(traced) = fact.traced_mut() {
            let curve = RedundancyCurve { ablated: 2, patched: vec![Some(0.3), None, Some(0.2), Some(0.1)] };
            traced.redundancy.insert(PatchPosition::SubjectLast, curve);
        }
        let said = redundancy(&fact, &MetricConvention::default()).unwrap_or_default();
        assert!(said.starts_with("Without layer 2 the answer loses 0.4000"), "{said}");
        assert!(said.ends_with("brings back 0.2000 at most."), "{said}");
    }

    #[test]
    fn what_is_missing_is_a_dash() {
        let record = sample::record();
        let view = MetricConvention::default().with_position(PatchPosition::SameIndex);
        let Some(layer) = Layer::of(&record.facts[0], &view, 4) else { panic!("the fact has a fourth layer") };
        assert_eq!(Layer::words(layer.values[0].1), "–");
        assert!(layer.split.contains("100 %"), "{}", layer.split);
        assert_eq!(first(&record.facts[2], &MetricConvention::default()), Some(1), "not localized: the largest loss");
        for none in [0, 5] {
            assert!(Layer::of(&record.facts[0], &MetricConvention::default(), none).is_none());
        }
        assert!(Layer::of(&record.facts[1], &MetricConvention::default(), 1).is_none());
    }
}
