//! Edits one after the other: what became of the model.

use super::super::Article;
use crate::figures::sequence::{is_sequence, titled};
use engram_core::metrics::{BROKEN_FACTS, BROKEN_TEXT, SequenceSummary, sequence_summaries};

/// A paragraph a sequence; one that says why there is none, where a study of sequences found nothing to edit or was stopped.
pub fn answers(article: &Article<'_>) -> Vec<String> {
    let named = article.studies.iter().map(|study| (study.name.as_str(), study.record));
    let one = |(name, record)| {
        let several = article.studies.len() > 1;
        let layers = |all: &[SequenceSummary]| all.iter().any(|one| one.layer != all[0].layer);
        let all = sequence_summaries(record);
        let titled = several || layers(&all);
        let told = move |one: SequenceSummary| {
            let said = one.sentence()?;
            // The method stands in both.
            Some(if titled { format!("{}. {said}", self::titled(name, &one)) } else { said })
        };
        all.into_iter().filter_map(told).collect::<Vec<_>>()
    };
    let told: Vec<String> = named.flat_map(one).collect();
    if told.is_empty() && article.records.iter().any(is_sequence) {
        return vec!["No sequence has come to its first checkpoint.".into()];
    }
    told
}

/// The first of them, for the abstract.
pub(super) fn headline(article: &Article<'_>) -> Option<String> {
    answers(article).into_iter().next()
}

/// The figure.
pub fn figure() -> String {
    format!(
        "Means over all edits in force, measured with the later ones in place. A model counts as collapsed where its \
         perplexity is above {BROKEN_TEXT} times that of the unedited one, or where fewer than {BROKEN_FACTS} of the facts that \
         nobody edited are kept."
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;

    #[test]
    fn sequences_are_told() {
        let record = sample::edited_in_turn("a");
        let both = [record.clone(), sample::edited_in_turn("b")];
        let view = MetricConvention::default();
        let told = answers(&Article::new(std::slice::from_ref(&record), &view));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("ROME, 4 edits one after the other: ES ") && told[0].contains("collapsed"),
            "{told:?}"
        );
        assert!(
            told[0].contains("1 of 4 facts that nobody edited are kept, perplexity goes from 20.0 to 60.0"),
            "{told:?}"
        );
        let told = answers(&Article::new(&both, &view));
        assert!(told.len() == 2 && told[1].starts_with("b, ROME, layer 2. ROME, 4 edits"), "{told:?}");
        let mut begun = record;
        begun.sequences[0].checkpoints.clear();
        assert_eq!(answers(&Article::new(&[begun], &view)), ["No sequence has come to its first checkpoint."]);
        assert_eq!(answers(&Article::new(&[sample::record()], &view)), Vec::<String>::new());
    }
}
