//! Figures 5 and 6: edits by depth, and both answers before and after.

use super::super::{Article, Study, say};
use super::{defined, joined, percent};
use crate::figures::prediction::is_swept;
use crate::figures::sequence::is_sequence;
use crate::words;
use engram_core::metrics::{Mean, Share, Verdict, edit_outcome, shown_edits};
use engram_core::record::EditRecord;

/// The edits that count: those of editable facts, with their study.
fn counted<'a>(article: &'a Article<'_>) -> Vec<(&'a Study<'a>, &'a EditRecord)> {
    let of = |study: &'a Study<'_>| {
        let settings = &study.record.settings.edit;
        let counts = |edit: &&EditRecord| settings.editable(edit.p_false);
        shown_edits(study.record).into_iter().filter(counts).map(move |edit| (study, edit))
    };
    article.studies.iter().flat_map(of).collect()
}

/// What is said where there is nothing to judge.
fn none(article: &Article<'_>) -> String {
    let tried: usize = article.records.iter().map(|record| shown_edits(record).len()).sum();
    let run = article.records.iter().any(|record| record.edits.is_some());
    let in_turn = article.records.iter().any(is_sequence);
    match (run, tried) {
        (false, _) if in_turn => "Facts were edited one after the other, none from the unedited model.".into(),
        (false, _) => "Stage 3 was not run: no fact was rewritten.".into(),
        (true, 0) => "Stage 3 found no fact to rewrite.".into(),
        (true, tried) => format!(
            "None of the {} counts: every new answer was too improbable to begin with.",
            words::count(tried, "edit")
        ),
    }
}

/// How many edits succeed, per study, and how many do not count.
pub(super) fn success(article: &Article<'_>) -> Option<String> {
    let sum = |of: fn(&engram_core::metrics::EditSummary) -> usize| -> usize {
        article.studies.iter().filter_map(|study| study.summary.edits.as_ref()).map(of).sum()
    };
    let rest = sum(|edits| edits.tried) - sum(|edits| edits.editable);
    let rest = (rest > 0).then(|| {
        let do_not = if rest == 1 { "does" } else { "do" };
        format!("{rest} more {do_not} not count: the new answer was too improbable to begin with.")
    });
    Some(joined([Some(rates(article)?), rest, others(article), swept(article)]))
}

/// Which method all of this is about, where a study has several.
fn others(article: &Article<'_>) -> Option<String> {
    let record =
        article.records.iter().find(|record| record.settings.edit.methods.len() > 1 && record.edits.is_some())?;
    let methods = &record.settings.edit.methods;
    Some(format!(
        "This and the figures are about {}, the first of {}; Tables 4, 6 and 7 have all.",
        methods[0].title(),
        words::count(methods.len(), "method")
    ))
}

/// Which edits all of this is about, where facts are edited at several layers.
fn swept(article: &Article<'_>) -> Option<String> {
    article.records.iter().any(is_swept).then(|| {
        "Facts are edited at several layers: this, the figures and Tables 4, 6 and 7 are about the edit at a fact's dominant \
         layer; Table 10 has all layers."
            .into()
    })
}

fn rates(article: &Article<'_>) -> Option<String> {
    let shares: Vec<(&Study<'_>, Share)> =
        article.studies.iter().filter_map(|study| Some((study, study.summary.edits.as_ref()?.success?))).collect();
    let (first, rest) = shares.split_first()?;
    let all = Share::new(shares.iter().map(|one| one.1.count).sum(), shares.iter().map(|one| one.1.of).sum())?;
    if rest.is_empty() {
        let share = &first.1;
        return Some(match share {
            share if share.of == 1 && share.count == 1 => "The one edit succeeds by the paper's criterion.".into(),
            share if share.of == 1 => "The one edit fails by the paper's criterion.".into(),
            share if share.count == share.of => format!("All {} edits succeed by the paper's criterion.", share.of),
            share if share.count == 0 => format!("None of the {} edits succeeds by the paper's criterion.", share.of),
            share => format!("{} edits succeed by the paper's criterion.", say::share(share)),
        });
    }
    let low = shares.iter().fold(first, |low, one| if one.1.share < low.1.share { one } else { low });
    let high = shares.iter().fold(first, |high, one| if one.1.share > high.1.share { one } else { high });
    let one = |found: &(&Study<'_>, Share)| {
        let same = shares.iter().filter(|other| (other.1.count, other.1.of) == (found.1.count, found.1.of));
        let names: Vec<&str> = same.map(|other| other.0.name.as_str()).collect();
        format!("{} of {} in {}", found.1.count, found.1.of, article.who(&names))
    };
    Some(if low.1.share == high.1.share {
        format!("{} edits succeed by the paper's criterion, in every study alike.", say::share(&all))
    } else {
        format!("{} edits succeed by the paper's criterion: from {} to {}.", say::share(&all), one(low), one(high))
    })
}

/// Figure 5: what edits gained, by depth.
pub fn by_depth(article: &Article<'_>) -> String {
    let edits = counted(article);
    if edits.is_empty() {
        return none(article);
    }
    let depth = |(study, edit): &(&Study<'_>, &EditRecord)| edit.layer as f64 / study.summary.layers.max(1) as f64;
    let gain = |(_, edit): &(&Study<'_>, &EditRecord)| f64::from(edit.p_false_after) - f64::from(edit.p_false);
    let mut depths: Vec<f64> = edits.iter().map(depth).collect();
    depths.sort_by(f64::total_cmp);
    let (low, high) = (depths[0], depths[depths.len() - 1]);
    let compared = if low == high {
        Some(format!("All were made at {} of the depth, so they say nothing about depth.", percent(low)))
    } else {
        // The lower half of the edits against the rest; edits at one depth stay together.
        let middle = depths[(depths.len() - 1) / 2];
        let cut = if middle == high { low } else { middle };
        let (shallow, deep): (Vec<_>, Vec<_>) = edits.iter().partition(|one| depth(one) <= cut);
        let means = Mean::of(shallow.iter().map(gain)).zip(Mean::of(deep.iter().map(gain)));
        means.map(|(shallow, deep)| {
            let both =
                format!("up to {} of the depth {}, deeper {}", percent(cut), words::mean(&shallow), words::mean(&deep));
            match (shallow.n.min(deep.n), say::apart(&shallow, &deep)) {
                (1, _) => format!("Too few edits at different depths to compare: {both}."),
                (_, false) => {
                    format!("Depth makes no difference to the new answer's gain beyond the standard errors: {both}.")
                }
                (_, true) if deep.mean > shallow.mean => format!("Deeper edits gain the new answer more: {both}."),
                (_, true) => format!("Shallower edits gain the new answer more: {both}."),
            }
        })
    };
    let mixed = (article.studies.len() > 1 && low != high)
        .then(|| "Depth and model are mixed here: the edits of one model lie at few depths.".to_owned());
    joined([verdicts(article), success(article), compared, mixed])
}

/// Figure 6: both answers before and after.
pub fn both_answers(article: &Article<'_>) -> String {
    let edits = counted(article);
    let Some(likelier) =
        Share::new(edits.iter().filter(|(_, edit)| edit.p_false_after > edit.p_true_after).count(), edits.len())
    else {
        return none(article);
    };
    let likelier = match likelier {
        all if all.count == all.of => format!("After {} the new answer is likelier than the old one.", every(all.of)),
        none if none.count == 0 => {
            format!("After none of the {} is the new answer likelier than the old one.", words::count(none.of, "edit"))
        }
        some => format!("After {} edits the new answer is likelier than the old one.", say::share(&some)),
    };
    let mean = |of: fn(&EditRecord) -> f32| Mean::of(edits.iter().map(|(_, edit)| f64::from(of(edit))));
    let moved = |name: &str, before: Option<Mean>, after: Option<Mean>| {
        let (before, after) = before.zip(after)?;
        let verb = match after.mean - before.mean {
            change if change > 0.0 => "rises",
            change if change < 0.0 => "falls",
            _ => "stays",
        };
        Some(format!("{name} {verb} from {} to {}", say::value(&before), say::value(&after)))
    };
    let both: Vec<String> = [
        moved("the new one", mean(|edit| edit.p_false), mean(|edit| edit.p_false_after)),
        moved("the old one", mean(|edit| edit.p_true), mean(|edit| edit.p_true_after)),
    ]
    .into_iter()
    .flatten()
    .collect();
    joined([
        Some(likelier),
        Some(format!("On average {}.", say::list(&both))),
        silenced(&edits),
        paraphrases(&edits),
        side_effects(article),
        restored(article),
    ])
}

fn every(edits: usize) -> String {
    if edits == 1 { "the one edit".into() } else { format!("all {edits} edits") }
}

/// Successes that only silenced the old answer.
fn silenced(edits: &[(&Study<'_>, &EditRecord)]) -> Option<String> {
    let silenced = |(study, edit): &&(&Study<'_>, &EditRecord)| {
        let found = edit_outcome(edit, study.record.settings.edit.min_p_false);
        found.success && found.judgement.verdict == Verdict::Silenced
    };
    let count = edits.iter().filter(silenced).count();
    (count > 0).then(|| {
        let count = say::capital(&say::small(count));
        format!("{count} of the paper's successes only silenced the old answer: the new one did not rise.")
    })
}

/// What all measures together say of the edits.
pub(super) fn verdicts(article: &Article<'_>) -> Option<String> {
    let all: Vec<_> = article.studies.iter().filter_map(|study| study.summary.edits.as_ref()).collect();
    let tried: usize = all.iter().map(|edits| edits.tried).sum();
    let count = |verdict| all.iter().filter_map(|edits| edits.verdicts.get(&verdict)).sum::<usize>();
    let ended = Verdict::ALL.into_iter().map(|verdict| (count(verdict), verdict.name()));
    let ended: Vec<String> =
        ended.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    (tried > 0)
        .then(|| format!("{} judged by all measures together: {}.", words::count(tried, "edit"), ended.join("; ")))
}

/// Whether an edit carries over to other wordings.
fn paraphrases(edits: &[(&Study<'_>, &EditRecord)]) -> Option<String> {
    let shifts: Vec<_> = edits.iter().flat_map(|(_, edit)| &edit.paraphrases).collect();
    let likelier = |at: usize| shifts.iter().filter(|shift| shift.p_false[at] > shift.p_true[at]).count();
    let share = Share::new(likelier(1), shifts.len())?;
    Some(format!(
        "On other wordings the new answer is the likelier one in {}, {} before.",
        say::share(&share),
        likelier(0)
    ))
}

/// What became of unrelated facts.
pub(super) fn side_effects(article: &Article<'_>) -> Option<String> {
    let found: Vec<_> =
        article.studies.iter().filter_map(|study| Some((study, study.summary.edits.as_ref()?.side_effects?))).collect();
    let flips =
        Share::new(found.iter().map(|one| one.1.flips.count).sum(), found.iter().map(|one| one.1.flips.of).sum())?;
    let moves = defined(&article.studies, |study| {
        let side = study.summary.edits.as_ref()?.side_effects?;
        Some(Mean { mean: side.mean, sem: None, n: side.flips.of })
    });
    let range = say::range(moves.iter().map(|one| one.1.mean), |p| words::fixed(p, 3));
    let worst = found.iter().map(|one| one.1.worst).fold(0.0, f64::max);
    Some(format!(
        "Unrelated answers move by {range} on average, {} at most; {} predictions of them change.",
        words::fixed(worst, 3),
        say::share(&flips)
    ))
}

fn restored(article: &Article<'_>) -> Option<String> {
    let names =
        super::those(&article.studies, |study| study.summary.edits.as_ref().is_some_and(|edits| !edits.all_restored));
    (!names.is_empty()).then(|| {
        format!(
            "In {} weights were not restored bit for bit, so later edits stand on changed weights.",
            article.who(&names)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{PatchPosition, Record};

    fn record(name: &str) -> Record {
        sample::study(name, PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1, 0.1]])
    }

    fn said(of: fn(&Article<'_>) -> String, records: &[Record]) -> String {
        of(&Article::new(records, &MetricConvention::default()))
    }

    #[test]
    fn depth_is_compared_where_it_can_be() {
        let mut one = record("a");
        assert_eq!(said(by_depth, std::slice::from_ref(&one)), "Stage 3 was not run: no fact was rewritten.");
        sample::edited(&mut one, 1, &[[0.2, 0.5], [0.2, 0.52], [0.2, 0.51]]);
        let same = said(by_depth, std::slice::from_ref(&one));
        assert_eq!(
            same,
            "3 edits judged by all measures together: 3 rewritten, not all checked. All 3 edits succeed by the paper's \
             criterion. All were made at 25 % of the depth, so they say nothing about depth."
        );
        let mut deep = one.clone();
        sample::edited(&mut deep, 3, &[[0.2, 0.9], [0.2, 0.91]]);
        let told = said(by_depth, std::slice::from_ref(&deep));
        assert!(told.contains("Deeper edits gain the new answer more: up to 25 % of the depth 0.5000"), "{told}");
        let mut alike = one.clone();
        sample::edited(&mut alike, 3, &[[0.2, 0.50], [0.2, 0.52]]);
        assert!(said(by_depth, std::slice::from_ref(&alike)).contains("Depth makes no difference"));
        sample::edited(&mut one, 3, &[[0.8, 0.011]]);
        let few = said(by_depth, &[one]);
        assert!(
            few.contains("3 of 4 (75.0 %) edits succeed by the paper's criterion.") && few.contains("Too few edits"),
            "{few}"
        );
        let other = said(by_depth, &[deep, alike]);
        assert!(other.contains("in every study alike") && other.contains("Depth and model are mixed"), "{other}");
    }

    #[test]
    fn answers_are_counted_and_silencing_is_told() {
        let mut one = record("a");
        sample::edited(&mut one, 1, &[[0.2, 0.5], [0.001, 0.005]]);
        let told = said(both_answers, std::slice::from_ref(&one));
        assert!(told.starts_with("After all 2 edits the new answer is likelier than the old one."), "{told}");
        assert!(
            told.contains("On average the new one rises from 0.010")
                && told.contains("and the old one falls from 0.900"),
            "{told}"
        );
        assert!(told.contains("One of the paper's successes only silenced the old answer"), "{told}");
        assert!(
            told.contains("On other wordings the new answer is the likelier one in 2 of 2 (100.0 %), 0 before."),
            "{told}"
        );
        assert!(told.contains("Unrelated answers move by 0.020 on average"), "{told}");
        let mut failed = record("a");
        sample::edited(&mut failed, 1, &[[0.8, 0.011]]);
        failed.edits.iter_mut().flatten().for_each(|edit| edit.restored = false);
        let told = said(both_answers, std::slice::from_ref(&failed));
        assert!(told.starts_with("After none of the 1 edit is") && told.contains("not restored bit for bit"), "{told}");
        let mut part = one.clone();
        part.edits.iter_mut().flatten().take(1).for_each(|edit| edit.p_false = 1e-6);
        let told = said(by_depth, &[part]);
        assert!(told.contains("The one edit succeeds by the paper's criterion. 1 more does not count"), "{told}");
        failed.edits.iter_mut().flatten().for_each(|edit| edit.p_false = 1e-6);
        assert!(said(both_answers, std::slice::from_ref(&failed)).starts_with("None of the 1 edit counts"));
        failed.edits = Some(vec![]);
        assert_eq!(said(by_depth, &[failed]), "Stage 3 found no fact to rewrite.");
    }

    #[test]
    fn edits_at_several_layers_count_at_the_dominant_one() {
        let told = said(by_depth, &[sample::swept("a")]);
        assert!(told.starts_with("4 edits judged by all measures together: "), "{told}");
        assert!(
            told.contains(
                "this, the figures and Tables 4, 6 and 7 are about the edit at a fact's dominant layer; Table 10"
            ),
            "{told}"
        );
        let once = said(
            by_depth,
            &[{
                let mut one = record("a");
                sample::edited(&mut one, 1, &[[0.2, 0.5]]);
                one
            }],
        );
        assert!(!once.contains("several layers"), "{once}");
    }
}
