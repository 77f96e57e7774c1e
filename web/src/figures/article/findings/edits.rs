//! Figures 5 and 6 and Tables 4 and 6: what became of the edits.

use super::super::finding::{self, Finding, apart, joined, share, value};
use super::super::{Article, Study};
use crate::figures::prediction::is_swept;
use crate::figures::sequence::is_sequence;
use crate::words;
use engram_core::metrics::{EditSummary, Mean, Share, Verdict, judge, shown_edits};
use engram_core::record::EditRecord;
use std::collections::BTreeMap;

/// Which edits all of this is about, where there are more.
fn which(article: &Article<'_>) -> String {
    let edited = article.records.iter().filter(|record| record.edits.is_some());
    let several = edited.map(|record| &record.settings.edit.methods).find(|methods| methods.len() > 1).map(|methods| {
        format!("Edits by {}, the first of {} methods; Tables 4, 6 and 7 have all.", methods[0].title(), methods.len())
    });
    let swept = "Edits at each fact's dominant layer; Table 10 has the other layers.";
    joined([several, article.records.iter().any(is_swept).then(|| swept.to_owned())])
}

/// The edits of a study that count, or why there are none.
fn counted<'a>(study: &Study<'a>) -> Result<Vec<&'a EditRecord>, String> {
    let (record, shown) = (study.record, shown_edits(study.record));
    let settings = &record.settings.edit;
    let tried = shown.len();
    let edits: Vec<&EditRecord> = shown.into_iter().filter(|edit| settings.editable(edit.p_false)).collect();
    match (record.edits.is_some(), tried, edits.len()) {
        (false, ..) if is_sequence(record) => Err("Facts were edited in sequence only.".into()),
        (false, ..) => Err("Stage 3 was not run: no fact was edited.".into()),
        (true, 0, _) => Err("Stage 3 found no fact to edit.".into()),
        (true, tried, 0) => {
            Err(format!("None of {} counts: p(new answer) was too low before.", words::count(tried, "edit")))
        }
        _ => Ok(edits),
    }
}

/// A sentence from the edits of each study that count, or why there are none.
fn each(article: &Article<'_>, say: impl Fn(&Study<'_>, &[&EditRecord]) -> Option<String>) -> Finding {
    let one = |study: &Study<'_>| counted(study).map_or_else(Some, |edits| say(study, &edits));
    Finding::of(&article.studies, one).with(which(article))
}

/// Figure 5: successes, and what edits gained by depth.
pub(super) fn by_depth(article: &Article<'_>) -> Finding {
    each(article, |study, edits| Some(joined([success(study), Some(gains(study, edits))])))
}

/// The gain of the new answer in the lower half of the edits by depth against the rest; one layer stays together.
fn gains(study: &Study<'_>, edits: &[&EditRecord]) -> String {
    let mut layers: Vec<usize> = edits.iter().map(|edit| edit.layer).collect();
    layers.sort_unstable();
    let (low, high) = (layers[0], layers[layers.len() - 1]);
    let middle = layers[(layers.len() - 1) / 2];
    let cut = if middle == high { low } else { middle };
    let mean = |wanted: &dyn Fn(usize) -> bool| {
        let of = edits.iter().filter(|edit| wanted(edit.layer));
        Mean::of(of.map(|edit| f64::from(edit.p_false_after) - f64::from(edit.p_false)))
    };
    let (shallow, deep) = match (low == high, mean(&|layer| layer <= cut), mean(&|layer| layer > cut)) {
        (false, Some(shallow), Some(deep)) => (shallow, deep),
        (_, all, _) => {
            let gain = all.map(|all| format!(", mean gain of p(new answer) {}", value(&all))).unwrap_or_default();
            return format!("All edits are at layer {low} of {}{gain}.", study.summary.layers);
        }
    };
    let reading = match (shallow.n.min(deep.n), apart(&shallow, &deep)) {
        (1, _) => "too few edits to compare",
        (_, false) => "no difference beyond the standard errors",
        (_, true) if deep.mean > shallow.mean => "deeper edits gain more",
        (_, true) => "shallower edits gain more",
    };
    let [shallow, deep] = [&shallow, &deep].map(finding::mean);
    format!("Mean gain of p(new answer) up to layer {cut}: {shallow}; deeper: {deep}; {reading}.")
}

/// Figure 6: both answers before and after.
pub(super) fn both_answers(article: &Article<'_>) -> Finding {
    each(article, |_, edits| {
        let likelier = edits.iter().filter(|edit| edit.p_false_after > edit.p_true_after).count();
        let mean = |of: fn(&EditRecord) -> f32| {
            Mean::of(edits.iter().map(|edit| f64::from(of(edit)))).map(|mean| value(&mean)).unwrap_or_default()
        };
        Some(format!(
            "The new answer is more probable than the old one after {} edits. Mean p(new answer) {} → {}, mean p(old answer) \
             {} → {}.",
            share(&Share::new(likelier, edits.len())?),
            mean(|edit| edit.p_false),
            mean(|edit| edit.p_false_after),
            mean(|edit| edit.p_true),
            mean(|edit| edit.p_true_after)
        ))
    })
}

/// Successes as the paper counts them, and edits that do not count.
fn success(study: &Study<'_>) -> Option<String> {
    let edits = study.summary.edits.as_ref()?;
    let silenced = match edits.silenced() {
        0 => String::new(),
        count => format!(", {count} of them only silence the old answer"),
    };
    let rest = edits.tried - edits.editable;
    let rest = (rest > 0).then(|| format!("Excluded because p(new answer) was too low before: {rest}."));
    let success = format!("{} edits succeed by the paper's criterion{silenced}.", share(&edits.success?));
    Some(joined([Some(success), rest]))
}

/// Table 4: successes and side effects; nothing where no study has Stage 3.
pub(super) fn table(article: &Article<'_>) -> Option<Finding> {
    article.records.iter().any(|record| record.edits.is_some()).then(|| {
        each(article, |study, _| {
            let edits = study.summary.edits.as_ref()?;
            let restored = (!edits.all_restored).then(|| {
                "Weights were not restored bit for bit, so later edits start from changed weights.".to_owned()
            });
            Some(joined([success(study), side_effects(edits), restored]))
        })
    })
}

/// What became of unrelated facts.
fn side_effects(edits: &EditSummary) -> Option<String> {
    let found = edits.side_effects?;
    Some(format!(
        "Unrelated facts: mean |Δp| {:.3}, largest {:.3}; the most probable token changes for {}.",
        found.mean,
        found.worst,
        share(&found.flips)
    ))
}

/// Table 6: verdicts, and whether paraphrases follow; nothing where no study has an edit.
pub(super) fn verdicts(article: &Article<'_>) -> Option<Finding> {
    let one = |study: &Study<'_>| {
        study.summary.edits.as_ref().filter(|edits| edits.tried > 0)?;
        Some(joined([Some(verdict(study)), paraphrases(study)]))
    };
    Finding::of(&article.studies, one).if_said()
}

fn verdict(study: &Study<'_>) -> String {
    let mut counts: BTreeMap<(Verdict, bool), usize> = BTreeMap::new();
    for judged in shown_edits(study.record).into_iter().map(judge) {
        // Other edits may harm, too: their name does not say so.
        let harms = judged.harms() && matches!(judged.verdict, Verdict::Partly | Verdict::Unchanged);
        *counts.entry((judged.verdict, harms)).or_default() += 1;
    }
    let ended = counts.iter().map(|((verdict, harms), count)| {
        format!("{count} {}{}", verdict.name(), if *harms { ", with harm" } else { "" })
    });
    let all = counts.values().sum();
    format!("Verdict of {}: {}.", words::count(all, "edit"), ended.collect::<Vec<_>>().join("; "))
}

fn paraphrases(study: &Study<'_>) -> Option<String> {
    let edits = counted(study).ok()?;
    let shifts: Vec<_> = edits.iter().flat_map(|edit| &edit.paraphrases).collect();
    let likelier = |at: usize| shifts.iter().filter(|shift| shift.p_false[at] > shift.p_true[at]).count();
    let after = Share::new(likelier(1), shifts.len())?;
    Some(format!("Paraphrases with the new answer more probable: {} before, {} after.", likelier(0), share(&after)))
}

/// For the abstract: verdict, and successes as the paper counts them.
pub(super) fn headline(article: &Article<'_>) -> Option<Finding> {
    let one = |study: &Study<'_>| {
        study.summary.edits.as_ref().filter(|edits| edits.tried > 0)?;
        Some(joined([Some(verdict(study)), success(study)]))
    };
    Finding::of(&article.studies, one).if_said()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::article::finding::tests::{begins, ends, has};
    use crate::figures::sample;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{PatchPosition, Record};

    fn record(layer: usize, after: &[[f32; 2]]) -> Record {
        let mut record = sample::study("a", PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1, 0.1]]);
        sample::edited(&mut record, layer, after);
        record
    }

    fn said(of: fn(&Article<'_>) -> Finding, record: &Record) -> String {
        of(&Article::new(std::slice::from_ref(record), &MetricConvention::default())).to_string()
    }

    #[test]
    fn depth_is_compared_where_it_can_be() {
        let one = record(1, &[[0.2, 0.5], [0.2, 0.52], [0.2, 0.51]]);
        let wanted = "3 of 3 (100.0 %) edits succeed by the paper's criterion. All edits are at layer 1 of 4, mean gain of p(new \
                      answer) 0.500 ± 0.006.";
        assert_eq!(said(by_depth, &one), wanted);
        let deeper = |after: &[[f32; 2]]| {
            let mut both = one.clone();
            sample::edited(&mut both, 3, after);
            said(by_depth, &both)
        };
        let deep = deeper(&[[0.2, 0.9], [0.2, 0.91]]);
        ends(&deep, "up to layer 1: 0.500 ± 0.006 (n = 3); deeper: 0.895 ± 0.005 (n = 2); deeper edits gain more.");
        assert!(deeper(&[[0.2, 0.2], [0.2, 0.21]]).contains("shallower edits gain more"));
        assert!(deeper(&[[0.2, 0.50], [0.2, 0.52]]).contains("no difference beyond the standard errors"));
        let few = deeper(&[[0.8, 0.011]]);
        begins(&few, "3 of 4 (75.0 %)");
        has(&few, "too few edits to compare");
    }

    #[test]
    fn answers_are_counted_and_side_effects_told() {
        let mut one = record(1, &[[0.2, 0.5], [0.001, 0.005]]);
        let told = said(both_answers, &one);
        begins(&told, "The new answer is more probable than the old one after 2 of 2 (100.0 %) edits. Mean");
        has(&told, "p(new answer) 0.010 ± 0.000 → 0.252");
        has(&told, "p(old answer) 0.900 ");
        let table = |record: &Record| said(|article| table(article).unwrap_or_default(), record);
        let told = table(&one);
        has(&told, "criterion, 1 of them only silence the old answer. Unrelated facts: mean |Δp| 0.020");
        let verdicts = said(|article| verdicts(article).unwrap_or_default(), &one);
        begins(&verdicts, "Verdict of 2 edits: 1 rewritten, not all checked; 1 silenced.");
        ends(&verdicts, "more probable: 0 before, 2 of 2 (100.0 %) after.");
        one.edits.iter_mut().flatten().take(1).for_each(|edit| (edit.p_false, edit.restored) = (1e-6, false));
        let told = table(&one);
        has(&told, "too low before: 1.");
        has(&told, "were not restored bit for bit");
        one.edits.iter_mut().flatten().for_each(|edit| edit.p_false = 1e-6);
        assert_eq!(said(both_answers, &one), "None of 2 edits counts: p(new answer) was too low before.");
    }

    #[test]
    fn what_was_not_done_is_not_claimed() {
        let mut one = record(1, &[]);
        assert_eq!(said(by_depth, &one), "Stage 3 found no fact to edit.");
        one.edits = None;
        assert_eq!(said(by_depth, &one), "Stage 3 was not run: no fact was edited.");
        let article = Article::new(std::slice::from_ref(&one), &MetricConvention::default());
        assert_eq!([table(&article), verdicts(&article), headline(&article)], [None, None, None]);
        assert_eq!(said(by_depth, &sample::edited_in_turn("a")), "Facts were edited in sequence only.");
        let swept = said(by_depth, &sample::swept("a"));
        ends(&swept, "Edits at each fact's dominant layer; Table 10 has the other layers.");
    }
}
