//! A fact in a few words: what became of it, and its prompt around its subject.

use super::finding;
use crate::words;
use engram_core::metrics::MetricConvention;
use engram_core::record::{FactRecord, Outcome};

/// What became of a fact, in a few words.
pub fn outcome(fact: &FactRecord, view: &MetricConvention) -> String {
    match &fact.outcome {
        Outcome::Dropped(dropped) => words::reason(dropped.reason).into(),
        _ => finding::short(fact, view),
    }
}

/// A prompt in three parts: before the subject, the subject, after it. The subject is empty where the prompt does not
/// contain it.
pub fn parts(fact: &FactRecord) -> [String; 3] {
    let (before, subject, after) = match fact.prompt.split_once(&fact.subject).filter(|_| !fact.subject.is_empty()) {
        Some((before, after)) => (before, fact.subject.as_str(), after),
        None => (fact.prompt.as_str(), "", ""),
    };
    [before, subject, after].map(words::visible)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_fact_has_its_outcome() {
        let record = sample::record();
        let outcomes: Vec<String> =
            record.facts.iter().map(|fact| outcome(fact, &MetricConvention::default())).collect();
        assert_eq!(outcomes, ["layer 2", "not known: greedy decoding gives another answer", "not localized"]);
    }

    #[test]
    fn prompts_show_their_subject() {
        let mut fact = sample::record().facts.swap_remove(0);
        assert_eq!(parts(&fact), ["The capital of ", "France", " is"]);
        fact.subject = "Spain".into();
        assert_eq!(parts(&fact), ["The capital of France is", "", ""]);
    }
}
