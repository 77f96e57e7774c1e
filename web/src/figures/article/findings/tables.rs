//! Tables 1 to 4 in a sentence each, and the subset of facts that all studies validated.

use super::super::{Article, say, studies};
use super::{edits, joined, layers, panels};
use crate::words;
use engram_core::metrics::{Share, matched, restrict};
use engram_core::record::Record;

/// Table 1: models and facts.
pub fn table1(article: &Article<'_>) -> String {
    let shares: Vec<Share> = article
        .studies
        .iter()
        .filter_map(|study| Share::new(study.summary.validated, study.summary.screened))
        .collect();
    let kept = match shares.as_slice() {
        [] => return "No fact was screened.".into(),
        [one] => format!("{} screened facts passed both filters.", say::share(one)),
        several => format!(
            "{} of the screened facts passed both filters.",
            say::range(several.iter().map(|share| share.share), say::percent)
        ),
    };
    let short = super::those(&article.studies, |study| study.summary.validated < study.record.settings.n);
    let short =
        (!short.is_empty()).then(|| format!("In {} fewer facts passed than were requested.", article.who(&short)));
    let stopped = article.studies.iter().any(|study| study.summary.validated == study.record.settings.n);
    let stopped = stopped.then(|| {
        "A study stops at the requested number of facts, so density counts what was requested, not what a model knows."
            .to_owned()
    });
    joined([Some(kept), short, stopped])
}

/// Table 2: localization.
pub fn table2(article: &Article<'_>) -> String {
    let c = |value: f64| words::fixed(value, 3);
    let one = |position: &str, studies: &[super::Study<'_>]| {
        let shares = studies.iter().filter_map(|study| study.summary.at_l_star).map(|share| share.share);
        let spread = studies.iter().filter_map(|study| study.summary.concentration).map(|found| found.c);
        let (share, spread) = (say::range(shares, say::percent), say::range(spread, c));
        (!share.is_empty()).then(|| format!("under {position} l* holds {share} of the localized facts (C = {spread})"))
    };
    let first = one(article.view.position.name(), &article.studies);
    let second = article.other.as_ref().and_then(|(position, studies)| one(position.name(), studies));
    let both: Vec<String> = [first, second].into_iter().flatten().collect();
    if both.is_empty() {
        return "No fact is localized at any patch position.".into();
    }
    joined([Some(format!("{}.", say::capital(&both.join(", ")))), layers::not_localized(article)])
}

/// Table 3: mechanism and compression.
pub fn table3(article: &Article<'_>) -> String {
    let [_, ratio, r, necessity, ..] = panels::panels(article);
    let first = |text: String| text.split_once(". ").map_or(text.clone(), |(first, _)| format!("{first}."));
    joined([Some(first(necessity)), Some(first(ratio)), Some(first(r))])
}

/// Table 4: editing; `None` where no study has Stage 3.
pub fn table4(article: &Article<'_>) -> Option<String> {
    article.records.iter().any(|record| record.edits.is_some()).then(|| match edits::success(article) {
        Some(success) => joined([Some(success), edits::side_effects(article)]),
        None => edits::by_depth(article),
    })
}

/// Table 6: all measures together; `None` where no study has an edit.
pub fn table6(article: &Article<'_>) -> Option<String> {
    edits::verdicts(article)
}

/// The facts that all studies validated; `None` of a single study.
pub fn matched_subset(article: &Article<'_>) -> Option<String> {
    if article.studies.len() < 2 {
        return None;
    }
    let ids = matched(article.records);
    if ids.is_empty() {
        return Some(format!(
            "No fact was validated by {}, so they are compared on different facts.",
            article.who(&names(article))
        ));
    }
    let subset: Vec<Record> = article.records.iter().map(|record| restrict(record, &ids)).collect();
    let small = studies(&subset, &article.view);
    let moved: Vec<String> = article
        .studies
        .iter()
        .zip(&small)
        .filter(|(whole, part)| whole.summary.l_star != part.summary.l_star)
        .map(|(whole, part)| match (whole.summary.l_star, part.summary.l_star) {
            (Some(from), Some(to)) => format!("l* of {} moves from layer {from} to {to}", whole.name),
            (_, None) => format!("no fact of {} is localized", whole.name),
            (None, Some(to)) => format!("{} has its l* at layer {to}", whole.name),
        })
        .collect();
    let facts = words::count(ids.len(), "fact");
    let verb = if ids.len() == 1 { "was" } else { "were" };
    let all = format!("{facts} {verb} validated by {}.", article.who(&names(article)));
    Some(match moved.as_slice() {
        [] => format!("{all} On these alone every l* stays where it is."),
        moved => format!("{all} On these alone {}.", say::list(moved)),
    })
}

fn names<'a>(article: &'a Article<'_>) -> Vec<&'a str> {
    article.studies.iter().map(|study| study.name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::PatchPosition;

    fn said<T>(of: fn(&Article<'_>) -> T, records: &[Record]) -> T {
        of(&Article::new(records, &MetricConvention::default()))
    }

    fn subject(name: &str, curves: &[&[f32]]) -> Record {
        sample::study(name, PatchPosition::SubjectLast, curves)
    }

    #[test]
    fn tables_are_told() {
        let mut one = sample::record();
        let told = said(table1, std::slice::from_ref(&one));
        assert_eq!(
            told,
            "2 of 3 (66.7 %) screened facts passed both filters. In tiny fewer facts passed than were requested."
        );
        one.settings.n = 2;
        assert!(said(table1, std::slice::from_ref(&one)).contains("not what a model knows"));
        let told = said(table2, std::slice::from_ref(&one));
        assert!(told.starts_with("Under subject-last l* holds 100.0 % of the localized facts (C = 0.250)."), "{told}");
        assert!(told.contains("1 of 2 (50.0 %) facts are not localized"), "{told}");
        let told = said(table3, std::slice::from_ref(&one));
        assert!(told.starts_with("Ablating block l* costs probability."), "{told}");
        assert!(told.ends_with("no study has a second pass under subject-last."), "{told}");
        let told = said(table4, std::slice::from_ref(&one));
        assert!(
            told.is_some_and(|told| told.starts_with("The one edit succeeds by the paper's criterion. Unrelated")),
            "Table 4"
        );
        one.edits = None;
        assert_eq!(said(table4, &[one]), None);
        assert_eq!(said(table2, &[subject("a", &[&[0.05, 0.1]])]), "No fact is localized at any patch position.");
    }

    #[test]
    fn the_matched_subset_is_compared() {
        let (early, late): (&[f32], &[f32]) = (&[0.5, 0.2, 0.1], &[0.2, 0.5, 0.1]);
        let a = subject("a", &[early, late, late]);
        assert_eq!(said(matched_subset, std::slice::from_ref(&a)), None);
        let same = said(matched_subset, &[a.clone(), a.clone()]).unwrap_or_default();
        assert_eq!(same, "3 facts were validated by both studies. On these alone every l* stays where it is.");
        let moved = said(matched_subset, &[a.clone(), subject("b", &[early])]).unwrap_or_default();
        assert_eq!(moved, "1 fact was validated by both models. On these alone l* of a moves from layer 2 to 1.");
        let mut other = subject("b", &[early]);
        other.facts[0].prompt = "Another".into();
        let none = said(matched_subset, &[a, other]).unwrap_or_default();
        assert!(none.starts_with("No fact was validated by both models"), "{none}");
    }
}
