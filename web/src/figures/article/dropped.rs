//! Facts that the studies excluded, and why: a row per model and reason, with the threshold that decided.

use super::finding::share;
use super::{Article, Study};
use crate::words;
use engram_core::metrics::Share;
use engram_core::record::{Reason, Settings};
use std::collections::BTreeMap;

/// Facts that one study excluded for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The study's name.
    pub model: String,
    /// The reason.
    pub reason: Reason,
    /// How many, out of the screened facts.
    pub share: Share,
    /// The reason in a sentence, with the threshold from the settings.
    pub why: String,
}

/// A row per study and reason, the most frequent reason first.
pub fn rows(article: &Article<'_>) -> Vec<Row> {
    article.studies.iter().flat_map(of_study).collect()
}

fn of_study(study: &Study<'_>) -> Vec<Row> {
    let mut reasons: Vec<(Reason, usize)> =
        study.summary.dropped.iter().map(|(reason, count)| (*reason, *count)).collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let row = |(reason, count): (Reason, usize)| {
        Some(Row {
            model: study.name.clone(),
            reason,
            share: Share::new(count, study.summary.screened)?,
            why: why(reason, &study.record.settings),
        })
    };
    reasons.into_iter().filter_map(row).collect()
}

/// Why facts are excluded for a reason, with the threshold of these settings.
pub fn why(reason: Reason, settings: &Settings) -> String {
    let threshold = match reason {
        Reason::NotSensitive => format!(" (p_clean − p_corrupt below {})", settings.min_effect),
        Reason::TooLong => format!(" (more than {} tokens)", settings.max_tokens),
        _ => String::new(),
    };
    words::sentence(&format!("{}{threshold}", words::reason(reason)))
}

/// What was excluded, in a sentence: over all studies, by reason.
pub fn sentence(article: &Article<'_>) -> String {
    let screened: usize = article.studies.iter().map(|study| study.summary.screened).sum();
    let mut counts: BTreeMap<Reason, usize> = BTreeMap::new();
    for (reason, count) in article.studies.iter().flat_map(|study| &study.summary.dropped) {
        *counts.entry(*reason).or_default() += count;
    }
    let Some(all) = Share::new(counts.values().sum(), screened) else { return "No fact was screened.".into() };
    let counts: Vec<String> = counts.iter().map(|(reason, count)| format!("{} {count}", reason.name())).collect();
    let reasons = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    format!("Excluded: {} screened facts{reasons}.", share(&all))
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{Dropped, FactRecord, Outcome, Record};

    fn record() -> Record {
        let mut record = sample::record();
        let (detail, reason) = ("p falls by 0.02 only".into(), Reason::NotSensitive);
        let dropped = Dropped { reason, detail, p_clean: Some(0.30), p_corrupt: Some(0.28) };
        let template = record.facts[1].clone();
        let fact = |order| FactRecord { order, outcome: Outcome::Dropped(dropped.clone()), ..template.clone() };
        record.facts.extend((3..8).map(fact));
        record
    }

    #[test]
    fn reasons_come_with_thresholds_and_numbers() {
        let mut records = [record()];
        records[0].settings.min_effect = 0.1;
        let found = rows(&Article::new(&records, &MetricConvention::default()));
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].reason, found[0].share.count, found[0].share.of), (Reason::NotSensitive, 5, 8));
        assert!(found[0].why.contains("below 0.1)"), "{}", found[0].why);
        records[0].settings.max_tokens = 77;
        assert!(why(Reason::TooLong, &records[0].settings).contains("more than 77 tokens"));
    }

    #[test]
    fn the_sentence_counts() {
        let said = |records: &[Record]| sentence(&Article::new(records, &MetricConvention::default()));
        assert_eq!(
            said(&[record(), sample::record()]),
            "Excluded: 7 of 11 (63.6 %) screened facts: not-known 2, not-sensitive 5."
        );
        let mut whole = sample::record();
        whole.facts.remove(1);
        assert_eq!(said(&[whole]), "Excluded: 0 of 2 (0.0 %) screened facts.");
        assert_eq!(said(&[]), "No fact was screened.");
    }
}
