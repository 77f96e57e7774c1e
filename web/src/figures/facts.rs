//! The list of facts: each with what became of it.

use super::finding;
use crate::words;
use engram_core::metrics::MetricConvention;
use engram_core::record::{FactRecord, Outcome, Record};

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `order` of the fact, by which it is chosen.
    pub order: usize,
    /// Prompt.
    pub prompt: String,
    /// True answer.
    pub answer: String,
    /// It passed both filters and was traced.
    pub validated: bool,
    /// Its layer, or why it fell out.
    pub outcome: String,
    /// It was edited too.
    pub edited: bool,
}

/// Which facts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// Those that passed both filters and were traced.
    #[default]
    Validated,
    /// Those that were edited.
    Edited,
    /// Those that a filter drops.
    Dropped,
    /// All.
    All,
}

impl Which {
    /// All choices, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Validated, Self::Edited, Self::Dropped, Self::All];

    /// Its name on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validated => "validated",
            Self::Edited => "edited",
            Self::Dropped => "dropped",
            Self::All => "all",
        }
    }

    fn holds(self, row: &Row) -> bool {
        match self {
            Self::Validated => row.validated,
            Self::Edited => row.edited,
            Self::Dropped => !row.validated,
            Self::All => true,
        }
    }
}

/// All facts of a record, in study order.
pub fn rows(record: &Record, view: &MetricConvention) -> Vec<Row> {
    let edited = |order| record.edits.iter().flatten().any(|edit| edit.fact == order);
    let row = |fact: &FactRecord| Row {
        order: fact.order,
        prompt: words::visible(&fact.prompt),
        answer: words::visible(&fact.target_true),
        validated: fact.validated().is_some(),
        outcome: outcome(fact, view),
        edited: edited(fact.order),
    };
    record.facts.iter().map(row).collect()
}

/// What became of a fact, in a few words.
pub fn outcome(fact: &FactRecord, view: &MetricConvention) -> String {
    match &fact.outcome {
        Outcome::Dropped(dropped) => words::reason(dropped.reason).into(),
        _ => finding::short(fact, view),
    }
}

/// The rows that are chosen and contain every word of a text, ignoring case.
pub fn chosen(rows: &[Row], which: Which, text: &str) -> Vec<Row> {
    let wanted: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let holds = |row: &&Row| {
        let text = format!("{} {} {}", row.prompt, row.answer, row.outcome).to_lowercase();
        which.holds(row) && wanted.iter().all(|word| text.contains(word))
    };
    rows.iter().filter(holds).cloned().collect()
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
    fn every_fact_has_a_line_and_its_reason() {
        let rows = rows(&sample::record(), &MetricConvention::default());
        let outcomes: Vec<&str> = rows.iter().map(|row| row.outcome.as_str()).collect();
        assert_eq!(outcomes, ["layer 2", "not known: greedy decoding gives another answer", "not localized"]);
        assert_eq!(chosen(&rows, Which::Validated, "").len(), 2);
        assert_eq!(chosen(&rows, Which::Dropped, "").len(), 1);
        assert_eq!(chosen(&rows, Which::Edited, "").len(), 1);
        assert_eq!(chosen(&rows, Which::All, "PARIS france").len(), 1);
        assert!(chosen(&rows, Which::All, "nowhere").is_empty());
    }

    #[test]
    fn prompts_show_their_subject() {
        let mut fact = sample::record().facts.swap_remove(0);
        assert_eq!(parts(&fact), ["The capital of ", "France", " is"]);
        fact.subject = "Spain".into();
        assert_eq!(parts(&fact), ["The capital of France is", "", ""]);
    }
}
