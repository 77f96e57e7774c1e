//! Which facts' token × layer maps the article shows.

use super::{Article, Study};
use engram_core::metrics::{Finding, finding};
use engram_core::record::FactRecord;

/// A fact whose maps are shown.
#[derive(Debug, Clone, Copy)]
pub struct Chosen<'a> {
    /// Index of its study.
    pub study: usize,
    /// The fact.
    pub fact: &'a FactRecord,
}

/// Maps of a study that are shown at most, unless asked otherwise.
pub const MOST: usize = 3;

/// The facts whose maps are shown, study by study, at most `most` of each. Facts of which every study with maps has maps come
/// first, so that models are seen on the same ones where possible; among these the ones nearest to `l*`, in study order. The
/// last place goes to a fact that is not localized, where there is one.
pub fn chosen<'a>(article: &Article<'a>, most: usize) -> Vec<Chosen<'a>> {
    let all: Vec<Vec<&'a FactRecord>> = article.studies.iter().map(mapped).collect();
    // As `metrics::matched` tells facts apart.
    let same =
        |a: &FactRecord, b: &FactRecord| (&a.id, &a.prompt, &a.target_true) == (&b.id, &b.prompt, &b.target_true);
    let has = |facts: &Vec<&FactRecord>, fact: &FactRecord| facts.is_empty() || facts.iter().any(|one| same(one, fact));
    let shared = |fact: &FactRecord| all.iter().all(|facts| has(facts, fact));
    let of_study = |(at, study): (usize, &Study<'a>)| {
        let mut facts = all[at].clone();
        facts.sort_by_cached_key(|fact| (!shared(fact), distance(study, fact), fact.order));
        if let Some(lost) = facts.iter().position(|fact| is_lost(study, fact)).filter(|lost| most > 1 && *lost >= most)
        {
            facts.swap(most - 1, lost);
        }
        facts.truncate(most);
        facts.into_iter().map(|fact| Chosen { study: at, fact }).collect::<Vec<_>>()
    };
    article.studies.iter().enumerate().flat_map(of_study).collect()
}

fn mapped<'a>(study: &Study<'a>) -> Vec<&'a FactRecord> {
    study.record.validated().filter(|(_, traced)| traced.maps.is_some()).map(|(fact, _)| fact).collect()
}

/// How many layers a fact's dominant layer lies from `l*`; the most for a fact without one.
fn distance(study: &Study<'_>, fact: &FactRecord) -> usize {
    let layer = finding(fact, &study.summary.view).and_then(Finding::layer);
    layer.zip(study.summary.l_star).map_or(usize::MAX, |(layer, l_star)| layer.abs_diff(l_star))
}

fn is_lost(study: &Study<'_>, fact: &FactRecord) -> bool {
    finding(fact, &study.summary.view) == Some(Finding::NotLocalized)
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{Maps, PatchPosition, Record};

    const EARLY: &[f32] = &[0.5, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
    const SECOND: &[f32] = &[0.2, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
    const LATE: &[f32] = &[0.1, 0.1, 0.1, 0.1, 0.1, 0.5, 0.1, 0.1];
    const LOST: &[f32] = &[0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1];

    fn record(curves: &[&[f32]], with_maps: &[usize]) -> Record {
        let mut record = sample::study("a", PatchPosition::SubjectLast, curves);
        for (_, fact) in record.facts.iter_mut().enumerate().filter(|(at, _)| with_maps.contains(at)) {
            fact.traced_mut().expect("all facts are traced").maps = Some(Maps::default());
        }
        record
    }

    fn said(records: &[Record]) -> Vec<(usize, usize)> {
        let article = Article::new(records, &MetricConvention::default());
        chosen(&article, MOST).iter().map(|one| (one.study, one.fact.order)).collect()
    }

    #[test]
    fn those_near_l_star_come_first_and_one_is_not_localized() {
        let one = record(&[LATE, SECOND, LOST, EARLY, EARLY, LOST, LATE], &[0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(said(std::slice::from_ref(&one)), [(0, 3), (0, 4), (0, 2)]);
        assert_eq!(said(&[record(&[LATE, SECOND, EARLY, EARLY, LATE], &[0, 1, 4])]), [(0, 1), (0, 0), (0, 4)]);
        assert!(said(&[sample::record()]).is_empty());
    }

    #[test]
    fn models_are_seen_on_the_same_facts() {
        let one = record(&[EARLY, EARLY, EARLY, EARLY, LATE], &[0, 1, 2, 4]);
        let two = record(&[EARLY, EARLY, EARLY, EARLY, LATE], &[3, 4]);
        assert_eq!(said(&[one, two, sample::record()])[..2], [(0, 4), (0, 0)]);
    }
}
