//! Figure 4's panels of R: its value, where it is no measure, and R against size.

use super::super::{Article, Study, say};
use super::panels::without;
use super::{defined, joined, told};
use crate::words;
use engram_core::metrics::{EPSILON, Redundancy, RedundancyAggregate};
use engram_core::record::PatchPosition;

/// Where R was clipped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Clip {
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
pub(in super::super) fn clip(found: &Redundancy) -> Clip {
    let (restored, necessity) = (found.restored.mean, found.necessity.mean);
    match restored / (necessity + EPSILON) {
        _ if necessity < 0.0 && restored < 0.0 => Clip::Meaningless,
        quotient if !quotient.is_finite() || quotient <= 0.0 => Clip::Zero,
        quotient if quotient > 1.0 => Clip::One,
        _ => Clip::No,
    }
}

/// Panel R.
pub fn redundancy(article: &Article<'_>) -> String {
    let found = defined(&article.studies, |study| study.summary.redundancy.map(|found| found.r));
    if found.is_empty() {
        return format!("R was not measured: no study has a second pass under {}.", article.view.position.name());
    }
    let per_fact = article.view.redundancy == RedundancyAggregate::MeanOfClipped;
    let whole = |study: &Study<'_>| study.summary.redundancy.as_ref().map(clip) == Some(Clip::No);
    let fair: Vec<_> = found.iter().filter(|(study, _)| per_fact || whole(study)).copied().collect();
    let value = match fair.len() {
        0 => None,
        all if all == found.len() => Some(format!("R is {}.", told(&fair))),
        _ => Some(format!("Where R is not clipped it is {}.", told(&fair))),
    };
    let clipped = |wanted: Clip| {
        super::those(&article.studies, |study| study.summary.redundancy.as_ref().map(clip) == Some(wanted))
    };
    let told = |wanted, words: &str| {
        let names = clipped(wanted);
        (!names.is_empty() && !per_fact).then(|| format!("In {} {words}", article.who(&names)))
    };
    joined([
        value,
        per_fact.then(|| "It is the mean over facts, each fact's value clipped to [0, 1].".to_owned()),
        told(
            Clip::One,
            "R is clipped to 1: another layer's patch restores more than ablating l* takes, so the value is a \
             ceiling and not a measure.",
        ),
        told(Clip::Zero, "R is 0: ablating l* costs nothing, or no patch restores anything."),
        told(Clip::Meaningless, "both the gain and the loss are below zero, so R has no meaning."),
        identity(article),
        elsewhere(article),
        without(article, "R", &found),
    ])
}

/// Under last-token R has a floor that follows from definitions (METHODS, "Redundancy"): a patch after the last block
/// gives the clean answer back whole, and where the last block is the ablated one, the patch below it gives what the
/// clean run has without that block.
fn identity(article: &Article<'_>) -> Option<String> {
    if article.view.position != PatchPosition::LastToken {
        return None;
    }
    let ablated_last = |study: &Study<'_>, want: bool| {
        study.summary.redundancy.is_some_and(|found| (found.ablated == study.summary.layers) == want)
    };
    let last = super::those(&article.studies, |study| ablated_last(study, true));
    let below = super::those(&article.studies, |study| ablated_last(study, false));
    let last = (!last.is_empty()).then(|| {
        format!(
            "In {} l* is the last layer: by definition the patch just below it leaves what the clean run has without \
             that block, so R is no finding about other layers.",
            article.who(&last)
        )
    });
    let below = (!below.is_empty()).then(|| {
        format!(
            "In {} the patch after the last layer gives the clean answer back by definition, whatever was ablated, so \
             R is no finding about other layers.",
            article.who(&below)
        )
    });
    Some(joined([last, below])).filter(|said| !said.is_empty())
}

/// R belongs to the block that the study ablated.
fn elsewhere(article: &Article<'_>) -> Option<String> {
    let names = super::those(&article.studies, |study| {
        study.summary.redundancy.zip(study.summary.l_star).is_some_and(|(found, l_star)| found.ablated != l_star)
    });
    (!names.is_empty())
        .then(|| format!("In {} R was measured with a layer ablated that is not this view's l*.", article.who(&names)))
}

/// Sixth panel: R against the number of parameters.
pub fn redundancy_by_size(article: &Article<'_>) -> String {
    let all = article.studies.iter().filter_map(|study| {
        let found = study.summary.redundancy?;
        (study.summary.parameters > 0).then_some((study, study.summary.parameters, found))
    });
    let per_fact = article.view.redundancy == RedundancyAggregate::MeanOfClipped;
    let (mut dots, clipped): (Vec<_>, Vec<_>) = all.partition(|dot| per_fact || clip(&dot.2) == Clip::No);
    dots.sort_by_key(|dot| dot.1);
    let left_out = match clipped.len() {
        0 => None,
        1 => Some("One clipped value is left out.".to_owned()),
        some => Some(format!("{} clipped values are left out.", say::capital(&say::small(some)))),
    };
    let (Some(first), Some(last)) = (dots.first(), dots.last()) else {
        return match clipped.len() {
            0 => "R against size cannot be plotted: R or the number of parameters is missing.".into(),
            _ => "Every R is clipped, so nothing can be said about R and size.".into(),
        };
    };
    if first.1 == last.1 {
        return joined([Some("Models of one size say nothing about R and size.".to_owned()), left_out]);
    }
    let values: Vec<f64> = dots.iter().map(|dot| dot.2.r.mean).collect();
    let steps: Vec<f64> = values.windows(2).map(|two| two[1] - two[0]).collect();
    let end = |dot: &(&Study<'_>, u64, Redundancy)| {
        format!("{} at {} ({})", words::fixed(dot.2.r.mean, 3), words::parameters(dot.1), dot.0.name)
    };
    let ends = format!("{} and {}", end(first), end(last));
    let trend = match () {
        () if dots.len() == 2 => format!("R is {ends}; two models show no trend."),
        () if steps.iter().all(|step| *step == 0.0) => format!("R is {} at every size.", words::fixed(values[0], 3)),
        () if steps.iter().all(|step| *step >= 0.0) => format!("R rises with size: {ends}."),
        () if steps.iter().all(|step| *step <= 0.0) => format!("R falls with size: {ends}."),
        () => format!("R does not follow size: it is {ends}, and those between are out of order."),
    };
    let few = (3..10).contains(&dots.len());
    let few = few.then(|| format!("{} points do not establish a trend.", say::capital(&say::small(dots.len()))));
    joined([Some(trend), left_out, few])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{Record, RedundancyCurve};

    const EARLY: &[&[f32]] = &[&[0.5, 0.2, 0.1, 0.1], &[0.5, 0.2, 0.1, 0.1]];

    fn subject(name: &str) -> Record {
        sample::study(name, PatchPosition::SubjectLast, EARLY)
    }

    fn said(of: fn(&Article<'_>) -> String, records: &[Record]) -> String {
        of(&Article::new(records, &MetricConvention::default()))
    }

    fn with_r(name: &str, position: PatchPosition, ablated: usize, best: f32, without: f32) -> Record {
        let mut record = sample::study(name, position, EARLY);
        sample::each(&mut record, |traced| {
            let mut patched = vec![Some(0.1), Some(best), Some(0.1), Some(0.1)];
            patched[ablated - 1] = None;
            traced.redundancy.insert(position, RedundancyCurve { ablated, patched });
            traced.without_block[ablated - 1] = without;
        });
        record
    }

    #[test]
    fn a_clipped_r_says_so() {
        let of = |best, without| said(redundancy, &[with_r("a", PatchPosition::SubjectLast, 1, best, without)]);
        let plain = of(0.2, 0.5);
        assert_eq!(plain, "R is 0.250 (n = 2).");
        assert!(of(0.9, 0.8).contains("In a R is clipped to 1"));
        assert!(of(0.2, 0.95).contains("In a R is 0:"));
        assert!(of(0.05, 0.95).contains("In a R is 0:"), "a patch that gives nothing counts as 0");
        assert!(said(redundancy, &[subject("a")]).contains("no study has a second pass under subject-last"));
        let far = said(redundancy, &[with_r("a", PatchPosition::SubjectLast, 3, 0.2, 0.5)]);
        assert!(far.contains("a layer ablated that is not this view's l*"), "{far}");
    }

    #[test]
    fn under_last_token_r_is_no_finding() {
        let view = MetricConvention::default().with_position(PatchPosition::LastToken);
        let of =
            |ablated| redundancy(&Article::new(&[with_r("a", PatchPosition::LastToken, ablated, 0.2, 0.5)], &view));
        assert!(of(4).contains("In a l* is the last layer: by definition"), "{}", of(4));
        assert!(of(1).contains("gives the clean answer back by definition, whatever was ablated"), "{}", of(1));
    }

    #[test]
    fn size_is_a_trend_or_none() {
        let sized = |name: &str, r: f32, parameters| {
            let mut record = with_r(name, PatchPosition::SubjectLast, 1, 0.1 + r * 0.4, 0.5);
            record.model.parameters = parameters;
            record
        };
        let (a, b, c) = (sized("a", 0.2, 1_000_000), sized("b", 0.4, 2_000_000), sized("c", 0.6, 4_000_000));
        let of = |records: &[Record]| said(redundancy_by_size, records);
        let small = a.clone();
        assert_eq!(of(std::slice::from_ref(&a)), "Models of one size say nothing about R and size.");
        assert!(of(&[a.clone(), b.clone()]).contains("two models show no trend"));
        assert!(of(&[c.clone(), a.clone(), b.clone()]).starts_with("R rises with size: 0.200 at 1.0 M parameters (a)"));
        let mut odd = c;
        odd.model.parameters = 1_500_000;
        assert!(of(&[a, odd, b]).starts_with("R does not follow size"));
        assert!(of(&[subject("a")]).contains("cannot be plotted"));
        let clipped = with_r("d", PatchPosition::SubjectLast, 1, 0.9, 0.8);
        assert!(of(std::slice::from_ref(&clipped)).starts_with("Every R is clipped"));
        assert!(of(&[small, clipped]).ends_with("One clipped value is left out."));
    }
}
