//! Figure 4: concentration, r_MLP, R, Δ_nec, the last layer's share, and R against size.

use super::super::{Article, Study, say};
use super::{defined, joined, told};
use crate::words;
use engram_core::metrics::{EPSILON, Mean, NecessityAt, Part, Redundancy, RedundancyAggregate, mean_drop};
use engram_core::record::{Reading, Traced};

/// The six panels, in the figure's order.
pub fn panels(article: &Article<'_>) -> [String; 6] {
    [
        concentration(article),
        mlp_ratio(article),
        redundancy(article),
        necessity(article),
        last_layer(article),
        redundancy_by_size(article),
    ]
}

/// What is said where no study defines an index.
fn undefined(article: &Article<'_>, what: &str) -> String {
    format!(
        "{what} is not defined under {} by the facts of {}.",
        article.view.reading.name(),
        article.who(&all(article))
    )
}

fn all<'a>(article: &'a Article<'_>) -> Vec<&'a str> {
    article.studies.iter().map(|study| study.name.as_str()).collect()
}

/// Studies that do not define an index, where others do.
fn without(article: &Article<'_>, what: &str, found: &[(&Study<'_>, Mean)]) -> Option<String> {
    let has = |name: &str| found.iter().any(|(study, _)| study.name == name);
    let names: Vec<&str> = all(article).into_iter().filter(|name| !has(name)).collect();
    (!names.is_empty()).then(|| format!("{what} is not defined in {}.", article.who(&names)))
}

/// Panel C.
pub fn concentration(article: &Article<'_>) -> String {
    let found: Vec<_> =
        article.studies.iter().filter_map(|study| Some((study, study.summary.concentration?))).collect();
    let spread = |c: f64| match c {
        c if c <= 1.0 / 3.0 => "a third of the layers or fewer",
        c if c <= 0.5 => "half of the layers or fewer",
        _ => "more than half of the layers",
    };
    let counts = |study: &Study<'_>, layers: usize| format!("{layers} of {} layers", study.summary.layers);
    match found.as_slice() {
        [] => undefined(article, "C"),
        [(study, one)] => {
            let held = format!(
                "{} hold more than 80 % of the {} (C = {}).",
                say::capital(&counts(study, one.layers)),
                words::count(study.summary.distribution.localized(), "localized fact"),
                words::fixed(one.c, 3)
            );
            let few = study.summary.distribution.localized() < study.summary.layers;
            let few = few.then(|| "With fewer facts than layers C says little.".to_owned());
            let held = if one.layers == 1 { held.replace(" hold ", " holds ") } else { held };
            joined([Some(held), few])
        }
        several => {
            let groups = say::groups(several.iter().map(|(study, one)| (spread(one.c), study.name.as_str())));
            let told: Vec<String> =
                groups.iter().map(|(spread, names)| format!("{spread} in {}", article.who(names))).collect();
            let range = say::range(several.iter().map(|one| one.1.c), |c| words::fixed(c, 3));
            format!("More than 80 % of the localized facts lie in {} (C = {range}).", told.join("; "))
        }
    }
}

/// Panel r_MLP, with its line at 0.5.
pub fn mlp_ratio(article: &Article<'_>) -> String {
    let found = defined(&article.studies, |study| study.summary.mlp_ratio);
    if found.is_empty() {
        return undefined(article, "r_MLP");
    }
    let side = |mean: &Mean| match (mean.sem, mean.mean - 0.5) {
        (Some(sem), away) if away.abs() <= sem => "neither part is larger beyond the standard error",
        (_, away) if away > 0.0 => "the MLP's part is the larger one (r_MLP above 0.5)",
        (_, away) if away < 0.0 => "attention's part is the larger one (r_MLP below 0.5)",
        _ => "both parts are alike",
    };
    let groups = say::groups(found.iter().map(|(study, mean)| (side(mean), study.name.as_str())));
    let sides: Vec<String> = groups.iter().map(|(side, names)| format!("{side}{}", article.within(names))).collect();
    joined([
        Some(format!("{}.", say::capital(&sides.join("; ")))),
        Some(format!("r_MLP is {}.", told(&found))),
        no_errors(&found, "r_MLP"),
        halves(article),
        without(article, "r_MLP", &found),
    ])
}

fn no_errors(found: &[(&Study<'_>, Mean)], what: &str) -> Option<String> {
    let bare = found.iter().all(|(_, mean)| mean.sem.is_none() && mean.n > 1);
    bare.then(|| format!("As a ratio of means {what} has no standard error."))
}

/// Studies in which a sublayer alone costs more than the whole block: its ratio then says little about the block.
fn halves(article: &Article<'_>) -> Option<String> {
    let names = super::those(&article.studies, |study| {
        let drop = |part| {
            let facts: Vec<&Traced> = study.record.validated().map(|(_, traced)| traced).collect();
            mean_drop(&facts, study.summary.l_star, &study.summary.view, part)
        };
        let Some(block) = drop(Part::Block) else { return false };
        let more = |part: Option<Mean>| part.is_some_and(|part| part.mean > block.mean && say::apart(&part, &block));
        more(drop(Part::Attention)) || more(drop(Part::Mlp))
    });
    (!names.is_empty()).then(|| {
        format!(
            "In {} leaving out one sublayer costs more than leaving out the whole block, so there the ratio weighs two \
             disturbances rather than two parts of a loss.",
            article.who(&names)
        )
    })
}

/// Where R was clipped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Clip {
    /// It was not.
    No,
    /// To 1: more is given back than the removal takes.
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
        return format!("R is not there: no study has a second pass under {}.", article.view.reading.name());
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
            "R is clipped to 1: another layer's patch gives back more than the removal of l* takes, so the value is a ceiling and no measure.",
        ),
        told(Clip::Zero, "R is 0: removing l* costs nothing, or no patch gives anything back."),
        told(Clip::Meaningless, "both the gain and the loss are below zero, so R has no meaning."),
        identity(article),
        elsewhere(article),
        without(article, "R", &found),
    ])
}

/// Under last-token R has a floor that follows from definitions (METHODS, "Redundancy"): a patch after the last block
/// gives the clean answer back whole, and where the last block is the removed one, the patch below it gives what the
/// clean run has without that block.
fn identity(article: &Article<'_>) -> Option<String> {
    if article.view.reading != Reading::LastToken {
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
            "In {} the patch after the last layer gives the clean answer back by definition, whatever was removed, so R \
             is no finding about other layers.",
            article.who(&below)
        )
    });
    Some(joined([last, below])).filter(|said| !said.is_empty())
}

/// R belongs to the block that the study removed.
fn elsewhere(article: &Article<'_>) -> Option<String> {
    let names = super::those(&article.studies, |study| {
        study.summary.redundancy.zip(study.summary.l_star).is_some_and(|(found, l_star)| found.ablated != l_star)
    });
    (!names.is_empty())
        .then(|| format!("In {} R was measured with another layer removed than this view's l*.", article.who(&names)))
}

/// Panel Δ_nec.
pub fn necessity(article: &Article<'_>) -> String {
    let found = defined(&article.studies, |study| study.summary.necessity);
    if found.is_empty() {
        return undefined(article, "Δ_nec");
    }
    let block = match article.view.necessity_at {
        NecessityAt::LStar => "block l*",
        NecessityAt::PerFact => "each fact's dominant block",
    };
    let side = |mean: &Mean| match mean {
        mean if mean.sem.is_some_and(|sem| mean.mean.abs() <= sem) => "makes no difference beyond the standard error",
        mean if mean.mean < 0.0 => "raises the answer's probability: the block works against the facts",
        mean if mean.mean > 0.0 => "costs probability",
        _ => "makes no difference",
    };
    let groups = say::groups(found.iter().map(|(study, mean)| (side(mean), study.name.as_str())));
    let sides: Vec<String> = groups.iter().map(|(side, names)| format!("{side}{}", article.within(names))).collect();
    joined([
        Some(format!("Leaving out {block} {}.", sides.join("; it "))),
        Some(format!("Δ_nec is {}.", told(&found))),
        without(article, "Δ_nec", &found),
    ])
}

/// Panel "at the last layer".
pub fn last_layer(article: &Article<'_>) -> String {
    let shares: Vec<_> = article.studies.iter().filter_map(|study| Some((study, study.summary.at_last?))).collect();
    if shares.is_empty() {
        return undefined(article, "The last layer's share");
    }
    let total: usize = shares.iter().map(|(_, share)| share.count).sum();
    let value = match shares.as_slice() {
        _ if total == 0 => "No localized fact has the last layer as its dominant one.".to_owned(),
        [(_, one)] => format!("{} localized facts have the last layer as their dominant one.", say::share(one)),
        several => format!(
            "{} of the localized facts have the last layer as their dominant one.",
            say::range(several.iter().map(|(_, share)| share.share), say::percent)
        ),
    };
    let why = match article.view.reading {
        Reading::LastToken if total == 0 => {
            "Under last-token its patch gives the whole effect back by definition; for every fact an earlier one gives \
             more."
        }
        Reading::LastToken => {
            "Under last-token its patch gives the whole effect back by definition, so a fact is elsewhere only where an \
             earlier patch gives more or as much."
        }
        _ if article.view.argmax_always && total > 0 => {
            "Under this reading a patch there does nothing by definition: argmax-always counts facts that are not \
             localized."
        }
        _ if total == 0 => "Under this reading a patch there does nothing by definition, so this is no finding.",
        _ => "These are facts whose patched position is still read after the last layer.",
    };
    format!("{value} {why}")
}

/// Sixth panel: R against the number of parameters.
pub fn redundancy_by_size(article: &Article<'_>) -> String {
    let dots = article.studies.iter().filter_map(|study| {
        let found = study.summary.redundancy?;
        (study.summary.parameters > 0).then_some((study, study.summary.parameters, found))
    });
    let mut dots: Vec<_> = dots.collect();
    dots.sort_by_key(|dot| dot.1);
    let (Some(first), Some(last)) = (dots.first(), dots.last()) else {
        return "R against size has no dot: R or the number of parameters is missing.".into();
    };
    if first.1 == last.1 {
        return "Models of one size say nothing about R and size.".into();
    }
    let values: Vec<f64> = dots.iter().map(|dot| dot.2.r.mean).collect();
    let steps: Vec<f64> = values.windows(2).map(|two| two[1] - two[0]).collect();
    let pair = dots.len() == 2;
    let ends = || {
        let end = |dot: &(&Study<'_>, u64, Redundancy)| {
            format!("{} at {} ({})", words::fixed(dot.2.r.mean, 3), words::parameters(dot.1), dot.0.name)
        };
        format!("{} and {}", end(first), end(last))
    };
    let trend = match () {
        () if steps.iter().all(|step| *step == 0.0) => {
            format!("R is {} at every size.", words::fixed(values[0], 3))
        }
        () if pair => format!("R is {}; two models show no trend.", ends()),
        () if steps.iter().all(|step| *step >= 0.0) => format!("R rises with size: {}.", ends()),
        () if steps.iter().all(|step| *step <= 0.0) => format!("R falls with size: {}.", ends()),
        () => format!("R does not follow size: {}, the others are out of order.", ends()),
    };
    let clipped = dots.iter().filter(|dot| clip(&dot.2) != Clip::No).count();
    let caution = (clipped > 0 && article.view.redundancy == RedundancyAggregate::RatioOfMeans).then(|| {
        format!(
            "{} of these values {} clipped.",
            say::capital(&say::small(clipped)),
            if clipped == 1 { "is" } else { "are" }
        )
    });
    let few = (dots.len() > 2 && dots.len() < 10)
        .then(|| format!("{} points cannot carry a law.", say::capital(&say::small(dots.len()))));
    joined([Some(trend), caution, few])
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::View;
    use engram_core::record::{Record, RedundancyCurve};

    const EARLY: &[&[f32]] = &[&[0.5, 0.2, 0.1, 0.1], &[0.5, 0.2, 0.1, 0.1]];

    fn subject(name: &str) -> Record {
        sample::study(name, Reading::SubjectLast, EARLY)
    }

    fn said(of: fn(&Article<'_>) -> String, records: &[Record]) -> String {
        of(&Article::new(records, &View::default()))
    }

    fn with_r(name: &str, reading: Reading, ablated: usize, best: f32, without: f32) -> Record {
        let mut record = sample::study(name, reading, EARLY);
        sample::each(&mut record, |traced| {
            let mut patched = vec![Some(0.1), Some(best), Some(0.1), Some(0.1)];
            patched[ablated - 1] = None;
            traced.redundancy.insert(reading, RedundancyCurve { ablated, patched });
            traced.without_block[ablated - 1] = without;
        });
        record
    }

    #[test]
    fn concentration_counts_layers() {
        let one = said(concentration, &[subject("a")]);
        assert_eq!(
            one,
            "1 of 4 layers holds more than 80 % of the 2 localized facts (C = 0.250). With fewer facts than layers C says little."
        );
        let wide: &[&[f32]] = &[&[0.5, 0.2, 0.1, 0.1], &[0.2, 0.5, 0.1, 0.1], &[0.2, 0.1, 0.5, 0.1]];
        let two = said(concentration, &[subject("a"), sample::study("b", Reading::SubjectLast, wide)]);
        assert!(two.contains("a third of the layers or fewer in a; more than half of the layers in b"), "{two}");
        assert!(said(concentration, &[]).contains("not defined"));
    }

    #[test]
    fn the_mlp_is_held_against_one_half() {
        let mut record = subject("a");
        let mut with = |attention: f32, mlp: f32| {
            sample::each(&mut record, |traced| {
                traced.without_attention[0] = attention;
                traced.without_mlp[0] = mlp;
            });
            said(mlp_ratio, std::slice::from_ref(&record))
        };
        assert!(with(0.8, 0.6).starts_with("The MLP's part is the larger one (r_MLP above 0.5)."));
        let below = with(0.7, 0.85);
        assert!(below.starts_with("Attention's part is the larger one (r_MLP below 0.5)."), "{below}");
        assert!(!below.contains("one sublayer"), "{below}");
        assert!(with(0.2, 0.3).contains("In a leaving out one sublayer costs more"));
        let mut at = 0.0;
        sample::each(&mut record, |traced| {
            traced.without_attention[0] = 0.7 + at;
            traced.without_mlp[0] = 0.8 - at;
            at += 0.1;
        });
        let even = said(mlp_ratio, &[record]);
        assert!(even.starts_with("Neither part is larger beyond the standard error."), "{even}");
    }

    #[test]
    fn a_clipped_r_says_so() {
        let of = |best, without| said(redundancy, &[with_r("a", Reading::SubjectLast, 1, best, without)]);
        let plain = of(0.2, 0.5);
        assert_eq!(plain, "R is 0.250 (n = 2).");
        assert!(of(0.9, 0.8).contains("In a R is clipped to 1"));
        assert!(of(0.2, 0.95).contains("In a R is 0:"));
        assert!(of(0.05, 0.95).contains("In a R is 0:"), "a patch that gives nothing counts as 0");
        assert!(said(redundancy, &[subject("a")]).contains("no study has a second pass under subject-last"));
        let far = said(redundancy, &[with_r("a", Reading::SubjectLast, 3, 0.2, 0.5)]);
        assert!(far.contains("another layer removed than this view's l*"), "{far}");
    }

    #[test]
    fn under_last_token_r_is_no_finding() {
        let view = View::default().with_reading(Reading::LastToken);
        let of = |ablated| redundancy(&Article::new(&[with_r("a", Reading::LastToken, ablated, 0.2, 0.5)], &view));
        assert!(of(4).contains("In a l* is the last layer: by definition"), "{}", of(4));
        assert!(of(1).contains("gives the clean answer back by definition, whatever was removed"), "{}", of(1));
    }

    #[test]
    fn necessity_may_be_negative() {
        let mut record = subject("a");
        assert!(said(necessity, std::slice::from_ref(&record)).starts_with("Leaving out block l* costs probability."));
        sample::each(&mut record, |traced| traced.without_block[0] = 0.95);
        let raised = said(necessity, std::slice::from_ref(&record));
        assert!(raised.contains("raises the answer's probability") && raised.contains("−0.050"), "{raised}");
        let mut sign = 0.1;
        sample::each(&mut record, |traced| {
            traced.without_block[0] = 0.9 + sign;
            sign = -sign;
        });
        assert!(said(necessity, &[record]).contains("makes no difference beyond the standard error."));
    }

    #[test]
    fn the_last_layer_is_explained() {
        assert!(said(last_layer, &[subject("a")]).ends_with("by definition, so this is no finding."));
        let last = View::default().with_reading(Reading::LastToken);
        let late = sample::study("a", Reading::LastToken, &[&[0.1, 0.9], &[0.95, 0.9]]);
        let told = last_layer(&Article::new(&[late], &last));
        assert!(told.starts_with("1 of 2 (50.0 %) localized facts") && told.contains("by definition"), "{told}");
        let hurt = sample::study("a", Reading::SubjectLast, &[&[0.05, 0.1]]);
        let told = last_layer(&Article::new(&[hurt], &View { argmax_always: true, ..View::default() }));
        assert!(told.contains("argmax-always counts facts that are not localized"), "{told}");
    }

    #[test]
    fn size_is_a_trend_or_none() {
        let sized = |name: &str, r: f32, parameters| {
            let mut record = with_r(name, Reading::SubjectLast, 1, 0.1 + r * 0.4, 0.5);
            record.model.parameters = parameters;
            record
        };
        let (a, b, c) = (sized("a", 0.2, 1_000_000), sized("b", 0.4, 2_000_000), sized("c", 0.6, 4_000_000));
        let of = |records: &[Record]| said(redundancy_by_size, records);
        assert_eq!(of(std::slice::from_ref(&a)), "Models of one size say nothing about R and size.");
        assert!(of(&[a.clone(), b.clone()]).contains("two models show no trend"));
        assert!(of(&[c.clone(), a.clone(), b.clone()]).starts_with("R rises with size: 0.200 at 1.0 M parameters (a)"));
        let mut odd = c;
        odd.model.parameters = 1_500_000;
        assert!(of(&[a, odd, b]).starts_with("R does not follow size"));
        assert!(of(&[subject("a")]).contains("has no dot"));
    }
}
