//! The paper's Figure 4: metrics per model, one a panel, and redundancy against the models' size.

use super::scatter::{Axis, Dot, Scatter};
use super::study::Ending;
use crate::words;
use engram_core::metrics::{
    EPSILON, Mean, MetricConvention, Redundancy, RedundancyAggregate, Summary, shown_edits, summarize,
};
use engram_core::record::Record;

/// One index over all studies.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Its name.
    pub title: &'static str,
    /// What it is.
    pub about: &'static str,
    /// A row per study.
    pub rows: Vec<Row>,
    /// A value to hold against, with its meaning.
    pub line: Option<(f64, &'static str)>,
}

/// One study's value.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The study's name.
    pub name: String,
    /// The value; `None` when its facts do not define it.
    pub value: Option<f64>,
    /// Its standard error.
    pub sem: Option<f64>,
    /// The same in words.
    pub words: String,
}

/// How an index is read: value, standard error, facts.
type Read = fn(&Summary) -> Option<(f64, Option<f64>, usize)>;
/// A panel's title, meaning and line, and how its index is read.
type Index = (&'static str, &'static str, Option<(f64, &'static str)>, Read);

fn mean(found: Option<Mean>) -> Option<(f64, Option<f64>, usize)> {
    found.map(|mean| (mean.mean, mean.sem, mean.n))
}

const REDUNDANCY: &str = "Redundancy R";

const INDICES: [Index; 5] = [
    (
        "Concentration C",
        "Share of the layers that together hold more than 80 % of the localized facts. A fact is counted at its best layer, also where it has no peak: the paper's convention.",
        None,
        |s| s.concentration.map(|found| (found.c, None, s.distribution.localized())),
    ),
    (
        "MLP share r_MLP",
        "The MLP's share of what is lost at l*; above 0.5 the MLP matters more than attention.",
        Some((0.5, "0.5, both alike")),
        |s| mean(s.mlp_ratio),
    ),
    (REDUNDANCY, "The share of what ablating l* takes that another layer's patch restores.", None, |s| {
        mean(s.redundancy.map(|found| found.r))
    }),
    ("Necessity Δ_nec", "Probability lost by ablating block l*.", None, |s| mean(s.necessity)),
    (
        "At the last layer",
        "Share of the localized facts whose dominant layer is the last. A fact is counted at its best layer, also where it has no peak: the paper's convention.",
        None,
        |s| s.at_last.map(|share| (share.share, None, share.of)),
    ),
];

/// How R came about, where it was clipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clip {
    /// It was not.
    No,
    /// To 1: more is restored than the ablation takes.
    One,
    /// It is 0: the signs differ, or there is no gain.
    Zero,
    /// Both means are below zero: their quotient is no share of a loss.
    Meaningless,
}

/// How a study's R came to be clipped, from the means behind it.
pub fn clip(found: &Redundancy) -> Clip {
    let (restored, necessity) = (found.restored.mean, found.necessity.mean);
    match restored / (necessity + EPSILON) {
        _ if necessity < 0.0 && restored < 0.0 => Clip::Meaningless,
        quotient if !quotient.is_finite() || quotient <= 0.0 => Clip::Zero,
        quotient if quotient > 1.0 => Clip::One,
        _ => Clip::No,
    }
}

/// The five panels of per-model metrics.
pub fn panels(studies: &[(String, &Record)], view: &MetricConvention) -> Vec<Panel> {
    let summaries: Vec<Summary> = studies.iter().map(|(_, record)| summarize(record, view)).collect();
    let panel = |(title, about, line, index): Index| {
        let row = |((name, _), summary): (&(String, &Record), &Summary)| {
            let found = index(summary);
            let clipped = title == REDUNDANCY
                && view.redundancy == RedundancyAggregate::RatioOfMeans
                && summary.redundancy.is_some_and(|found| clip(&found) != Clip::No);
            let words = match found {
                Some((value, ..)) if clipped => format!("{} (clipped, uninformative)", words::fixed(value, 3)),
                None => "not defined by its facts".into(),
                Some((value, None, n)) => format!("{} (n = {n})", words::fixed(value, 3)),
                Some((value, Some(sem), n)) => {
                    format!("{} ± {} (n = {n})", words::fixed(value, 3), words::fixed(sem, 3))
                }
            };
            Row { name: name.clone(), value: found.map(|found| found.0), sem: found.and_then(|found| found.1), words }
        };
        Panel { title, about, rows: studies.iter().zip(&summaries).map(row).collect(), line }
    };
    INDICES.map(panel).into_iter().collect()
}

/// The sixth panel: redundancy against size.
pub fn redundancy_by_size(studies: &[(String, &Record)], view: &MetricConvention) -> Scatter {
    let dot = |(series, (name, record)): (usize, &(String, &Record))| {
        let parameters = record.model.parameters;
        let r = summarize(record, view).redundancy.filter(|_| parameters > 0)?.r.mean;
        let words = format!("{name}: R {}, {}", words::fixed(r, 3), words::parameters(parameters));
        Some(Dot { x: (parameters as f64).log10(), y: r, series, full: true, words })
    };
    let dots: Vec<Dot> = studies.iter().enumerate().filter_map(dot).collect();
    let x = Axis::powers("parameters", dots.iter().map(|dot| dot.x));
    Scatter::new("Redundancy R against size", x, Axis::values("R", [0.0, 1.0]), dots)
}

/// How a study's edits ended by all measures together.
fn ended(record: &Record) -> String {
    let all: Vec<Ending> = shown_edits(record).into_iter().map(Ending::of).collect();
    let count = |ending: Ending| all.iter().filter(|one| **one == ending).count();
    let some = Ending::ALL.into_iter().filter(|ending| count(*ending) > 0);
    let some: Vec<String> = some.map(|ending| format!("{} {}", count(ending), ending.word())).collect();
    format!("all measures together: {}", some.join(", "))
}

/// How the edits of studies succeed by the paper's measure, and how they ended by all measures together; a line per study.
pub fn verdicts(studies: &[(String, &Record)], view: &MetricConvention) -> Vec<String> {
    let line = |(name, record): &(String, &Record)| {
        let share = summarize(record, view).edits?.success?;
        let edits = words::count(share.of, "edit");
        Some(format!("{name}: {} of {edits} succeed by the paper's measure; {}.", share.count, ended(record)))
    };
    studies.iter().filter_map(line).collect()
}

/// Redundancy against editability: does a fact that is kept in several places resist being rewritten?
pub fn editability(studies: &[(String, &Record)], view: &MetricConvention) -> Scatter {
    let dot = |(series, (name, record)): (usize, &(String, &Record))| {
        let summary = summarize(record, view);
        let (r, share) = (summary.redundancy?.r.mean, summary.edits.as_ref()?.success?);
        let words = format!(
            "{name}: R {}, {} of {} succeed by the paper's measure; {}",
            words::fixed(r, 3),
            share.count,
            words::count(share.of, "edit"),
            ended(record)
        );
        Some(Dot { x: r, y: share.share, series, full: true, words })
    };
    let dots: Vec<Dot> = studies.iter().enumerate().filter_map(dot).collect();
    let axis = |name| Axis::values(name, [0.0, 1.0]);
    Scatter::new(
        "Edits that succeed by the paper's measure, against redundancy",
        axis("R"),
        axis("success by the paper's measure"),
        dots,
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_index_has_a_row_a_study() {
        let record = sample::record();
        let found = panels(&[("a".into(), &record), ("b".into(), &record)], &MetricConvention::default());
        assert_eq!(found.len(), 5);
        assert!(found.iter().all(|panel| panel.rows.len() == 2));
        assert_eq!(found[1].line.map(|line| line.0), Some(0.5));
        assert_eq!((found[2].rows[0].value, found[2].rows[0].words.as_str()), (None, "not defined by its facts"));
        assert_eq!(found[0].rows[0].words, "0.250 (n = 1)");
    }

    #[test]
    fn studies_without_a_second_pass_have_no_dot() {
        let record = sample::record();
        let studies = [("a".to_owned(), &record)];
        assert!(redundancy_by_size(&studies, &MetricConvention::default()).dots.is_empty());
        assert!(editability(&studies, &MetricConvention::default()).dots.is_empty());
    }

    #[test]
    fn the_stored_study_has_its_dots() {
        crate::sample::arrived(include_bytes!("../../sample.engram.json.gz").to_vec());
        let stored = crate::sample::stored().unwrap().record;
        let studies = [("stored".to_owned(), &stored)];
        let found = redundancy_by_size(&studies, &MetricConvention::default());
        assert_eq!(found.dots.len(), 1);
        assert!(found.dots[0].words.contains("1.8 M parameters"), "{}", found.dots[0].words);
        let edited = editability(&studies, &MetricConvention::default());
        assert_eq!(edited.dots.len(), 1);
        assert!(
            edited.dots[0].words.contains("by the paper's measure; all measures together: "),
            "{}",
            edited.dots[0].words
        );
        let lines = verdicts(&studies, &MetricConvention::default());
        assert!(lines.len() == 1 && lines[0].starts_with("stored: "), "{lines:?}");
    }
}
