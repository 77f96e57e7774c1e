//! Figure 4: concentration, r_MLP, R, Δ_nec, the last layer's share, and R against size.

use super::super::{Article, Study, say};
use super::redundancy::{redundancy, redundancy_by_size};
use super::{defined, joined, told};
use crate::words;
use engram_core::metrics::{Mean, NecessityAt};
use engram_core::record::PatchPosition;

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
        article.view.position.name(),
        article.who(&all(article))
    )
}

fn all<'a>(article: &'a Article<'_>) -> Vec<&'a str> {
    article.studies.iter().map(|study| study.name.as_str()).collect()
}

/// Studies that do not define an index, where others do.
pub(super) fn without(article: &Article<'_>, what: &str, found: &[(&Study<'_>, Mean)]) -> Option<String> {
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
        let found = &study.summary;
        let Some(block) = found.necessity else { return false };
        let more = |part: Option<Mean>| part.is_some_and(|part| part.mean > block.mean && say::apart(&part, &block));
        more(found.attention) || more(found.mlp)
    });
    (!names.is_empty()).then(|| {
        format!(
            "In {} ablating one sublayer costs more than ablating the whole block, so there the ratio weighs two \
             disturbances rather than two parts of a loss.",
            article.who(&names)
        )
    })
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
        Some(format!("Ablating {block} {}.", sides.join("; it "))),
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
    let why = match article.view.position {
        PatchPosition::LastToken if total == 0 => {
            "Under last-token its patch gives the whole effect back by definition; for every fact an earlier one gives \
             more."
        }
        PatchPosition::LastToken => {
            "Under last-token its patch gives the whole effect back by definition, so a fact is elsewhere only where \
             an earlier patch gives more or as much."
        }
        _ if article.view.argmax_always && total > 0 => {
            "At this patch position, restoring the last layer does nothing by definition: the paper's convention \
             counts facts there that are not localized."
        }
        _ if total == 0 => {
            "At this patch position, restoring the last layer does nothing by definition, so this is no finding."
        }
        _ => "These are facts whose patched position is still read after the last layer.",
    };
    format!("{value} {why}")
}

#[cfg(test)]
mod tests;
