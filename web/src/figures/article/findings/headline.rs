//! The article's abstract: three to six sentences, each from the numbers.

use super::super::{Article, say};
use super::redundancy::{Clip, clip};
use super::{At, edits, layers, places, prediction, retrace, sequence};
use crate::words;
use engram_core::metrics::Redundancy;
use engram_core::record::PatchPosition;

/// Three to six sentences.
pub fn headline(article: &Article<'_>) -> Vec<String> {
    let mut lines = vec![passed(article)];
    lines.push(first(article));
    lines.extend(second(article));
    lines.extend(redundancy(article));
    lines.extend(editing(article));
    lines.extend(retrace::headline(article));
    lines.extend(prediction::headline(article));
    lines.extend(sequence::headline(article));
    if lines.len() < 3 {
        lines
            .push(super::ablations::ablations(article).split_inclusive(". ").take(2).collect::<String>().trim().into());
    }
    lines.retain(|line| !line.is_empty());
    lines.truncate(6);
    lines
}

fn passed(article: &Article<'_>) -> String {
    let range = |of: &dyn Fn(&super::Study<'_>) -> usize| {
        say::range(article.studies.iter().map(|study| of(study) as f64), |count| words::fixed(count, 0))
    };
    let passed: usize = article.studies.iter().map(|study| study.summary.validated).sum();
    let screened: usize = article.studies.iter().map(|study| study.summary.screened).sum();
    match (screened, passed, article.studies.len()) {
        (0, _, _) => "No fact was screened.".into(),
        (all, 0, _) => {
            format!("None of {} is known to its model and depends on its subject.", words::count(all, "screened fact"))
        }
        (all, kept, 1) => {
            let (are, depend) = if kept == 1 { ("is", "depends") } else { ("are", "depend") };
            format!(
                "Of {}, {kept} {are} known to the model and {depend} on the subject: corrupting it lowers the answer's \
                 probability.",
                words::count(all, "screened fact")
            )
        }
        _ => format!(
            "Of {} facts screened in each of {} {}, {} are known to the model and depend on the subject: corrupting \
             it lowers the answer's probability.",
            range(&|study| study.summary.screened),
            say::small(article.studies.len()),
            article.noun(),
            range(&|study| study.summary.validated)
        ),
    }
}

/// Where l* is at the article's patch position, with the share of what is not localized.
fn first(article: &Article<'_>) -> String {
    let told = layers::dominant(article);
    if article.view.position == PatchPosition::LastToken
        && article.studies.iter().any(|study| study.summary.l_star.is_some())
    {
        return format!("{} The last layer restores the answer by definition.", start(&told, 2));
    }
    let mut said = start(&told, 2);
    if article.studies.iter().any(|study| study.summary.l_star.is_some()) {
        for more in [layers::no_peak(article), layers::not_localized(article)].into_iter().flatten() {
            said = format!("{said} {more}");
        }
    }
    said
}

/// The first sentences of a text. A sentence ends with a full stop and a space; numbers have no space after theirs.
fn start(text: &str, sentences: usize) -> String {
    text.split_inclusive(". ").take(sentences).collect::<String>().trim().to_owned()
}

/// Whether the second patch position agrees.
fn second(article: &Article<'_>) -> Option<String> {
    let (position, studies) = article.other.as_ref()?;
    let pairs: Vec<_> = article
        .studies
        .iter()
        .zip(studies)
        .filter_map(|(one, two)| Some((one.summary.l_star?, two.summary.l_star?, two)))
        .collect();
    let moved: Vec<At<'_>> = pairs
        .iter()
        .filter(|(one, two, _)| one != two)
        .map(|(_, two, study)| At { name: &study.name, layer: *two, layers: study.summary.layers })
        .collect();
    let identity = match position {
        PatchPosition::LastToken => " There the last layer restores the answer by definition.",
        _ => "",
    };
    match (pairs.len(), moved.len()) {
        (0, _) => None,
        (_, 0) => Some(format!("Under {} l* is the same.{identity}", position.name())),
        (all, some) if all == some => Some(format!(
            "The patch position matters: under {} l* is {}.{identity}",
            position.name(),
            places(article, &moved)
        )),
        _ => Some(format!(
            "Under {} l* is another layer in part: {}.{identity}",
            position.name(),
            places(article, &moved)
        )),
    }
}

/// R, where it is a measure.
fn redundancy(article: &Article<'_>) -> Option<String> {
    if article.view.position == PatchPosition::LastToken {
        return None;
    }
    let found: Vec<_> = article.studies.iter().filter_map(|study| Some((study, study.summary.redundancy?))).collect();
    let (fair, clipped): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, found)| clip(found) == Clip::No);
    let values = say::range(fair.iter().map(|(_, found)| found.r.mean), |r| words::fixed(r, 3));
    let names = |of: &[(&super::Study<'_>, Redundancy)]| of.iter().map(|one| one.0.name.clone()).collect::<Vec<_>>();
    match (fair.len(), clipped.len()) {
        (0, 0) => None,
        (0, _) => Some("R is clipped wherever it was measured, so it says nothing about redundancy here.".into()),
        (_, 0) => Some(format!(
            "With l* ablated, another layer's clean state restores a share R of {values} of what l* carries."
        )),
        _ => Some(format!(
            "With l* ablated, another layer's clean state restores a share R of {values} in {}; in {} R is clipped \
             and not a measure.",
            article.who(&names(&fair)),
            article.who(&names(&clipped))
        )),
    }
}

fn editing(article: &Article<'_>) -> Option<String> {
    let verdicts = edits::verdicts(article)?;
    Some(super::joined([Some(verdicts), edits::success(article), edits::side_effects(article)]))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{Record, RedundancyCurve};

    fn said(records: &[Record], view: &MetricConvention) -> Vec<String> {
        headline(&Article::new(records, view))
    }

    #[test]
    fn it_changes_with_the_numbers() {
        let mut record = sample::study("a", PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1], &[0.5, 0.2, 0.1]]);
        let lines = said(std::slice::from_ref(&record), &MetricConvention::default());
        assert!(
            lines[0].starts_with("Of 2 screened facts, 2 are known to the model and depend on the subject"),
            "{lines:?}"
        );
        assert!(
            lines[1].starts_with("Under subject-last the most frequent dominant layer l* is layer 1 of 3."),
            "{lines:?}"
        );
        assert!((3..=5).contains(&lines.len()), "{lines:?}");
        record.settings.positions.push(PatchPosition::LastToken);
        sample::each(&mut record, |traced| {
            traced.patched.insert(PatchPosition::LastToken, vec![0.1, 0.2, 0.9]);
            let patched = vec![None, Some(0.2), Some(0.15)];
            traced.redundancy.insert(PatchPosition::SubjectLast, RedundancyCurve { ablated: 1, patched });
        });
        sample::edited(&mut record, 1, &[[0.2, 0.5], [0.9, 0.01]]);
        let lines = said(std::slice::from_ref(&record), &MetricConvention::default());
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines[2].starts_with("The patch position matters: under last-token l* is layer 3 of 3."), "{lines:?}");
        assert!(lines[3].contains("a share R of 0.333"), "{lines:?}");
        assert!(lines[4].contains("1 of 2 (50.0 %) edits succeed by the paper's criterion. Unrelated"), "{lines:?}");
        sample::each(&mut record, |traced| {
            traced.without_block[0] = 0.95;
            traced.patched.insert(PatchPosition::LastToken, vec![0.95, 0.2, 0.9]);
        });
        let lines = said(std::slice::from_ref(&record), &MetricConvention::default());
        assert!(lines[2].starts_with("Under last-token l* is the same."), "{lines:?}");
        assert!(lines[3].starts_with("R is clipped wherever it was measured"), "{lines:?}");
        let lines = said(&[record], &MetricConvention::default().with_position(PatchPosition::LastToken));
        assert!(lines[1].ends_with("by definition.") && lines.iter().all(|line| !line.contains(" R ")), "{lines:?}");
    }

    #[test]
    fn whether_tracing_predicts_edits_comes_last() {
        let lines = said(&[sample::swept("a")], &MetricConvention::default());
        assert!(
            lines.last().is_some_and(|line| line.starts_with("ROME: causal tracing was asked about too few facts")),
            "{lines:?}"
        );
        assert!(lines.len() <= 6, "{lines:?}");
    }

    #[test]
    fn nothing_is_claimed_of_nothing() {
        let mut record = sample::record();
        record.facts.retain(|fact| fact.traced().is_none());
        record.edits = None;
        let lines = said(&[record], &MetricConvention::default());
        assert_eq!(lines[0], "None of 1 screened fact is known to its model and depends on its subject.");
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[2], "No fact was traced, so no block was ablated.");
    }
}
