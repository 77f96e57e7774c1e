//! Both answers traced again after edits.

use super::super::Article;
use crate::figures::retrace::is_retraced;
use engram_core::metrics::retrace_summaries;
use engram_core::record::PatchPosition;

/// A paragraph a study and method.
pub fn answers(article: &Article<'_>) -> Vec<String> {
    let one = |study: &super::Study<'_>| {
        let name = (article.studies.len() > 1).then(|| format!("{}: ", study.name));
        let all = retrace_summaries(study.record, &article.view).into_iter();
        let told = move |said: String| format!("{}{said}", name.clone().unwrap_or_default());
        all.filter_map(|found| found.sentence()).map(told).collect::<Vec<_>>()
    };
    article.studies.iter().flat_map(one).collect()
}

/// The first of them, for the abstract.
pub(super) fn headline(article: &Article<'_>) -> Option<String> {
    answers(article).into_iter().next()
}

/// The figure; nothing where no edit was traced again.
pub fn figure(article: &Article<'_>) -> String {
    if !article.records.iter().any(is_retraced) {
        return String::new();
    }
    let place = match article.view.position {
        PatchPosition::LastToken => "the last token",
        _ => "the subject's last token",
    };
    format!(
        "The clean residual stream of {place} put back into the corrupted run, layer by layer, with and without each fact's own \
         edit in force. The band is one standard error of the mean."
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;

    #[test]
    fn what_became_of_both_answers_is_told() {
        let view = MetricConvention::default();
        let both = [sample::retraced("a"), sample::retraced("b")];
        let told = answers(&Article::new(&both[..1], &view));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("ROME, 4 edits: the most that one clean state restores of the old answer goes from"),
            "{told:?}"
        );
        assert!(told[0].contains("of the new answer it is +0.700 (layer 3) after the edit"), "{told:?}");
        let told = answers(&Article::new(&both, &view));
        assert!(told.len() == 2 && told[1].starts_with("b: ROME, 4 edits"), "{told:?}");
        assert!(!figure(&Article::new(&both, &view)).is_empty());
        assert_eq!(answers(&Article::new(&[sample::record()], &view)), Vec::<String>::new());
    }
}
