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
pub fn parts(prompt: &str, subject: &str) -> [String; 3] {
    let found = prompt.split_once(subject).filter(|_| !subject.is_empty());
    let [before, subject, after] = found.map_or([prompt, "", ""], |(before, after)| [before, subject, after]);
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
        let prompt = "The capital of France is";
        assert_eq!(parts(prompt, "France"), ["The capital of ", "France", " is"]);
        assert_eq!(parts(prompt, "Spain"), [prompt, "", ""]);
        assert_eq!(parts(prompt, ""), [prompt, "", ""]);
    }
}
