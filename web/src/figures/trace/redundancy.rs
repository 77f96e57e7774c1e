//! What other layers still restore when a fact's own layer is removed.

use crate::words;
use engram_core::metrics::{MetricConvention, fact_redundancy};
use engram_core::record::FactRecord;

/// It in a sentence; `None` without a second pass.
pub fn redundancy(fact: &FactRecord, view: &MetricConvention) -> Option<String> {
    // Without an effect nothing can be restored.
    let traced = fact.validated()?;
    let (restored, lost) = fact_redundancy(traced, view.position)?;
    let ablated = traced.redundancy.get(&view.position)?.ablated;
    let points = |p: f64| format!("{} points", words::fixed(100.0 * p, 1));
    Some(format!(
        "Redundancy: removing layer {ablated} costs {} in the clean run. In the corrupted run without layer {ablated}, another \
         layer’s clean state restores up to {}; one of a later layer brings what layer {ablated} had written.",
        points(lost),
        points(restored)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::record::{PatchPosition, RedundancyCurve};

    #[test]
    fn redundancy_is_told_where_it_was_measured() {
        let mut fact = sample::record().facts.swap_remove(0);
        assert_eq!(redundancy(&fact, &MetricConvention::default()), None);
        if let Some(traced) = fact.traced_mut() {
            let curve = RedundancyCurve { ablated: 2, patched: vec![Some(0.3), None, Some(0.2), Some(0.1)] };
            traced.redundancy.insert(PatchPosition::SubjectLast, curve);
        }
        let said = redundancy(&fact, &MetricConvention::default()).unwrap_or_default();
        assert!(said.starts_with("Redundancy: removing layer 2 costs 40.0 points"), "{said}");
        assert!(said.contains("restores up to 20.0 points; one of a later layer"), "{said}");
    }
}
