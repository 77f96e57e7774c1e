//! Figures 2 and 3, mean sufficiency per layer at both patch positions, and the distribution of dominant layers.

use super::super::{Article, Study, say};
use super::{At, agreement, joined, peak, percent, place, places, those};
use crate::words;
use engram_core::metrics::{Distribution, Mean, SNAP};
use engram_core::record::PatchPosition;

/// Figure 2: mean sufficiency at the article's patch position.
pub fn sufficiency(article: &Article<'_>) -> String {
    curves(article, article.view.position, &article.studies)
}

/// Figure 3: the same at the second patch position, and whether both name the same layers.
pub fn second_position(article: &Article<'_>) -> String {
    let Some((position, studies)) = &article.other else {
        return format!("No study has a patch position other than {}.", article.view.position.name());
    };
    joined([Some(curves(article, *position, studies)), positions_agree(article), published_shape(article)])
}

fn curves(article: &Article<'_>, position: PatchPosition, studies: &[Study<'_>]) -> String {
    let missing = those(studies, |study| study.summary.sufficiency.is_empty());
    if missing.len() == studies.len() {
        return format!("No fact was traced under {}.", position.name());
    }
    let found = match position {
        PatchPosition::LastToken => rises(article, studies),
        _ => peaks(article, position, studies),
    };
    let missing = (!missing.is_empty())
        .then(|| format!("Under {} nothing was traced in {}.", position.name(), article.who(&missing)));
    joined([Some(found), missing])
}

/// Curves of a patch at the subject: where they are highest, by how much, and what is not told apart.
fn peaks(article: &Article<'_>, position: PatchPosition, studies: &[Study<'_>]) -> String {
    let all = studies.iter().filter_map(|study| Some((study, peak(&study.summary.sufficiency)?)));
    let (up, flat): (Vec<_>, Vec<_>) = all.partition(|(_, (_, mean))| mean.mean > SNAP);
    let flat: Vec<&str> = flat.iter().map(|(study, _)| study.name.as_str()).collect();
    let flat = (!flat.is_empty())
        .then(|| format!("Under {} no layer's patch helps on average{}.", position.name(), article.within(&flat)));
    let (up, faint): (Vec<_>, Vec<_>) =
        up.into_iter().partition(|(_, (_, mean))| mean.sem.is_none_or(|sem| mean.mean > sem));
    let faint: Vec<&str> = faint.iter().map(|(study, _)| study.name.as_str()).collect();
    let faint = (!faint.is_empty()).then(|| {
        format!(
            "Under {} no layer's mean differs from 0 beyond the standard error{}.",
            position.name(),
            article.within(&faint)
        )
    });
    if up.is_empty() {
        return joined([faint, flat]);
    }
    let at: Vec<At<'_>> = up
        .iter()
        .map(|(study, (layer, _))| At { name: &study.name, layer: *layer, layers: study.summary.layers })
        .collect();
    let gains: Vec<_> = up.iter().map(|(study, (_, mean))| (*study, **mean)).collect();
    let where_to = format!("Under {} mean sufficiency is highest at {}.", position.name(), places(article, &at));
    let gain = format!("The probability gained there is {}.", super::told(&gains));
    joined([Some(where_to), Some(gain), agreement(&at), close(article, &up), faint, flat])
}

/// Peaks that other layers reach within the standard errors.
fn close(article: &Article<'_>, up: &[(&Study<'_>, (usize, &Mean))]) -> Option<String> {
    let near = up.iter().filter_map(|(study, (best, mean))| {
        let others = (1..).zip(&study.summary.sufficiency);
        let near: Vec<String> = others
            .filter(|(layer, other)| layer != best && !say::apart(mean, other))
            .map(|(layer, _)| layer.to_string())
            .collect();
        (!near.is_empty()).then_some((study.name.as_str(), *best, near))
    });
    let near: Vec<_> = near.collect();
    match near.as_slice() {
        [] => None,
        [(name, best, layers)] => {
            let noun = if layers.len() == 1 { "layer" } else { "layers" };
            let of = if article.studies.len() == 1 { String::new() } else { format!(" of {name}") };
            Some(format!(
                "Between layer {best} and {noun} {}{of} there is no difference beyond the standard errors.",
                say::list(layers)
            ))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|one| one.0).collect();
            Some(format!(
                "In {} other layers do not differ from the peak beyond the standard errors.",
                article.who(&names)
            ))
        }
    }
}

/// From which layer on the mean stays at half of the last layer's or more.
pub(super) fn half_way(means: &[Mean]) -> Option<usize> {
    let end = means.last()?.mean;
    let below = means.iter().rposition(|mean| mean.mean < end / 2.0).map_or(0, |at| at + 1);
    (end > 0.0).then_some(below + 1)
}

/// Curves of a patch at the last token: the end is an identity, the rise is not.
fn rises(article: &Article<'_>, studies: &[Study<'_>]) -> String {
    let identity = "Under last-token the patch after the last layer gives the clean answer back by definition; only \
                    where the curve rises is a finding.";
    let at: Vec<At<'_>> = studies
        .iter()
        .filter_map(|study| {
            let layer = half_way(&study.summary.sufficiency)?;
            Some(At { name: &study.name, layer, layers: study.summary.layers })
        })
        .collect();
    let rise = (!at.is_empty()).then(|| format!("Half of the effect is back by {}.", places(article, &at)));
    let above = studies.iter().filter_map(|study| {
        let (layer, best) = peak(&study.summary.sufficiency)?;
        let end = study.summary.sufficiency.last()?;
        (best.mean > end.mean && say::apart(best, end)).then(|| {
            format!(
                "layer {layer} of {} ({} against {})",
                study.name,
                words::fixed(best.mean, 3),
                words::fixed(end.mean, 3)
            )
        })
    });
    let above: Vec<String> = above.collect();
    let above = (!above.is_empty())
        .then(|| format!("Before the end the patch gives more than the clean run itself has: {}.", say::list(&above)));
    joined([Some(identity.to_owned()), rise, agreement(&at), above])
}

/// Whether both patch positions have the same l*, over the studies that have one at both.
fn positions_agree(article: &Article<'_>) -> Option<String> {
    let (other, studies) = article.other.as_ref()?;
    let pairs: Vec<(&Study<'_>, usize, usize)> = article
        .studies
        .iter()
        .zip(studies)
        .filter_map(|(first, second)| Some((first, first.summary.l_star?, second.summary.l_star?)))
        .collect();
    let [first, other] = [article.view.position, *other].map(PatchPosition::name);
    let (same, moved): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(_, one, two)| one == two);
    let mut sentences = Vec::new();
    if !same.is_empty() {
        let names: Vec<&str> = same.iter().map(|one| one.0.name.as_str()).collect();
        sentences.push(Some(format!("Both patch positions have the same l*{}.", article.within(&names))));
    }
    if !moved.is_empty() {
        let moves = moved.iter().map(|(study, one, two)| {
            let layers = study.summary.layers;
            (format!("{} under {first}, {} under {other}", place(*one, layers), place(*two, layers)), &study.name)
        });
        let told: Vec<String> =
            say::groups(moves).iter().map(|(moved, names)| format!("{moved}{}", article.within(names))).collect();
        sentences.push(Some(format!("The patch positions disagree about l*: {}.", told.join("; "))));
    }
    Some(joined(sentences))
}

/// The earliest relative l* that the paper reports, layer 23 of 26 (METHODS, section 8); its latest is the last layer.
const PUBLISHED: f64 = 23.0 / 26.0;

/// Which patch position has the late l* of the paper. METHODS asks for this wherever both are shown.
fn published_shape(article: &Article<'_>) -> Option<String> {
    let (other, studies) = article.other.as_ref()?;
    let late = |study: &Study<'_>| {
        study.summary.l_star.map(|layer| layer as f64 / study.summary.layers.max(1) as f64 >= PUBLISHED)
    };
    let pairs = article
        .studies
        .iter()
        .zip(studies)
        .filter_map(|(first, second)| Some(((late(first)?, late(second)?), first.name.as_str())));
    let [first, other] = [article.view.position, *other].map(PatchPosition::name);
    let told = |(shape, names): &(_, Vec<&str>)| {
        let which = match shape {
            (true, true) => "both patch positions".to_owned(),
            (true, false) => format!("{first} alone"),
            (false, true) => format!("{other} alone"),
            (false, false) => "neither patch position".to_owned(),
        };
        format!("{which}{}", article.within(names))
    };
    let groups: Vec<String> = say::groups(pairs).iter().map(told).collect();
    (!groups.is_empty()).then(|| {
        format!(
            "The paper's late l* ({} to 100 % of the depth) is matched by {}.",
            percent(PUBLISHED),
            say::list(&groups)
        )
    })
}

/// The distribution of dominant layers: l*, ties, and what is not localized.
pub fn dominant(article: &Article<'_>) -> String {
    let studies = &article.studies;
    let position = article.view.position;
    let with: Vec<(&Study<'_>, usize)> =
        studies.iter().filter_map(|study| Some((study, study.summary.l_star?))).collect();
    let traced = |study: &Study<'_>| !study.summary.sufficiency.is_empty();
    let none = those(studies, |study| study.summary.l_star.is_none() && traced(study));
    let none =
        (!none.is_empty()).then(|| format!("Under {} no fact is localized{}.", position.name(), article.within(&none)));
    let untraced = those(studies, |study| !traced(study));
    let untraced = (!untraced.is_empty())
        .then(|| format!("Under {} no fact was traced{}.", position.name(), article.within(&untraced)));
    let none = Some(joined([none, untraced])).filter(|said| !said.is_empty());
    if with.is_empty() {
        return none.unwrap_or_default();
    }
    let at: Vec<At<'_>> = with
        .iter()
        .map(|(study, layer)| At { name: &study.name, layer: *layer, layers: study.summary.layers })
        .collect();
    let star = format!("Under {} the most frequent dominant layer l* is {}.", position.name(), places(article, &at));
    let shares: Vec<_> = with.iter().filter_map(|(study, _)| study.summary.at_l_star).collect();
    let share = match shares.as_slice() {
        [one] => format!("{} localized facts are there.", say::share(one)),
        _ => format!(
            "{} of the localized facts are there.",
            say::range(shares.iter().map(|one| one.share), say::percent)
        ),
    };
    let ties = ties(article);
    let flat = no_peak(article);
    joined([Some(star), Some(share), agreement(&at), ties, flat, not_localized(article), artefact(article), none])
}

/// Ties for l*, and leads that counting alone may explain: the difference of two counts has a standard error of about
/// the square root of their sum.
fn ties(article: &Article<'_>) -> Option<String> {
    let one = article.studies.len() == 1;
    let (mut tied, mut narrow) = (Vec::new(), Vec::new());
    for study in &article.studies {
        let counts = &study.summary.distribution.counts;
        let Some(best) = study.summary.l_star else { continue };
        let most = counts.get(best - 1).copied().unwrap_or(0);
        let others = (1..).zip(counts).filter(|(layer, _)| *layer != best);
        let Some((next, count)) = others.reduce(|best, next| if next.1 > best.1 { next } else { best }) else {
            continue;
        };
        let name = if one { String::new() } else { format!(" in {}", study.name) };
        let lead = most - count;
        if lead == 0 {
            let all = (1..).zip(counts).filter(|(_, count)| **count == most).map(|(layer, _)| layer.to_string());
            tied.push(format!(
                "layers {} with {} each{name}",
                say::list(&all.collect::<Vec<_>>()),
                words::count(most, "fact")
            ));
        } else if lead * lead <= most + count {
            narrow.push(format!("{most} against {count} facts at layer {next}{name}"));
        }
    }
    let tied =
        (!tied.is_empty()).then(|| format!("There are ties, of which the lowest layer counts: {}.", say::parts(&tied)));
    let narrow = (!narrow.is_empty())
        .then(|| format!("The lead of l* over the next layer is within the counting error ({}).", say::parts(&narrow)));
    Some(joined([tied, narrow])).filter(|said| !said.is_empty())
}

/// The share of facts that l* counts at their argmax though they have no peak; it stands beside the facts at l*.
pub(super) fn no_peak(article: &Article<'_>) -> Option<String> {
    let shares: Vec<_> = article.studies.iter().filter_map(|study| study.summary.no_peak).collect();
    let rule = "the best layer recovers less than a tenth of what corrupting the subject takes";
    match shares.as_slice() {
        [] => None,
        all if all.iter().all(|share| share.count == 0) => None,
        [one] => Some(format!("{} localized facts have no peak: {rule}.", say::share(one))),
        all => Some(format!(
            "{} of the localized facts have no peak: {rule}.",
            say::range(all.iter().map(|share| share.share), say::percent)
        )),
    }
}

/// The share of facts that are not localized; it always stands beside the facts at l*.
pub(super) fn not_localized(article: &Article<'_>) -> Option<String> {
    if article.view.position == PatchPosition::LastToken || article.view.argmax_always {
        return None;
    }
    let shares: Vec<_> = article.studies.iter().filter_map(|study| study.summary.not_localized).collect();
    match shares.as_slice() {
        [] => None,
        all if all.iter().all(|share| share.count == 0) => Some("Every fact is localized.".into()),
        [one] => Some(format!("{} facts are not localized: every patch only hurts.", say::share(one))),
        all => Some(format!(
            "{} of the facts are not localized: every patch only hurts.",
            say::range(all.iter().map(|share| share.share), say::percent)
        )),
    }
}

/// Where a layer is always assigned, the last layer counts what is not localized.
fn artefact(article: &Article<'_>) -> Option<String> {
    if !article.view.argmax_always || article.view.position == PatchPosition::LastToken {
        return None;
    }
    let position = article.view.position;
    let counted = |study: &Study<'_>| {
        let facts = study.record.validated();
        let found = facts.filter_map(|(_, traced)| engram_core::metrics::dominant(traced, position, false));
        Distribution::of(study.summary.layers, found).not_localized
    };
    let facts: usize = article.studies.iter().map(counted).sum();
    (facts > 0).then(|| {
        format!(
            "The paper's convention counts {} whose patches only hurt at the last layer; there the patch does nothing \
             by definition, so this part of the last bar is an artefact.",
            words::count(facts, "fact")
        )
    })
}

#[cfg(test)]
mod tests;
