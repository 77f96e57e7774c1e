//! The finding of each figure and table, and of the article as a whole. What follows from a definition is told as that.

mod edits;
mod further;
mod layers;
mod maps;
mod panels;

use super::finding::{Finding, share};
use super::{Article, Study, studies};
use crate::figures::roles;
use engram_core::metrics::{Share, matched, restrict};
use engram_core::record::{PatchPosition, Record};
use std::collections::BTreeMap;

/// Captions by the place of their figure, table or section in addresses.
pub fn captions(article: &Article<'_>) -> BTreeMap<String, Finding> {
    let pairs: Vec<(String, &Record)> =
        article.studies.iter().map(|study| (study.name.clone(), study.record)).collect();
    let all = [
        ("figure-1", roles::finding(&pairs)),
        ("figure-2", Some(layers::sufficiency(article))),
        ("figure-3", Some(layers::second_position(article))),
        ("figure-a", Some(layers::dominant_layers(article))),
        ("figure-b", Some(layers::ablations(article))),
        (
            "figure-c",
            Some(Finding::note("The largest mark of a curve is its l*. Error bars: standard error of the mean.")),
        ),
        ("figure-4", Some(panels::panels(article))),
        ("figure-5", Some(edits::by_depth(article))),
        ("figure-6", Some(edits::both_answers(article))),
        ("figure-d", Some(maps::maps(article))),
        ("figure-e", Some(further::by_layer(article))),
        ("figure-f", Some(further::dots(article))),
        ("figure-g", Some(further::sequence_figure())),
        ("figure-h", Some(further::retrace_figure(article))),
        ("figure-i", Some(edited_maps())),
        ("retrace", further::retrace(article)),
        ("prediction", further::prediction(article)),
        ("sequence", further::sequences(article)),
        ("table-1", Some(counts(article))),
        ("table-4", edits::table(article)),
        ("table-5", matched_subset(article)),
        ("table-6", edits::verdicts(article)),
    ];
    all.into_iter().filter_map(|(place, finding)| Some((place.to_owned(), finding?))).collect()
}

fn edited_maps() -> Finding {
    Finding::note(
        "The first edited fact of each study that has maps. A cell: p_patch − p_corrupt with the clean residual stream restored there; \
         the three maps of an answer have one scale around zero.",
    )
}

/// The abstract: three to six findings.
pub fn headline(article: &Article<'_>) -> Vec<Finding> {
    let r = article.studies.iter().any(|study| study.summary.redundancy.is_some());
    let all = [
        Some(layers::dominant_layers(article)),
        second(article),
        (r && article.view.position != PatchPosition::LastToken).then(|| redundancy(article)),
        edits::headline(article),
        further::retrace(article),
        further::prediction(article),
        further::sequences(article),
    ];
    let mut lines: Vec<Finding> = all.into_iter().flatten().collect();
    if lines.len() < 3 {
        lines.push(layers::ablations(article));
    }
    if lines.len() < 3 {
        lines.insert(0, counts(article));
    }
    lines.truncate(6);
    lines
}

/// l* at the second patch position.
fn second(article: &Article<'_>) -> Option<Finding> {
    let (position, studies) = article.other.as_ref()?;
    let one = |study: &Study<'_>| {
        let layer = study.summary.l_star?;
        Some(format!("Under {}, l* is layer {layer} of {}.", position.name(), study.summary.layers))
    };
    Finding::of(studies, one).if_said().map(|finding| finding.with(layers::by_definition(*position)))
}

fn redundancy(article: &Article<'_>) -> Finding {
    let one = |study: &Study<'_>| Some(format!("{}.", panels::redundancy(study)));
    Finding::of(&article.studies, one)
        .with("R: share of the loss from ablating l* that a clean state of another layer restores.")
}

/// Table 1: facts that passed both filters.
pub(super) fn counts(article: &Article<'_>) -> Finding {
    let one = |study: &Study<'_>| {
        let (found, wanted) = (&study.summary, study.record.settings.n);
        let Some(kept) = Share::new(found.validated, found.screened) else {
            return Some("No fact was screened.".into());
        };
        let requested = match found.validated < wanted {
            true => format!("{wanted} were requested"),
            false => {
                format!("the study stopped at the requested {wanted}, so density does not count what the model knows")
            }
        };
        Some(format!("{} screened facts passed both filters; {requested}.", share(&kept)))
    };
    Finding::of(&article.studies, one)
}

/// Table 5: l* over the facts that all studies validated; `None` of a single study.
fn matched_subset(article: &Article<'_>) -> Option<Finding> {
    if article.studies.len() < 2 {
        return None;
    }
    let ids = matched(article.records);
    if ids.is_empty() {
        return Some(Finding::note("No fact was validated by every study: they are compared on different facts."));
    }
    let subset: Vec<Record> = article.records.iter().map(|record| restrict(record, &ids)).collect();
    let layer = |study: &Study<'_>| study.summary.l_star.map_or("none".to_owned(), |layer| format!("layer {layer}"));
    let part: BTreeMap<String, String> =
        studies(&subset, &article.view).iter().map(|study| (study.name.clone(), layer(study))).collect();
    let one = |study: &Study<'_>| {
        Some(format!("l* on these facts: {}; on all facts of the study: {}.", part.get(&study.name)?, layer(study)))
    };
    let note = format!("Facts that every study validated: {}.", ids.len());
    Some(Finding::of(&article.studies, one).with(note))
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use crate::figures::article::finding::tests::{begins, has};
    use engram_core::metrics::MetricConvention;
    use engram_core::record::RedundancyCurve;

    fn said(records: &[Record], view: &MetricConvention) -> Vec<String> {
        headline(&Article::new(records, view)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_abstract_changes_with_the_numbers() {
        let view = MetricConvention::default();
        let mut record = sample::study("a", PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1], &[0.5, 0.2, 0.1]]);
        let lines = said(std::slice::from_ref(&record), &view);
        begins(&lines[0], "2 of 2 (100.0 %) screened facts passed both filters; 100 were requested.");
        has(&lines[1], "l* is layer 1 of 3");
        begins(&lines[2], "Ablating block");
        record.settings.positions.push(PatchPosition::LastToken);
        sample::each(&mut record, |traced| {
            traced.patched.insert(PatchPosition::LastToken, vec![0.1, 0.2, 0.9]);
            let patched = vec![None, Some(0.2), Some(0.15)];
            traced.redundancy.insert(PatchPosition::SubjectLast, RedundancyCurve { ablated: 1, patched });
        });
        sample::edited(&mut record, 1, &[[0.2, 0.5], [0.9, 0.01]]);
        let lines = said(std::slice::from_ref(&record), &view);
        begins(&lines[1], "Under last-token, l* is layer 3 of 3. By definition");
        begins(&lines[2], "R = 0.333 (n = 2). R: share");
        has(&lines[3], "1 of 2 (50.0 %) edits succeed by the paper's criterion");
        sample::each(&mut record, |traced| traced.without_block[0] = 0.89);
        assert!(said(std::slice::from_ref(&record), &view)[2].starts_with("R is clipped at 1 and uninformative here."));
        let lines = said(&[record], &view.with_position(PatchPosition::LastToken));
        assert!(
            lines[0].ends_with("gives the clean answer.") && lines.iter().all(|line| !line.contains("R =")),
            "{lines:?}"
        );
        let mut none = sample::record();
        none.facts.retain(|fact| fact.traced().is_none());
        none.edits = None;
        let lines = said(&[none], &view);
        begins(&lines[0], "0 of 1 (0.0 %)");
        begins(&lines[2], "No block was ablated");
        let lines = said(&[sample::swept("a")], &view);
        assert!(lines.last().is_some_and(|line| line.contains("causal tracing")) && lines.len() <= 6, "{lines:?}");
    }

    #[test]
    fn tables_have_their_findings() {
        let of = |records: &[Record], place: &str| {
            captions(&Article::new(records, &MetricConvention::default())).get(place).map(ToString::to_string)
        };
        let (early, late): (&[f32], &[f32]) = (&[0.5, 0.2, 0.1], &[0.2, 0.5, 0.1]);
        let a = sample::study("a", PatchPosition::SubjectLast, &[early, late, late]);
        assert_eq!(of(std::slice::from_ref(&a), "table-5"), None);
        let moved = of(&[a.clone(), sample::study("b", PatchPosition::SubjectLast, &[early])], "table-5");
        let wanted = "a: l* on these facts: layer 1; on all facts of the study: layer 2. b: l* on these facts: layer 1; on all facts of \
                      the study: layer 1. Facts that every study validated: 1.";
        assert_eq!(moved.as_deref(), Some(wanted));
        let mut other = a.clone();
        other.facts.iter_mut().for_each(|fact| fact.prompt.push('x'));
        assert!(
            of(&[a, other], "table-5").is_some_and(|told| told.starts_with("No fact was validated by every study"))
        );
        let mut one = sample::record();
        one.settings.n = 2;
        assert!(of(&[one], "table-1").is_some_and(|told| told.contains("stopped at the requested 2, so density")));
    }
}
